//! The answers of `/api/v1/query`.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// One element of an instant vector.
#[derive(Debug, PartialEq)]
pub(super) struct Series {
    labels: BTreeMap<String, String>,
    /// The time of the query; `None` if no clock can show it.
    pub(super) at: Option<SystemTime>,
    pub(super) value: f64,
}

impl Series {
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

#[derive(Deserialize)]
struct PrometheusAnswer {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Element {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

/// Reads an answer.
///
/// # Errors
/// A sentence: the body is not JSON or not a vector, or Prometheus' own error.
pub(super) fn series(body: &[u8]) -> Result<Vec<Series>, String> {
    let answer: PrometheusAnswer =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let data = match (answer.status.as_str(), answer.data) {
        ("success", Some(data)) => data,
        ("success", None) => return Err("success without data".to_owned()),
        _ if answer.error.is_empty() => return Err("an error without a reason".to_owned()),
        _ => return Err(answer.error),
    };
    if data.kind != "vector" {
        return Err(format!("a {}, where a vector is needed", data.kind));
    }
    let elements: Vec<Element> =
        serde_json::from_value(data.result).map_err(|error| error.to_string())?;
    elements.into_iter().map(Element::series).collect()
}

impl Element {
    fn series(self) -> Result<Series, String> {
        let (at, value) = self.value;
        let value = value.parse().map_err(|_| format!("{value:?} is no number"))?;
        let since = Duration::try_from_secs_f64(at).ok();
        let at = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        Ok(Series { labels: self.metric, at, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_read_with_its_labels() {
        let body = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"instance":"a:1"},"value":[1700000000.5,"1.5e3"]},
            {"metric":{},"value":[1e300,"NaN"]}]}}"#;
        let all = series(body).unwrap();
        assert_eq!((all[0].label("instance"), all[0].value), ("a:1", 1500.0));
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        assert_eq!(all[0].at, Some(at));
        assert!(all[1].value.is_nan() && all[1].at.is_none() && all[1].label("a").is_empty());
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        let cases = [
            (r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#, "parse error"),
            (r#"{"status":"error"}"#, "an error without a reason"),
            (r#"{"status":"success"}"#, "success without data"),
            (
                r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
                "a matrix, where a vector is needed",
            ),
            (
                r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}"#,
                "\"x\" is no number",
            ),
        ];
        for (body, said) in cases {
            assert_eq!(series(body.as_bytes()).unwrap_err(), said);
        }
        assert!(series(b"<html>").is_err());
    }
}
