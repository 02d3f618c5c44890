//! Datadog's answers.

use serde::Deserialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One series of a query.
#[derive(Debug, Deserialize)]
pub(super) struct DatadogSeries {
    /// `host:i-1,service:kafka`
    #[serde(default)]
    scope: String,
    #[serde(default)]
    tag_set: Vec<String>,
    /// Milliseconds since 1970, and a value; `null` if nothing was measured.
    #[serde(default)]
    pointlist: Vec<(Option<f64>, Option<f64>)>,
}

#[derive(Deserialize)]
struct DatadogAnswer {
    #[serde(default)]
    status: String,
    #[serde(default)]
    error: Option<String>,
    series: Option<Vec<DatadogSeries>>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Vec<String>,
}

impl DatadogSeries {
    /// The value of a tag. The value itself may contain colons.
    pub(super) fn tag(&self, name: &str) -> Option<&str> {
        let scope = self.scope.split(',').map(str::trim);
        let all = self.tag_set.iter().map(String::as_str).chain(scope);
        all.filter_map(|tag| tag.split_once(':')).find(|(key, _)| *key == name).map(|(_, v)| v)
    }

    /// The last point with a value.
    pub(super) fn last(&self) -> Option<(SystemTime, f64)> {
        self.pointlist.iter().rev().find_map(|(at, value)| {
            let value = (*value)?;
            let since = Duration::try_from_secs_f64((*at)? / 1e3).ok()?;
            Some((UNIX_EPOCH.checked_add(since)?, value)).filter(|_| value.is_finite())
        })
    }
}

/// Reads the answer of `/api/v1/query`.
///
/// # Errors
/// A sentence: the body is not JSON, or Datadog's own error.
pub(super) fn series(body: &[u8]) -> Result<Vec<DatadogSeries>, String> {
    let answer: DatadogAnswer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match (answer.error.filter(|error| !error.is_empty()), answer.series) {
        (Some(error), _) => Err(error),
        (None, _) if answer.status == "error" => Err("an error without a reason".to_owned()),
        (None, Some(series)) => Ok(series),
        (None, None) => Err("no series".to_owned()),
    }
}

/// Reads the answer of `/api/v1/tags/hosts/HOST`.
///
/// # Errors
/// A sentence: the body is not JSON in the expected form.
pub(super) fn tags(body: &[u8]) -> Result<Vec<String>, String> {
    let Tags { tags } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_point_with_a_value_counts() {
        let body = br#"{"status":"ok","series":[
            {"scope":"host:i-1,service:kafka","pointlist":[[1000,5.0],[2000,7.5],[3000,null]]},
            {"scope":"host:i-2","tag_set":["host:a:b"],"pointlist":[[1000,null]]},
            {"scope":"host:i-3"}]}"#;
        let all = series(body).unwrap();
        assert_eq!(all[0].last(), Some((UNIX_EPOCH + Duration::from_secs(2), 7.5)));
        assert_eq!((all[0].tag("host"), all[0].tag("service")), (Some("i-1"), Some("kafka")));
        assert_eq!((all[1].tag("host"), all[1].last()), (Some("a:b"), None));
        assert_eq!(all[2].last(), None);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let cases = [
            (&b"{\"status\":\"error\",\"error\":\"Rate limit\",\"series\":[]}"[..], "Rate limit"),
            (b"{\"status\":\"error\",\"series\":[]}", "an error without a reason"),
            (b"{\"status\":\"ok\"}", "no series"),
        ];
        for (body, said) in cases {
            assert_eq!(series(body).unwrap_err(), said);
        }
        assert!(series(b"<html>").is_err() && tags(b"{\"tags\":{}}").is_err());
    }
}
