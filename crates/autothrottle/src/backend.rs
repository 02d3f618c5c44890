//! The keys of metrics systems, with the flags of kafka-kit's autothrottle.

use crate::error::Error;
use console::Environment;
use metrics::{Backend, MetricsError};

/// Keys on the command line. Better in the environment or in files: every user of a machine sees flags.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct KeyArgs {
    /// Set Datadog's API key
    ///
    /// AUTOTHROTTLE_API_KEY or --api-key-file is better: every user of the machine sees flags.
    #[arg(long, value_name = "KEY", hide_default_value = true, value_parser = typed)]
    api_key: Option<Typed>,
    /// Set Datadog's application key
    ///
    /// AUTOTHROTTLE_APP_KEY or --app-key-file is better: every user of the machine sees flags.
    #[arg(long, value_name = "KEY", hide_default_value = true, value_parser = typed)]
    app_key: Option<Typed>,
}

/// Flags whose values are secret and never printed.
pub(crate) const SECRETS: [&str; 2] = ["--api-key", "--app-key"];

/// A key that was typed.
#[derive(Clone)]
struct Typed(String);

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

fn typed(text: &str) -> Result<Typed, std::convert::Infallible> {
    Ok(Typed(text.to_owned()))
}

impl KeyArgs {
    /// The environment with the keys of the flags in it.
    pub(crate) fn over(&self, environment: &Environment) -> Environment {
        let mut environment = environment.clone();
        let keys =
            [("AUTOTHROTTLE_API_KEY", &self.api_key), ("AUTOTHROTTLE_APP_KEY", &self.app_key)];
        for (name, key) in keys {
            if let Some(Typed(key)) = key.as_ref().filter(|Typed(key)| !key.is_empty()) {
                environment.0.insert(name.to_owned(), key.clone());
            }
        }
        environment
    }
}

/// Checks that Datadog accepts the keys. A server that does not answer is no error: it may answer later.
pub(crate) async fn refuse_wrong_keys(backend: &Backend) -> Result<(), Error> {
    match backend.validate().await {
        Ok(()) => Ok(()),
        Err(error @ MetricsError::Refused { status: 401 | 403, .. }) => Err(Error::Keys(error)),
        Err(error) => {
            tracing::warn!(%error, "cannot check the keys");
            Ok(())
        }
    }
}
