//! How to connect to metrics systems, and what is wrong with a setting.

use std::time::Duration;

/// A setting that cannot be used. Contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{flag}: {problem}")]
pub struct BadSettings {
    /// The flag, as written in both programs.
    pub flag: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// How to connect to servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// The deadline for an answer.
    pub timeout: Duration,
    /// Certificates in PEM to trust instead of the system's.
    pub ca: Option<Vec<u8>>,
    /// Whether to use the proxy of the environment (`HTTPS_PROXY`), if there is one.
    pub proxy: bool,
}

impl Default for HttpSettings {
    /// 10 s, Prometheus' own timeout for a page; the system's certificates.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), ca: None, proxy: true }
    }
}
