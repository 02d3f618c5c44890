//! Hides what only a server may read in text that holds URLs: users, passwords, and keys in a query.
//!
//! A mistyped URL is no URL. So these rules look for the signs of a login and not for URLs: they hide too much rather than
//! too little.

/// What a person reads in place of a secret.
const HIDDEN: &str = "[hidden]";
/// Parts of the names that a query gives to secrets, as in `?api_key=...` and `&access_token=...`.
const SECRET_NAMES: [&str; 7] = ["key", "token", "secret", "pass", "auth", "cred", "sig"];

/// A sentence as it may be shown, without the secrets of the URLs in it.
///
/// A quote or a line end ends a URL: what follows them is another one's text. [`value_without_login`] has no such limit.
pub fn without_login(text: &str) -> String {
    let piece =
        |piece| hide(piece, |rest| rest.split_inclusive(char::is_whitespace).map(word).collect());
    text.split_inclusive(['\'', '"', '\n']).map(piece).collect()
}

/// The value of a flag as it may be shown. All of it is one URL, or one list of them, whatever characters it holds.
///
/// Without an `@` it may still hold a login: what stands where a server's name should be is shown only if it can be one.
pub fn value_without_login(value: &str) -> String {
    if value.contains('@') {
        return hide(value, word);
    }
    let mut servers = value.match_indices("//").map(|(at, slashes)| at + slashes.len());
    match servers.find(|from| !is_server(&value[*from..])) {
        Some(from) => format!("{}{HIDDEN}", &value[..from]),
        None => without_query(value),
    }
}

/// Hides all between `://` and the last `@`: a password may hold any character. `rest` hides logins without a scheme.
fn hide(text: &str, rest: impl Fn(&str) -> String) -> String {
    let at = text.rfind('@').unwrap_or_default();
    match text[..at].find("://") {
        Some(scheme) => {
            format!("{}://{HIDDEN}{}", rest(&text[..scheme]), without_query(&text[at..]))
        }
        None => without_query(&rest(text)),
    }
}

/// `u:p@h` and `//p@h`, with or without a flag before them; `a@b` is a name.
fn word(word: &str) -> String {
    let at = word.rfind('@').unwrap_or_default();
    let (before, after) = word.split_at(at);
    let flag = before.split_once('=').filter(|(flag, _)| flag.starts_with("--"));
    let (flag, login) = flag.map_or(("", before), |(flag, _)| before.split_at(flag.len() + 1));
    match login.contains(':') || login.contains("//") {
        true => format!("{flag}{HIDDEN}{after}"),
        false => word.to_owned(),
    }
}

/// Whether what follows `//` begins with a server's name, or a template of one, and a port.
fn is_server(rest: &str) -> bool {
    let server = rest.split(['/', '?', '#', ',']).next().unwrap_or_default();
    let (name, port) = match server.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (server, ""),
    };
    let template = port.starts_with('{') && port.ends_with('}');
    let bracketed = name.starts_with('[') && name.ends_with(']');
    let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '{' | '}' | '*');
    (template || port.chars().all(|c| c.is_ascii_digit())) && (bracketed || name.chars().all(named))
}

/// Hides the values of a query that are named like secrets.
fn without_query(text: &str) -> String {
    let part = |part: &str| {
        let ends = ['#', ',', ' ', '\'', '"', '\n'];
        let (name, value) = part.split_once('=')?;
        let lower = name.to_lowercase();
        let secret = !name.contains(' ') && SECRET_NAMES.iter().any(|part| lower.contains(part));
        let end = value.find(ends).unwrap_or(value.len());
        secret.then(|| format!("{name}={HIDDEN}{}", &value[end..]))
    };
    let (path, query) = text.split_at(text.find('?').unwrap_or(text.len()));
    let parts = query.split_inclusive(['?', '&']);
    let shown = parts.map(|whole| {
        let (text, end) = match whole.strip_suffix('&') {
            Some(text) => (text, "&"),
            None => (whole, ""),
        };
        part(text).unwrap_or_else(|| text.to_owned()) + end
    });
    path.to_owned() + &shown.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_a_sentence_is_not_shown() {
        for (text, shown) in [
            ("http://u:p@h:1/x", "http://[hidden]@h:1/x"),
            ("--prometheus-url=http://u:p@ss/w@h", "--prometheus-url=http://[hidden]@h"),
            ("a http://h:1/x b@c", "a http://[hidden]@c"),
            ("http://u:p@{host}:1,https://v:q@h", "http://[hidden]@h"),
            ("'http://u:p@' for x", "'http://[hidden]@' for x"),
            ("http://u:p://x@h", "http://[hidden]@h"),
            ("u:p@h http://v:q@h", "[hidden]@h http://[hidden]@h"),
            ("value 'http*//u:p@h' for b@c", "value '[hidden]@h' for b@c"),
            ("http:/u:p@h is none, nor is //p@h", "[hidden]@h is none, nor is [hidden]@h"),
            ("http://h:1", "http://h:1"),
            ("a@b", "a@b"),
        ] {
            assert_eq!(without_login(text), shown);
        }
    }

    #[test]
    fn all_of_a_value_may_be_a_login() {
        for (value, shown) in [
            ("http*//u:p@h", "[hidden]@h"),
            ("--prometheus-url=http*//u:a=b@h", "--prometheus-url=[hidden]@h"),
            ("http*//u:p' q\"@h", "[hidden]@h"),
            ("http://u:p'q@h", "http://[hidden]@h"),
            ("http://u:secrethost:1/", "http://[hidden]"),
            ("1001=http://h:1/,http://u:secret", "1001=http://h:1/,http://[hidden]"),
            ("http://u%:1/", "http://[hidden]"),
            ("1001=http://{host}:{port}/metrics", "1001=http://{host}:{port}/metrics"),
            ("https://[fe80::1]:80/x", "https://[fe80::1]:80/x"),
            ("https://[fe80::1]", "https://[fe80::1]"),
            ("kafka-1:9092,kafka-2:9092", "kafka-1:9092,kafka-2:9092"),
            ("a@b", "a@b"),
        ] {
            assert_eq!(value_without_login(value), shown);
        }
    }

    #[test]
    fn a_key_in_a_query_is_not_shown() {
        for (text, shown) in [
            ("http://h/m?api_key=k&match=up", "http://h/m?api_key=[hidden]&match=up"),
            (
                "http://u:p@h/m?x=1&access_token=t#top",
                "http://[hidden]@h/m?x=1&access_token=[hidden]#top",
            ),
            ("http://h/m?target={host}", "http://h/m?target={host}"),
        ] {
            assert_eq!(
                (without_login(text), value_without_login(text)),
                (shown.into(), shown.into())
            );
        }
        assert_eq!(
            without_login("'http://h/?token=t' for --x"),
            "'http://h/?token=[hidden]' for --x"
        );
        assert_eq!(without_login("really? key = value"), "really? key = value");
    }
}
