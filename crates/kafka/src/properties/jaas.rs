//! The value of `sasl.jaas.config`: `org...ScramLoginModule required username="u" password="p";`.
//!
//! In: that text. Out: the login module's simple name and its options. Neither errors nor `Debug` show an option's value.

use crate::secret::Secret;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// One login module and its options.
#[derive(Debug)]
pub(super) struct Jaas {
    /// The class name without its package: `ScramLoginModule`.
    pub(super) module: String,
    /// `username`, `password` and any others.
    pub(super) options: BTreeMap<String, Secret>,
}

const SHAPE: &str = "PACKAGE.LoginModule required username=\"...\" password=\"...\";";

/// Reads the one login module of `text`.
pub(super) fn parse(text: &str) -> Result<Jaas, &'static str> {
    let mut words = Words { chars: text.chars().peekable() };
    let class = words.plain().ok_or(SHAPE)?;
    let module = class.rsplit('.').next().unwrap_or(&class).to_owned();
    let flag = words.plain().ok_or(SHAPE)?;
    if !["required", "requisite", "sufficient", "optional"].contains(&flag.to_lowercase().as_str())
    {
        return Err(SHAPE);
    }
    let mut options = BTreeMap::new();
    loop {
        if words.end() {
            return Ok(Jaas { module, options });
        }
        let key = words.plain().ok_or("it must end in a semicolon")?;
        let value = words.value().ok_or(SHAPE)?;
        options.insert(key, Secret::new(value));
    }
}

/// The tokens of Java's tokenizer: words, `=`, quoted strings and `;`.
struct Words<'a> {
    chars: Peekable<Chars<'a>>,
}

impl Words<'_> {
    fn skip_blanks(&mut self) {
        while self.chars.next_if(|c| c.is_whitespace()).is_some() {}
    }

    /// Whether the closing semicolon comes next, with nothing after it.
    fn end(&mut self) -> bool {
        self.skip_blanks();
        self.chars.next_if_eq(&';').is_some() && {
            self.skip_blanks();
            self.chars.peek().is_none()
        }
    }

    fn plain(&mut self) -> Option<String> {
        self.skip_blanks();
        let mut word = String::new();
        while let Some(c) = self.chars.next_if(|c| !c.is_whitespace() && !"=;\"'".contains(*c)) {
            word.push(c);
        }
        (!word.is_empty()).then_some(word)
    }

    fn value(&mut self) -> Option<String> {
        self.skip_blanks();
        self.chars.next_if_eq(&'=')?;
        self.skip_blanks();
        match self.chars.next_if(|c| matches!(c, '"' | '\'')) {
            Some(quote) => self.quoted(quote),
            None => self.plain(),
        }
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut value = String::new();
        loop {
            match self.chars.next()? {
                c if c == quote => return Some(value),
                '\\' => value.push(match self.chars.next()? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                }),
                c => value.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_quotes_escapes_and_bare_words_are_read() {
        let jaas = parse("a.b.PlainLoginModule required username='u' password=\"p\\\"=;\" x=y ; ")
            .unwrap();
        assert_eq!(jaas.module, "PlainLoginModule");
        let values: Vec<_> = jaas.options.iter().map(|(k, v)| (k.as_str(), v.expose())).collect();
        assert_eq!(values, [("password", "p\"=;"), ("username", "u"), ("x", "y")]);
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for text in [
            "",
            "M",
            "M required",
            "M required username=",
            "M required u=\"p",
            "M required u=p",
            "M u=p;",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
