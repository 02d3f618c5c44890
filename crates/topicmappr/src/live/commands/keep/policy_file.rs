//! The policy file of `keep`.

use crate::error::Error;
use crate::flags::ahead;
use console::units::{days, duration, percent, rate, size};
use execute::keep::{Hours, KeepMode, KeepPolicy, Trigger, TriggerTerms};
use jiff::civil::Time;
use local::files;
use mapper::{BalanceGoal, Ratio};
use serde::Deserialize;
use std::path::Path;

const VERSION: u64 = 1;
const DAY_SECONDS: u64 = 86_400;
const HALF_AN_HOUR: u64 = 1_800;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyFile {
    version: u64,
    throttle: String,
    bytes_per_day: Option<String>,
    hours: Option<String>,
    storage_headroom: Option<String>,
    policies: PoliciesFile,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PoliciesFile {
    lost_broker: Option<TermsFile>,
    leaving_broker: Option<TermsFile>,
    full_disk: Option<TermsFile>,
    filling_disk: Option<TermsFile>,
    drift: Option<TermsFile>,
    new_broker: Option<TermsFile>,
    imbalance: Option<TermsFile>,
    certificates: Option<TermsFile>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TermsFile {
    mode: KeepMode,
    r#for: Option<String>,
    rest: Option<String>,
    max_bytes: Option<String>,
    /// Only of a leaving broker.
    nodes: Option<bool>,
    /// Only of a full disk.
    above: Option<String>,
    /// Only of a full disk.
    to: Option<String>,
    /// Only of a filling disk, and of certificates.
    within: Option<String>,
    /// Only of an imbalance.
    goals: Option<Vec<BalanceGoal>>,
    /// Only of an imbalance.
    band: Option<String>,
}

/// Reads the policy.
pub(in crate::live) fn read(path: &Path) -> Result<KeepPolicy, Error> {
    let text = files::read_text(path)?;
    parse(&text).map_err(|problem| {
        local::Error::flag("--policy", path.display().to_string(), problem).into()
    })
}

fn parse(text: &str) -> Result<KeepPolicy, String> {
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_depth: 8 } };
    let file: PolicyFile =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
    if file.version != VERSION {
        return Err(format!("version {} is none that this program reads", file.version));
    }
    let PoliciesFile {
        lost_broker,
        leaving_broker,
        full_disk,
        filling_disk,
        drift,
        new_broker,
        imbalance,
        certificates,
    } = file.policies;
    let mut policy = KeepPolicy {
        throttle: at("throttle", rate(&file.throttle))?,
        bytes_per_day: given("bytesPerDay", file.bytes_per_day.as_deref(), size)?,
        hours: given("hours", file.hours.as_deref(), hours)?,
        ..KeepPolicy::default()
    };
    if let Some(headroom) = given("storageHeadroom", file.storage_headroom.as_deref(), percent)? {
        policy.storage_headroom = headroom;
    }
    let policies = [
        (Trigger::LostBroker, lost_broker),
        (Trigger::LeavingBroker, leaving_broker),
        (Trigger::FullDisk, full_disk),
        (Trigger::FillingDisk, filling_disk),
        (Trigger::Drift, drift),
        (Trigger::NewBroker, new_broker),
        (Trigger::Imbalance, imbalance),
        (Trigger::Certificates, certificates),
    ];
    for (trigger, terms) in policies {
        if let Some(terms) = terms {
            terms.apply(trigger, &mut policy).map_err(|why| format!("policy {trigger}: {why}"))?;
        }
    }
    Ok(policy)
}

