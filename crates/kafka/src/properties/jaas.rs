//! The value of `sasl.jaas.config`: `org...ScramLoginModule required username="u" password="p";`.
//!
//! In: that text. Out: the login module's simple name and its options. Neither errors nor `Debug` show an option's value.

use crate::secret::Secret;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// One login module and its options.
#[derive(Debug)]
pub(crate) struct Jaas {
    /// The class name without its package: `ScramLoginModule`.
    pub(crate) module: String,
    /// `username`, `password` and any others.
    pub(crate) options: BTreeMap<String, Secret>,
}

const SHAPE: &str = "PACKAGE.LoginModule required username=\"...\" password=\"...\";";

/// Reads the one login module of `text`.
pub(crate) fn parse(text: &str) -> Result<Jaas, &'static str> {
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

/// Reads the one login module in this section of a JAAS file: `NAME { MODULE required ...; };`.
pub(crate) fn section(text: &str, name: &str) -> Result<Jaas, &'static str> {
    let text = without_comments(text);
    let mut rest = text.as_str();
    while let Some((title, after)) = rest.split_once('{') {
        let end = outside_quotes(after).find(|(_, c)| *c == '}');
        let (end, _) = end.ok_or("a section has no closing brace")?;
        if title.trim_matches(|c: char| c == ';' || c.is_whitespace()) == name {
            return parse(after[..end].trim());
        }
        rest = &after[end + 1..];
    }
    Err("it has no section of the name in zookeeper.sasl.clientconfig (Client, if that is not set)")
}

/// The characters that are not in a quoted string, with their places. Quotes themselves are left out.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quote, mut escaped) = (None, false);
    text.char_indices().filter(move |(_, c)| match quote {
        Some(open) => {
            if *c == open && !escaped {
                quote = None;
            }
            escaped = *c == '\\' && !escaped;
            false
        }
        None if matches!(c, '"' | '\'') => {
            quote = Some(*c);
            false
        }
        None => true,
    })
}

/// Java's comments are blanks: from `//` or `#` to the end of a line, and between `/*` and `*/`.
fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    let begin = |text: &str| {
        let found = outside_quotes(text)
            .find(|(at, c)| *c == '#' || (*c == '/' && text[at + 1..].starts_with(['/', '*'])));
        found.map(|(at, _)| at)
    };
    while let Some(at) = begin(rest) {
        kept.push_str(&rest[..at]);
        kept.push(' ');
        let comment = &rest[at..];
        let (end, length) = if comment.starts_with("/*") { ("*/", 2) } else { ("\n", 0) };
        rest = comment.find(end).map_or("", |end| &comment[end + length..]);
    }
    kept + rest
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
    fn sections_of_a_file_are_found_past_comments_and_quotes() {
        let text = "// Client { wrong\n# Client {\nOther {\n M required password=\"}; // Client {\"; };\n\
                    /* Client { */Client{ a.D required u=\"x/*y\" ; };";
        let jaas = section(text, "Client").unwrap();
        assert_eq!((jaas.module.as_str(), jaas.options["u"].expose()), ("D", "x/*y"));
        assert_eq!(section(text, "Other").unwrap().options["password"].expose(), "}; // Client {");
        assert!(section(text, "Server").is_err() && section("Client {", "Client").is_err());
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
