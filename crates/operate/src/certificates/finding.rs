//! Judges the certificates of listeners. Pure: the caller passes the time.

use super::look::{Place, Seen};
use crate::words::ranges;
use jiff::{SignedDuration, Timestamp};
use kafka::certificates::{Certificate, Distrust, Served};
use mapper::{BrokerId, plural};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The terms by which certificates are judged.
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    /// The time that certificates are compared with.
    pub now: Timestamp,
    /// A certificate that expires within this time is a finding.
    pub warn_before: SignedDuration,
}

/// A fault of a listener's certificate, or a difference between brokers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertFinding {
    /// Machine-readable kind: `no-answer`, `expired`, `wrong-name` and so on.
    pub code: &'static str,
    /// Clients already fail.
    pub urgent: bool,
    /// Brokers with this fault; empty for an address whose broker is unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub brokers: Vec<BrokerId>,
    /// Name in `advertised.listeners`; `None`: no broker reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// `HOST:PORT` of the handshake; `None`: the finding compares brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The fault, as a sentence without the place.
    pub message: String,
}

impl Judge {
    /// Whole days until `not_after` (seconds since 1970); negative after it.
    pub fn days_left(self, not_after: i64) -> i64 {
        const DAY: i64 = 24 * 60 * 60;
        (not_after - self.now.as_second()).div_euclid(DAY)
    }
}

/// The findings: first those of each listener in turn, then those that compare brokers.
pub fn findings(seen: &[Seen], judge: Judge) -> Vec<CertFinding> {
    let mut found = Vec::new();
    for Seen { place, served } in seen {
        let at = |code, urgent, message| CertFinding {
            code,
            urgent,
            brokers: place.broker.into_iter().collect(),
            listener: place.listener.clone(),
            address: Some(place.address.to_string()),
            message,
        };
        match served {
            Err(why) => found.push(at("no-answer", true, why.clone())),
            Ok(served) => {
                let wrong = of_one(served, place, judge);
                found.extend(wrong.into_iter().map(|(code, urgent, said)| at(code, urgent, said)));
            }
        }
    }
    found.extend(differing(seen));
    found
}

type CertFault = (&'static str, bool, String);

fn of_one(served: &Served, place: &Place, judge: Judge) -> Vec<CertFault> {
    let mut wrong: Vec<CertFault> =
        served.chain.iter().filter_map(|one| in_time(one, judge)).collect();
    if !served.name_matches {
        let names = served.leaf().map(|leaf| leaf.names.join(", ")).unwrap_or_default();
        let names = if names.is_empty() { "no host at all".to_owned() } else { names };
        let host = &place.address.host;
        wrong.push(("wrong-name", true, format!("the certificate is for {names}, not for {host}")));
    }
    wrong.extend(broken_chain(&served.chain));
    let top = served.chain.last();
    match (&served.distrust, top) {
        (Some(Distrust::UnknownIssuer), Some(top)) if top.is_self_issued() => {
            let said = format!("its authority, {}, is not one that clients trust", top.subject);
            wrong.push(("untrusted", true, said));
        }
        (Some(Distrust::UnknownIssuer), Some(top)) => {
            let said = format!(
                "it ends with {}, whose issuer {} is neither served nor trusted",
                top.subject, top.issuer
            );
            wrong.push(("incomplete-chain", true, said));
        }
        (Some(Distrust::Other(why)), _) => wrong.push(("untrusted", true, why.clone())),
        (Some(Distrust::UnknownIssuer) | None, _) => {}
    }
    wrong
}

fn in_time(one: &Certificate, judge: Judge) -> Option<CertFault> {
    let now = judge.now.as_second();
    let subject = &one.subject;
    let days = judge.days_left(one.not_after);
    if one.not_after <= now {
        let said = format!("{subject} expired on {}", date(one.not_after));
        return Some(("expired", true, said));
    }
    if one.not_before > now {
        let said = format!("{subject} is not valid before {}", date(one.not_before));
        return Some(("not-yet-valid", true, said));
    }
    (one.not_after - now < judge.warn_before.as_secs()).then(|| {
        let said = format!("{subject} expires on {}, in {days} days", date(one.not_after));
        ("expires-soon", false, said)
    })
}

/// What has expired or will soon, a sentence for each certificate, with the listener and all brokers that serve it.
pub fn expiring(found: &[CertFinding]) -> Vec<String> {
    let mut by: BTreeMap<(&str, &str), BTreeSet<BrokerId>> = BTreeMap::new();
    for one in found.iter().filter(|one| matches!(one.code, "expired" | "expires-soon")) {
        let listener = one.listener.as_deref().unwrap_or_default();
        by.entry((&one.message, listener)).or_default().extend(&one.brokers);
    }
    let told = by.iter().map(|((message, listener), ids)| {
        let brokers = plural(ids.len(), "broker", "brokers");
        let ids: Vec<BrokerId> = ids.iter().copied().collect();
        format!("{listener} of {brokers} {}: {message}", ranges(&ids))
    });
    told.collect()
}

/// The day of a time in seconds since 1970, in UTC.
pub fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| "a day beyond the calendar".to_owned(),
        |t| t.strftime("%Y-%m-%d").to_string(),
    )
}

