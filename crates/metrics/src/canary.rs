//! What the canary of autothrottle hears: which brokers answer its messages late, and so those of clients.

use crate::base_url::{BaseUrl, base, below};
use crate::error::MetricsError;
use crate::http::{Http, shown};
use crate::http_settings::{BadSettings, HttpSettings};
use mapper::BrokerId;
use serde::Deserialize;
use std::collections::BTreeSet;

const FLAG: &str = "--autothrottle";
/// A thousand brokers take 1 MB.
const MOST: usize = 64 << 20;

/// The canary of an autothrottle with `--canary`.
#[derive(Debug)]
pub struct SlowClients {
    http: Http,
    url: BaseUrl,
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
    /// Prepares to ask the autothrottle whose API is at this URL. Sends nothing.
    ///
    /// # Errors
    /// The text is no URL of HTTP.
    pub fn at(url: &str) -> Result<Self, BadSettings> {
        Ok(Self { http: Http::new(&HttpSettings::default(), Vec::new())?, url: base(url, FLAG)? })
    }

    /// The brokers that answer late now.
    ///
    /// # Errors
    /// The daemon does not answer, does not lead, or has no canary that works.
    pub async fn slow(&self) -> Result<BTreeSet<BrokerId>, MetricsError> {
        let url = below(&self.url, "v1/state");
        let of = shown(&url);
        let body = self.http.get_patiently(url, MOST).await?;
        heard(&body).map_err(|problem| MetricsError::Malformed { url: of, problem })
    }
}

/// The slow brokers, or why it is not known which are slow.
fn heard(body: &[u8]) -> Result<BTreeSet<BrokerId>, String> {
    let state: DaemonState = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !state.leading {
        return Err("another autothrottle leads".to_owned());
    }
    match state.canary {
        Some(CanaryState { problem: None }) => {
            let slow = |it: &HeardBroker| it.canary.as_ref().is_some_and(|canary| canary.slow);
            Ok(state.brokers.into_iter().filter(slow).map(|it| it.id).collect())
        }
        Some(CanaryState { problem: Some(problem) }) => Err(format!("its canary: {problem}")),
        None => Err("it has no canary: start it with --canary".to_owned()),
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
        let works = r#", "canary": {"topic": "__mappr_canary"}"#;
        assert_eq!(state(works).unwrap(), [BrokerId(1)].into());
        let ill = r#", "canary": {"topic": "__mappr_canary", "problem": "it needs Alter"}"#;
        assert!(state(ill).unwrap_err().contains("it needs Alter"));
        assert!(state("").unwrap_err().contains("--canary"));
        assert!(heard(br#"{"leading": false, "brokers": []}"#).unwrap_err().contains("leads"));
        assert!(heard(b"<html>").is_err());
    }
}
