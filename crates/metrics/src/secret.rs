//! Keys and tokens: passed on to the server that asks for them, and shown to nobody.

use crate::settings::BadSettings;
use reqwest::header::HeaderValue;
use std::fmt;

/// A key or token. Neither its `Debug` nor any error of this crate shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// From an environment variable or the content of a file; white space around it does not count.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// As the value of a header, which debug output of requests leaves out too.
    pub(crate) fn header(
        &self,
        before: &str,
        flag: &'static str,
    ) -> Result<HeaderValue, BadSettings> {
        let bad = || BadSettings { flag, problem: "not one line of visible characters".to_owned() };
        if self.0.is_empty() {
            return Err(BadSettings { flag, problem: "empty".to_owned() });
        }
        let mut value = HeaderValue::from_str(&format!("{before}{}", self.0)).map_err(|_| bad())?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// `text` without the secret, should a server have repeated it.
    pub(crate) fn cut_from(&self, text: &str) -> String {
        match self.0.is_empty() {
            true => text.to_owned(),
            false => text.replace(&self.0, "[hidden]"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}
