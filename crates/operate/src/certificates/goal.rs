//! Defines the goal of a reload, and whether a listener has reached it. Pure.

use crate::certificates::date;
use jiff::Timestamp;
use kafka::certificates::{Certificate, Served};
use mapper::joined;
use std::collections::BTreeSet;

/// What every listener has to show after the reload.
#[derive(Debug, Clone)]
pub enum Goal {
    /// It serves this certificate, compared by fingerprint.
    Serve(Certificate),
    /// It accepts client certificates of the old and of the new authority: the first step to a new authority.
    TrustBoth {
        /// Subjects of the old authorities.
        old: BTreeSet<String>,
        /// Subjects of the new authorities.
        new: BTreeSet<String>,
    },
    /// Its chain leads to the new authority: the second step. (Only the new authority is trusted during this check.)
    SwapKeys {
        /// Subjects of the old authorities.
        old: BTreeSet<String>,
        /// Subjects of the new authorities.
        new: BTreeSet<String>,
    },
    /// It accepts client certificates of the new authority only: the third step.
    DropOld {
        /// Subjects of the new authorities.
        new: BTreeSet<String>,
    },
}

impl Goal {
    /// Why a listener has not reached this goal; `None`: it has.
    pub fn unmet(&self, served: &Served) -> Option<String> {
        match self {
            Self::Serve(wanted) => {
                let leaf = served.leaf()?;
                let missed = leaf.fingerprint != wanted.fingerprint;
                let said = || format!("it serves serial {}, not {}", leaf.serial, wanted.serial);
                missed.then(said).or_else(|| unbelieved(served))
            }
            Self::SwapKeys { .. } => unbelieved(served),
            Self::TrustBoth { old, new } => {
                let missing = &(old | new) - &taken(served)?;
                let said = || format!("it does not take clients of {}", joined(&missing));
                (!missing.is_empty()).then(said)
            }
            Self::DropOld { new } => {
                let takes = taken(served)?;
                (takes != *new).then(|| format!("it takes clients of {}", joined(&takes)))
            }
        }
    }

    /// Why it is too early for this step, judged by one listener of any broker.
    pub fn too_early(&self, served: &Served) -> Option<String> {
        match self {
            Self::Serve(_) | Self::TrustBoth { .. } => None,
            Self::SwapKeys { old, new } => {
                let before = Self::TrustBoth { old: old.clone(), new: new.clone() };
                before.unmet(served).map(|why| format!("{why}: do --step trust-both first"))
            }
            Self::DropOld { .. } => {
                unbelieved(served).map(|why| format!("{why}: do --step swap-keys first"))
            }
        }
    }

    /// Whether only truststores change: the certificate stays as it is.
    pub fn is_of_trust(&self) -> bool {
        matches!(self, Self::TrustBoth { .. } | Self::DropOld { .. })
    }
}

/// The authorities whose client certificates the listener accepts. `None`: it asks clients for no certificate, so a
/// change of its truststore does not show.
fn taken(served: &Served) -> Option<BTreeSet<String>> {
    served.client_authorities.as_ref().map(|all| all.iter().cloned().collect())
}

fn unbelieved(served: &Served) -> Option<String> {
    if let Some(distrust) = &served.distrust {
        return Some(format!("clients do not believe its chain: {distrust:?}"));
    }
    (!served.name_matches).then(|| "its certificate is not for this host".to_owned())
}

/// Why Kafka would refuse this certificate on a running listener; checked before anything is changed. `dn`, `san`:
/// whether the broker allows such changes (`ssl.allow.dn.changes`, `ssl.allow.san.changes`).
pub fn refused_by_kafka(
    old: &Certificate,
    new: &Certificate,
    (dn, san): (bool, bool),
) -> Option<String> {
    if !dn && old.subject != new.subject {
        return Some(format!(
            "its subject is {}, and that of the one served is {}: Kafka takes another subject only with \
             ssl.allow.dn.changes=true, or at a restart",
            new.subject, old.subject
        ));
    }
    let lost: Vec<&str> =
        old.names.iter().filter(|name| !new.names.contains(name)).map(String::as_str).collect();
    (!san && !lost.is_empty()).then(|| {
        format!(
            "it lacks {}, which the one served is for: Kafka takes that only with ssl.allow.san.changes=true, or at a \
             restart",
            lost.join(", ")
        )
    })
}

