//! Keys and tokens: sent to the server that requires them, and never shown.

use crate::http_settings::BadSettings;
use reqwest::header::{HeaderName, HeaderValue};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How many earlier values are still removed from servers' messages, because an answer may come after the next change.
const REMEMBERED: usize = 4;

/// A key or token. Neither its `Debug` nor any error of this crate contains it.
#[derive(Clone)]
pub struct HeaderSecret {
    now: Arc<dyn Fn() -> String + Send + Sync>,
    sent: Arc<Mutex<Vec<String>>>,
}

impl HeaderSecret {
    /// From an environment variable or a file. Surrounding whitespace is removed.
    pub fn new(text: &str) -> Self {
        let text = text.trim().to_owned();
        Self::asked_for(move || text.clone())
    }

    /// A secret that changes at times. It is read before each request.
    pub fn asked_for(now: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), sent: Arc::default() }
    }

    /// Checks that it can be sent in a header.
    ///
    /// # Errors
    /// If it is empty, or not one line of visible characters.
    pub fn check(&self, flag: &'static str) -> Result<(), BadSettings> {
        self.header("", flag).map(drop)
    }

    /// The value of a header, hidden in the debug output of requests.
    fn header(&self, before: &str, flag: &'static str) -> Result<HeaderValue, BadSettings> {
        let bad = || BadSettings { flag, problem: "not one line of visible characters".to_owned() };
        let text = (self.now)();
        let text = text.trim();
        if text.is_empty() {
            return Err(BadSettings { flag, problem: "empty".to_owned() });
        }
        let mut value = HeaderValue::from_str(&format!("{before}{text}")).map_err(|_| bad())?;
        value.set_sensitive(true);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if !sent.iter().any(|one| one == text) {
            sent.push(text.to_owned());
            let forgotten = sent.len().saturating_sub(REMEMBERED);
            sent.drain(..forgotten);
        }
        Ok(value)
    }

    /// `text` without the secret, in case a server repeats it.
    pub(crate) fn cut_from(&self, text: &str) -> String {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().fold(text.to_owned(), |text, one| text.replace(one, "[hidden]"))
    }
}

/// A header that sends a secret to a server.
#[derive(Debug)]
pub(crate) struct Shows {
    pub(crate) name: HeaderName,
    /// The text before the secret.
    pub(crate) before: &'static str,
    /// Its name in errors.
    pub(crate) flag: &'static str,
    pub(crate) secret: HeaderSecret,
}

impl Shows {
    /// The header's current value.
    pub(crate) fn value(&self) -> Result<HeaderValue, BadSettings> {
        self.secret.header(self.before, self.flag)
    }
}

impl fmt::Debug for HeaderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}