/// Each certificate must be signed by the next one: Java's clients require this order.
fn broken_chain(chain: &[Certificate]) -> Option<CertFault> {
    let broken = chain.windows(2).find(|pair| !pair[0].is_issued_by(&pair[1]))?;
    let [one, next] = broken else { return None };
    let said = format!(
        "{} is followed by {}, but was issued by {}",
        one.subject, next.subject, one.issuer
    );
    Some(("broken-chain", true, said))
}

/// A listener has the same issuer on all brokers, except during a rotation.
fn differing(seen: &[Seen]) -> Vec<CertFinding> {
    let mut issuers: BTreeMap<&str, BTreeMap<&str, Vec<BrokerId>>> = BTreeMap::new();
    for Seen { place, served } in seen {
        let leaf = served.as_ref().ok().and_then(Served::leaf);
        let (Some(broker), Some(listener), Some(leaf)) = (place.broker, &place.listener, leaf)
        else {
            continue;
        };
        issuers.entry(listener).or_default().entry(&leaf.issuer).or_default().push(broker);
    }
    let several = issuers.into_iter().filter(|(_, by)| by.len() > 1);
    let finding = |(listener, by): (&str, BTreeMap<&str, Vec<BrokerId>>)| {
        let each = by.iter().map(|(issuer, ids)| format!("{issuer} on {}", ranges(ids)));
        CertFinding {
            code: "issuers-differ",
            urgent: false,
            brokers: by.values().flatten().copied().collect(),
            listener: Some(listener.to_owned()),
            address: None,
            message: format!("issuers differ: {}", each.collect::<Vec<_>>().join("; ")),
        }
    };
    several.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{certificate, served};
    use super::*;

    fn at(broker: u32, served: Result<Served, String>) -> Seen {
        let address = format!("kafka-{broker}:9093").parse().unwrap();
        let place =
            Place { broker: Some(BrokerId(broker)), listener: Some("SSL".to_owned()), address };
        Seen { place, served }
    }

    fn judge(now: i64) -> Judge {
        let now = Timestamp::from_second(now).unwrap();
        Judge { now, warn_before: SignedDuration::from_hours(30 * 24) }
    }

    fn codes(seen: &[Seen], now: i64) -> Vec<&'static str> {
        findings(seen, judge(now)).iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn time_is_judged_by_every_certificate_of_the_chain() {
        const DAY: i64 = 24 * 60 * 60;
        let leaf = certificate("localhost.crt");
        let seen = [at(1001, Ok(served(&["localhost.crt"])))];
        assert_eq!(codes(&seen, leaf.not_before + 1), [""; 0]);
        assert_eq!(codes(&seen, leaf.not_before - 1), ["not-yet-valid"]);
        assert_eq!(codes(&seen, leaf.not_after - DAY), ["expires-soon"]);
        assert_eq!(codes(&seen, leaf.not_after), ["expired"]);
        let both = [at(1001, Ok(served(&["localhost.crt", "ca.crt"])))];
        let last = leaf.not_after.max(certificate("ca.crt").not_after);
        assert_eq!(codes(&both, last), ["expired", "expired"]);
    }

    #[test]
    fn a_chain_out_of_order_or_without_its_issuer_is_told_from_one_that_nobody_trusts() {
        let now = certificate("localhost.crt").not_before + 1;
        let mut one = served(&["localhost.crt", "another-ca.crt"]);
        assert_eq!(codes(&[at(1001, Ok(one.clone()))], now), ["broken-chain"]);
        one = served(&["localhost.crt"]);
        one.distrust = Some(Distrust::UnknownIssuer);
        assert_eq!(codes(&[at(1001, Ok(one.clone()))], now), ["incomplete-chain"]);
        one = served(&["localhost.crt", "ca.crt"]);
        one.distrust = Some(Distrust::UnknownIssuer);
        assert_eq!(codes(&[at(1001, Ok(one.clone()))], now), ["untrusted"]);
        one = Served { name_matches: false, distrust: None, ..one };
        let found = findings(&[at(1001, Ok(one))], judge(now));
        assert_eq!(found[0].code, "wrong-name");
        assert!(found[0].message.contains("localhost"), "{}", found[0].message);
    }

    #[test]
    fn what_expires_is_told_once_for_all_brokers_that_serve_it() {
        let leaf = certificate("localhost.crt");
        let seen = [1001, 1002, 1003].map(|id| at(id, Ok(served(&["localhost.crt"]))));
        let told = |now| expiring(&findings(&seen, judge(now)));
        assert_eq!(told(leaf.not_before + 1), [""; 0]);
        let [one] = &*told(leaf.not_after - 5) else { panic!("one sentence") };
        assert!(one.starts_with("SSL of brokers 1001..1003: "), "{one}");
        assert!(one.ends_with("in 0 days"), "{one}");
    }

    #[test]
    fn brokers_that_differ_and_those_that_do_not_answer_are_named() {
        let now = certificate("localhost.crt").not_before + 1;
        let silent = at(1003, Err("no answer".to_owned()));
        let seen = [
            at(1001, Ok(served(&["localhost.crt"]))),
            at(1002, Ok(served(&["another-ca.crt"]))),
            silent,
        ];
        let found = findings(&seen, judge(now));
        let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["no-answer", "issuers-differ"]);
        let both: BTreeSet<BrokerId> = found[1].brokers.iter().copied().collect();
        assert_eq!(both, [BrokerId(1001), BrokerId(1002)].into());
    }
}