/// Why a certificate must not be served now.
pub fn out_of_time(new: &Certificate, now: Timestamp) -> Option<String> {
    let now = now.as_second();
    if new.not_after <= now {
        return Some(format!("it expired on {}", date(new.not_after)));
    }
    (new.not_before > now).then(|| format!("it is not valid before {}", date(new.not_before)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{certificate, served};
    use super::*;
    use kafka::certificates::Distrust;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn taking(authorities: &[&str]) -> Served {
        let authorities = authorities.iter().map(|name| (*name).to_owned()).collect();
        Served { client_authorities: Some(authorities), ..served(&["localhost.crt"]) }
    }

    #[test]
    fn a_certificate_is_served_when_it_is_the_very_one_and_clients_believe_it() {
        let goal = Goal::Serve(certificate("localhost.crt"));
        assert_eq!(goal.unmet(&served(&["localhost.crt", "ca.crt"])), None);
        assert!(goal.unmet(&served(&["ca.crt"])).unwrap().contains("it serves serial"));
        let distrust = Some(Distrust::UnknownIssuer);
        assert!(goal.unmet(&Served { distrust, ..served(&["localhost.crt"]) }).is_some());
        assert!(
            goal.unmet(&Served { name_matches: false, ..served(&["localhost.crt"]) }).is_some()
        );
    }

    #[test]
    fn no_step_to_a_new_authority_comes_before_the_one_that_makes_it_safe() {
        let (old, new) = (names(&["CN=old"]), names(&["CN=new"]));
        let both = Goal::TrustBoth { old: old.clone(), new: new.clone() };
        let swap = Goal::SwapKeys { old, new: new.clone() };
        let drop = Goal::DropOld { new };
        assert!(swap.too_early(&taking(&["CN=old"])).unwrap().contains("trust-both"));
        assert_eq!(swap.too_early(&taking(&["CN=new", "CN=old"])), None);
        let unbelieved = Served { distrust: Some(Distrust::UnknownIssuer), ..taking(&["CN=old"]) };
        assert!(drop.too_early(&unbelieved).unwrap().contains("swap-keys"));
        assert_eq!(both.unmet(&taking(&["CN=new", "CN=old", "CN=third"])), None);
        assert!(both.unmet(&taking(&["CN=old"])).unwrap().contains("CN=new"));
        assert_eq!(drop.unmet(&taking(&["CN=new"])), None);
        assert!(drop.unmet(&taking(&["CN=new", "CN=old"])).is_some());
        assert_eq!(
            both.unmet(&served(&["localhost.crt"])),
            None,
            "it asks for none: it cannot tell"
        );
    }

    #[test]
    fn what_kafka_refuses_of_a_listener_that_is_up_is_known_beforehand() {
        let old = certificate("localhost.crt");
        let mut new = old.clone();
        assert_eq!(refused_by_kafka(&old, &new, (false, false)), None);
        new.subject = "CN=other".to_owned();
        assert!(refused_by_kafka(&old, &new, (false, false)).unwrap().contains("allow.dn.changes"));
        assert_eq!(refused_by_kafka(&old, &new, (true, false)), None);
        let mut fewer = old.clone();
        let lost = fewer.names.remove(0);
        let refused = refused_by_kafka(&old, &fewer, (false, false)).unwrap();
        assert!(refused.contains(&lost) && refused.contains("allow.san.changes"), "{refused}");
        assert_eq!(refused_by_kafka(&fewer, &old, (false, false)), None, "more names are fine");
    }

    #[test]
    fn nothing_is_served_out_of_its_time() {
        let one = certificate("localhost.crt");
        let at = |seconds| out_of_time(&one, Timestamp::from_second(seconds).unwrap());
        assert!(at(one.not_before - 1).unwrap().contains("not valid before"));
        assert_eq!(at(one.not_before), None);
        assert!(at(one.not_after).unwrap().contains("expired"));
    }
}