impl TermsFile {
    fn apply(self, trigger: Trigger, policy: &mut KeepPolicy) -> Result<(), String> {
        let is = |wanted: Trigger, key: &str, given: bool| match given && trigger != wanted {
            true => Err(format!("{key} belongs to the policy {wanted}")),
            false => Ok(()),
        };
        is(Trigger::LeavingBroker, "nodes", self.nodes.is_some())?;
        is(Trigger::FullDisk, "above", self.above.is_some())?;
        is(Trigger::FullDisk, "to", self.to.is_some())?;
        if trigger == Trigger::Certificates {
            self.only_told()?;
        } else {
            is(Trigger::FillingDisk, "within", self.within.is_some())?;
        }
        is(Trigger::Imbalance, "goals", self.goals.is_some())?;
        is(Trigger::Imbalance, "band", self.band.is_some())?;
        // A cordon is an operator's word, so it need not last. Brokers that are lost one after the other are left to
        // operators. What is only uneven can wait.
        let (waits, rests) = match trigger {
            Trigger::LeavingBroker | Trigger::Certificates => (0, 0),
            Trigger::FullDisk | Trigger::Drift => (HALF_AN_HOUR, 0),
            Trigger::LostBroker
            | Trigger::FillingDisk
            | Trigger::NewBroker
            | Trigger::Imbalance => (HALF_AN_HOUR, DAY_SECONDS),
        };
        let seconds = |key: &str, text: Option<&str>, otherwise: u64| {
            Ok::<u64, String>(given(key, text, duration)?.map_or(otherwise, |time| time.as_secs()))
        };
        let terms = TriggerTerms {
            mode: self.mode,
            for_seconds: seconds("for", self.r#for.as_deref(), waits)?,
            rest_seconds: seconds("rest", self.rest.as_deref(), rests)?,
            max_bytes: given("maxBytes", self.max_bytes.as_deref(), size)?,
        };
        policy.nodes_leave |=
            self.nodes.is_some_and(|they_do| they_do && self.mode != KeepMode::Off);
        if let Some(above) = given("above", self.above.as_deref(), percent)? {
            policy.full = above;
        }
        if let Some(to) = given("to", self.to.as_deref(), percent)? {
            policy.relieved = to;
        }
        let within = self.within.as_deref();
        if trigger == Trigger::Certificates {
            if let Some(time) = given("within", within, days)? {
                policy.certificate_seconds = time.as_secs().unsigned_abs();
            }
        } else if let Some(days) = given("within", within, ahead)? {
            policy.ahead_days = days;
        }
        if policy.relieved >= policy.full {
            let why =
                "a disk that is relieved stays fuller than the mark: write above: 85%, to: 80%";
            return Err(why.to_owned());
        }
        if let Some(band) = given("band", self.band.as_deref(), percent)? {
            policy.band = at("band", above_zero(band))?;
        }
        if let Some(goals) = self.goals {
            policy.goals = at("goals", evenable(goals))?;
        }
        policy.triggers.insert(trigger, terms);
        Ok(())
    }

    /// Certificates have no plan, so there is nothing to wait for or to limit.
    fn only_told(&self) -> Result<(), String> {
        if self.mode == KeepMode::Act {
            return Err("no plan renews a certificate: write mode: propose".to_owned());
        }
        let of_plans = [("for", &self.r#for), ("rest", &self.rest), ("maxBytes", &self.max_bytes)];
        match of_plans.iter().find(|(_, given)| given.is_some()) {
            Some((key, _)) => Err(format!("{key} belongs to policies with a plan")),
            None => Ok(()),
        }
    }
}

fn above_zero(band: Ratio) -> Result<Ratio, String> {
    if band > Ratio::ZERO { Ok(band) } else { Err("write a share above 0: 10%".to_owned()) }
}

/// Goals that need no measurement and no rack, and whose plans a daemon may pace: it paces no copy between log dirs.
fn evenable(goals: Vec<BalanceGoal>) -> Result<Vec<BalanceGoal>, String> {
    use BalanceGoal::{Cpu, Disks, LeadersZone, Network};
    let others = [Network, Cpu, LeadersZone, Disks];
    if goals.is_empty() || goals.iter().any(|goal| others.contains(goal)) {
        return Err("write some of storage, replicas, leaders, topics".to_owned());
    }
    Ok(goals)
}

fn hours(text: &str) -> Result<Hours, String> {
    let wrong = || format!("{text:?} are no hours (UTC): write 22:00-06:00");
    let seconds = |text: &str| {
        let time: Time = format!("{}:00", text.trim()).parse().ok()?;
        let (hour, minute) = (u64::try_from(time.hour()).ok()?, u64::try_from(time.minute()).ok()?);
        Some(hour * 3600 + minute * 60)
    };
    let (from, until) = text.split_once('-').ok_or_else(wrong)?;
    let (from_seconds, until_seconds) = seconds(from).zip(seconds(until)).ok_or_else(wrong)?;
    Ok(Hours { from_seconds, until_seconds })
}

fn given<T>(
    key: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    text.map(|text| at(key, parse(text))).transpose()
}

fn at<T>(key: &str, parsed: Result<T, String>) -> Result<T, String> {
    parsed.map_err(|problem| format!("{key}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::{Bytes, Rate};

    const SMALL: &str = "version: 1\nthrottle: 20MB/s\npolicies:\n";

    #[test]
    fn a_policy_is_read_with_its_defaults() {
        let text = format!(
            "{SMALL}  lostBroker: {{mode: act, maxBytes: 2TB}}\n  leavingBroker: {{mode: propose, nodes: true}}\n  \
             imbalance: {{mode: propose, goals: [storage, leaders], band: 20%, for: 6h}}\n  \
             fillingDisk: {{mode: propose, within: 3d}}\n  certificates: {{mode: propose, within: 14d}}\n\
             hours: 22:00-06:30\nbytesPerDay: 1TB\n"
        );
        let policy = parse(&text).unwrap();
        assert_eq!(policy.throttle, Rate(20_000_000));
        assert_eq!(policy.hours.unwrap().to_string(), "22:00-06:30 UTC");
        let lost = policy.triggers[&Trigger::LostBroker];
        assert_eq!((lost.for_seconds, lost.rest_seconds), (HALF_AN_HOUR, DAY_SECONDS));
        assert_eq!(lost.max_bytes, Some(Bytes(2_000_000_000_000)));
        assert_eq!(policy.triggers[&Trigger::LeavingBroker].for_seconds, 0);
        assert!(policy.nodes_leave);
        assert_eq!(policy.triggers[&Trigger::Imbalance].rest_seconds, DAY_SECONDS);
        assert_eq!(policy.triggers[&Trigger::Imbalance].for_seconds, 6 * 3600);
        assert_eq!(policy.goals, [BalanceGoal::Storage, BalanceGoal::Leaders]);
        assert_eq!(policy.looks_ahead_days(), Some(3));
        assert_eq!(policy.tells_certificates_seconds(), Some(14 * DAY_SECONDS));
        assert!(!policy.triggers.contains_key(&Trigger::Drift));
    }

    #[test]
    fn what_a_policy_cannot_mean_is_refused_by_name() {
        let why = |lines: &str| parse(&format!("{SMALL}{lines}")).unwrap_err();
        assert!(
            why("  fullDisk: {mode: act, within: 7d}\n")
                .contains("policy full-disk: within belongs to the policy filling-disk")
        );
        assert!(
            why("  drift: {mode: act, band: 10%}\n")
                .contains("policy drift: band belongs to the policy imbalance")
        );
        assert!(
            why("  drift: {mode: act, for: soon}\n")
                .contains("policy drift: for: \"soon\" is no duration")
        );
        assert!(
            why("  imbalance: {mode: act, goals: [network]}\n").contains("write some of storage")
        );
        assert!(
            why("  certificates: {mode: act}\n")
                .contains("policy certificates: no plan renews a certificate")
        );
        assert!(
            why("  certificates: {mode: propose, rest: 1d}\n")
                .contains("rest belongs to policies with a plan")
        );
        assert!(
            why("  drift: {mode: act, nodes: true}\n")
                .contains("nodes belongs to the policy leaving-broker")
        );
        assert!(why("  fire: {mode: act}\n").contains("fire"));
        assert!(why("  drift: {mode: now}\n").contains("now"));
        assert!(why("  drift: {mode: act}\nhours: night\n").contains("write 22:00-06:00"));
    }
}
