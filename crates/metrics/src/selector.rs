//! Selects the samples on a page that form a number: `rate(NAME{label="value",other!~"regex"}) * 0.001`.

use crate::exposition::{self, Sample};
use regex::Regex;
use std::str::FromStr;

/// Samples of one name with matching labels. Their sum is the number.
///
/// Names are compared without case, because exporters differ in it. `rate(...)` is for counters, and gives their growth
/// per second. Labels are compared as in PromQL: an absent label is empty, and a regex must match the whole value.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    name: String,
    labels: Vec<(String, Match)>,
    /// Whether the samples are counters.
    pub(crate) counter: bool,
    /// The sum is multiplied by this.
    pub(crate) factor: f64,
}

#[derive(Debug, Clone)]
enum Match {
    Is(String),
    IsNot(String),
    Fits(Regex),
    FitsNot(Regex),
}

impl Selector {
    pub(crate) fn takes(&self, sample: &Sample<'_>) -> bool {
        sample.name.eq_ignore_ascii_case(&self.name)
            && self.labels.iter().all(|(label, wanted)| {
                let value = sample.label(label);
                match wanted {
                    Match::Is(other) => value == other,
                    Match::IsNot(other) => value != other,
                    Match::Fits(regex) => regex.is_match(value),
                    Match::FitsNot(regex) => !regex.is_match(value),
                }
            })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (samples, factor) = match text.rsplit_once('*') {
            Some((samples, factor)) if !factor.contains(['"', '}', ')']) => {
                (samples, number(factor)?)
            }
            _ => (text, 1.0),
        };
        let samples = samples.trim();
        let inner = samples.strip_prefix("rate(").map(str::trim_end);
        let (inner, counter) = match inner.map(|rest| rest.strip_suffix(')')) {
            Some(Some(inner)) => (inner, true),
            Some(None) => return Err("rate( without its )".to_owned()),
            None => (samples, false),
        };
        let (name, rest) = exposition::name(inner.trim()).map_err(|_| no_name(inner))?;
        let labels = matches(rest.trim())?;
        Ok(Self { name: name.to_owned(), labels, counter, factor })
    }
}

fn no_name(text: &str) -> String {
    format!("{:?} does not begin with the name of a metric", text.trim())
}

fn number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(factor) if factor > 0.0 && factor.is_finite() => Ok(factor),
        _ => Err(format!("{:?} is no factor above 0", text.trim())),
    }
}

/// Parses `{label="value",...}`, or nothing.
fn matches(text: &str) -> Result<Vec<(String, Match)>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.ok_or_else(|| format!("{text:?} is no list of labels in braces"))?.trim();
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, after) = exposition::name(rest).map_err(|_| format!("{rest:?} is no label"))?;
        let (operator, after) = operator(after.trim_start())?;
        let (value, after) =
            exposition::quoted(after.trim_start()).map_err(|wrong| format!("{label}: {wrong}"))?;
        labels.push((label.to_owned(), operator.with(&value)?));
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if rest.is_empty() => rest,
            None => return Err(format!("{rest:?} where a comma is to stand")),
        };
    }
    Ok(labels)
}

enum Operator {
    Is,
    IsNot,
    Fits,
    FitsNot,
}

fn operator(text: &str) -> Result<(Operator, &str), String> {
    let known = [
        ("=~", Operator::Fits),
        ("!~", Operator::FitsNot),
        ("!=", Operator::IsNot),
        ("=", Operator::Is),
    ];
    let found = known.into_iter().find_map(|(sign, of)| Some((of, text.strip_prefix(sign)?)));
    found.ok_or_else(|| format!("{text:?} where =, !=, =~ or !~ is to stand"))
}

impl Operator {
    fn with(self, value: &str) -> Result<Match, String> {
        let regex = || Regex::new(&format!("^(?s:{value})$")).map_err(|error| error.to_string());
        Ok(match self {
            Self::Is => Match::Is(value.to_owned()),
            Self::IsNot => Match::IsNot(value.to_owned()),
            Self::Fits => Match::Fits(regex()?),
            Self::FitsNot => Match::FitsNot(regex()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(selector: &str, line: &str) -> bool {
        let selector: Selector = selector.parse().unwrap();
        selector.takes(&exposition::samples(line).next().unwrap().unwrap())
    }

    #[test]
    fn samples_are_chosen_by_name_and_labels() {
        let line = "Net_Bytes{device=\"eth0\",dir=\"out\"} 1";
        assert!(takes("net_bytes", line));
        assert!(takes("rate(net_bytes{device=\"eth0\", dir!=\"in\", absent=\"\"}) * 1e-9", line));
        assert!(takes("net_bytes{device=~\"eth.|lo\"}", line));
        assert!(!takes("net_bytes{device!~\"eth.|lo\"}", line));
        assert!(takes("net_bytes{device!~\"th|lo\"}", line), "a regex is about the whole value");
        assert!(!takes("net_bytes{topic!=\"\"}", line));
        assert!(!takes("net_bytes_total", line));
    }

    #[test]
    fn counters_and_factors_are_read() {
        let read = |text: &str| text.parse::<Selector>().map(|s| (s.counter, s.factor));
        assert_eq!(read("rate( a{b=\"*\"} ) * 0.5"), Ok((true, 0.5)));
        assert_eq!(read("a{b=\"2 * 3\"}"), Ok((false, 1.0)));
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        let cases = [
            "",
            "rate(a",
            "a{b}",
            "a{b=c}",
            "a{b=\"c\"",
            "a{b=\"c\" d=\"e\"}",
            "a * 0",
            "a{b=~\"(\"}",
            "a b",
        ];
        for text in cases {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
