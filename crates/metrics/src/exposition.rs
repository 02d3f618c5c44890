//! The text format of Prometheus, version 0.0.4, as exporters write it.
//!
//! In: a page. Out: its samples, in order. As for Prometheus, one bad line makes the whole page bad.

use std::borrow::Cow;

/// One number of a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample<'a> {
    pub(crate) name: &'a str,
    /// In the order of the page.
    pub(crate) labels: Vec<(&'a str, Cow<'a, str>)>,
    pub(crate) value: f64,
}

impl Sample<'_> {
    /// The label's value. An absent label counts as empty.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| value)
    }
}

/// The samples of a page. An error ends it, and names the line.
pub(crate) fn samples(page: &str) -> impl Iterator<Item = Result<Sample<'_>, String>> {
    let lines = page.lines().enumerate();
    lines.filter_map(|(index, line)| match line.trim() {
        "" => None,
        line if line.starts_with('#') => None,
        line => Some(sample(line).map_err(|wrong| format!("line {}: {wrong}", index + 1))),
    })
}

fn sample(line: &str) -> Result<Sample<'_>, &'static str> {
    let (name, rest) = name(line)?;
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().ok_or("no value")?;
    let value = value.parse().map_err(|_| "the value is no number")?;
    // Ignores the page's timestamp: ours is the time of the scrape.
    match (words.next().map(str::parse::<f64>), words.next()) {
        (None | Some(Ok(_)), None) => Ok(Sample { name, labels, value }),
        _ => Err("something stands after the value"),
    }
}

/// A metric or label name at the beginning of the text.
pub(crate) fn name(text: &str) -> Result<(&str, &str), &'static str> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    match text.bytes().next() {
        Some(first) if end > 0 && !first.is_ascii_digit() => Ok(text.split_at(end)),
        _ => Err("no name"),
    }
}

type SampleLabels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// The labels from after `{` to the closing `}`.
fn labels(text: &str) -> Result<(SampleLabels<'_>, &str), &'static str> {
    let mut labels = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (label, after) = name(rest)?;
        let after = after.trim_start().strip_prefix('=').ok_or("no = after a label's name")?;
        let (value, after) = quoted(after.trim_start())?;
        labels.push((label, value));
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.starts_with('}') => {}
            None => return Err("labels that do not end"),
        }
    }
}

/// A quoted string, with the format's escapes `\\`, `\"` and `\n`.
pub(crate) fn quoted(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let text = text.strip_prefix('"').ok_or("a value without quotes")?;
    let end = text.find(['"', '\\']).ok_or("a quote that does not end")?;
    if let Some(rest) = text[end..].strip_prefix('"') {
        return Ok((Cow::Borrowed(&text[..end]), rest));
    }
    let mut value = text[..end].to_owned();
    let mut chars = text[end..].chars();
    loop {
        match chars.next().ok_or("a quote that does not end")? {
            '"' => return Ok((Cow::Owned(value), chars.as_str())),
            '\\' => match chars.next().ok_or("a quote that does not end")? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &str) -> Vec<Result<Sample<'_>, String>> {
        samples(page).collect()
    }

    #[test]
    fn samples_are_read_as_the_format_has_them() {
        let page = concat!(
            "# HELP up help text\n# TYPE up gauge\n\n",
            "up 1\n",
            " bytes_total{topic=\"a,b}\", quoted=\"say \\\"hi\\\"\\n\",} 1.5e3 1700000000000\n",
            "p99{} NaN\nbig +Inf\n",
        );
        let all: Vec<Sample<'_>> = samples(page).map(Result::unwrap).collect();
        assert_eq!(all[0], Sample { name: "up", labels: Vec::new(), value: 1.0 });
        assert_eq!((all[1].label("topic"), all[1].label("quoted")), ("a,b}", "say \"hi\"\n"));
        assert_eq!((all[1].label("absent"), all[1].value), ("", 1500.0));
        assert!(all[2].value.is_nan() && all[3].value == f64::INFINITY);
    }

    #[test]
    fn a_bad_line_is_named() {
        let cases = [
            ("up 1\n<html>", "line 2: no name"),
            ("up", "line 1: no value"),
            ("up one", "line 1: the value is no number"),
            ("up 1 2 3", "line 1: something stands after the value"),
            ("up{a} 1", "line 1: no = after a label's name"),
            ("up{a=1} 1", "line 1: a value without quotes"),
            ("up{a=\"1} 1", "line 1: a quote that does not end"),
            ("up{a=\"1\\", "line 1: a quote that does not end"),
            ("up{a=\"1\" b=\"2\"} 1", "line 1: labels that do not end"),
            ("up{a=\"1\",", "line 1: no name"),
            ("1up 1", "line 1: no name"),
        ];
        for (page, said) in cases {
            assert_eq!(read(page).pop(), Some(Err(said.to_owned())), "{page}");
        }
    }
}
