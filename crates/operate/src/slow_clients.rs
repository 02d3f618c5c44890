//! Which brokers answer clients late, as the canary of autothrottle hears it.

use crate::daemons::{Daemons, Untaken};
use crate::error::Error;
use mapper::BrokerId;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// The canary of the daemon that leads.
pub struct SlowClients(Daemons);

impl std::fmt::Debug for SlowClients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SlowClients").field(&self.0.shown()).finish()
    }
}

/// The part of `/v1/state` that tells of it.
#[derive(Deserialize)]
struct DaemonState {
    leading: bool,
    canary: Option<CanaryState>,
    brokers: Vec<HeardBroker>,
}

#[derive(Deserialize)]
struct CanaryState {
    problem: Option<String>,
}

#[derive(Deserialize)]
struct HeardBroker {
    id: BrokerId,
    canary: Option<HeardOf>,
}

#[derive(Deserialize)]
struct HeardOf {
    slow: bool,
}

impl SlowClients {
    /// Prepares to ask the daemons whose API is at the URL of `--canary`. Sends nothing.
    ///
    /// # Errors
    /// The URL or the file of `--canary-ca` is not valid.
    pub fn at(url: &str, ca: Option<&Path>) -> Result<Self, Error> {
        Ok(Self(Daemons::at(("--canary", "--canary-ca"), url, "v1/state", None, ca)?))
    }

    /// The brokers that answer late now, or why they are not known.
    ///
    /// # Errors
    /// No daemon answers, none leads, or the one that does has no canary that works.
    pub async fn slow(&mut self) -> Result<BTreeSet<BrokerId>, String> {
        self.0.get(&|answer| heard(&answer)).await
    }
}

fn heard(answer: &[u8]) -> Result<BTreeSet<BrokerId>, Untaken> {
    let refused = |problem: String| Untaken::Refused(problem);
    let state: DaemonState =
        serde_json::from_slice(answer).map_err(|error| refused(error.to_string()))?;
    if !state.leading {
        return Err(Untaken::Waits("no autothrottle leads there".to_owned()));
    }
    match state.canary {
        Some(CanaryState { problem: None }) => {
            let slow = |it: &HeardBroker| it.canary.as_ref().is_some_and(|canary| canary.slow);
            Ok(state.brokers.into_iter().filter(slow).map(|it| it.id).collect())
        }
        Some(CanaryState { problem: Some(problem) }) => {
            Err(refused(format!("its canary: {problem}")))
        }
        None => Err(refused("it has no canary: start it with --canary".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_canary_that_works_tells_that_nothing_is_slow() {
        let state = |canary: &str| {
            let brokers = r#"[{"id": 1, "canary": {"slow": true}}, {"id": 2, "canary": {"slow": false}}, {"id": 3}]"#;
            heard(format!(r#"{{"leading": true, "brokers": {brokers}{canary}}}"#).as_bytes())
        };
        let refused = |canary: &str, words: &str| match state(canary) {
            Err(Untaken::Refused(problem)) => assert!(problem.contains(words), "{problem}"),
            other => panic!("{other:?}"),
        };
        let works = r#", "canary": {"topic": "__mappr_canary"}"#;
        assert_eq!(state(works).unwrap(), [BrokerId(1)].into());
        let ill = r#", "canary": {"topic": "__mappr_canary", "problem": "it needs Alter"}"#;
        refused(ill, "it needs Alter");
        refused("", "--canary");
        assert!(matches!(heard(br#"{"leading": false, "brokers": []}"#), Err(Untaken::Waits(_))));
        assert!(heard(b"<html>").is_err());
    }
}
