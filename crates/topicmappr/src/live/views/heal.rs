//! `heal`, in words.

use execute::heal::HealVerdict;
use serde::Serialize;
use std::fmt;

/// What it comes to.
#[derive(Debug, Serialize)]
pub(crate) struct HealView<'a> {
    #[serde(flatten)]
    pub(crate) verdict: &'a HealVerdict,
    pub(crate) dry_run: bool,
}

impl fmt::Display for HealView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry_run && matches!(self.verdict, HealVerdict::Heal { .. }) {
            f.write_str("Would be done: ")?;
        }
        self.verdict.fmt(f)
    }
}
