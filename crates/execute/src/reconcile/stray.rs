//! Configs that are left alone and reported.

use crate::config::Setting;
use serde::Serialize;

/// A config that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "stray", rename_all = "snake_case")]
pub enum Stray {
    /// It was set while moves ran that no ledger lists: its owner is unknown.
    UnknownOwner {
        /// The config.
        #[serde(flatten)]
        setting: Setting,
        /// Its value.
        value: String,
    },
    /// Another process owns it, or may own it: a daemon with its own ledger.
    OfAnother {
        /// The config.
        #[serde(flatten)]
        setting: Setting,
        /// Its value.
        value: String,
    },
    /// Another tool has changed it since we set it.
    ChangedByOthers {
        /// The config.
        #[serde(flatten)]
        setting: Setting,
        /// Its value now; absent: nothing is set.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// It is ours, but cannot be read: its broker does not answer, or its topic is hidden from us. It is restored once
    /// it can be read.
    Unreachable {
        /// The config.
        #[serde(flatten)]
        setting: Setting,
    },
}
