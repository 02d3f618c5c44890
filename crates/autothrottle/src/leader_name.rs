//! Who leads, as far as a place has heard: told to the API, also while the place is waited for.

use std::sync::{Arc, Mutex, PoisonError};

/// A name, shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeaderName(Arc<Mutex<Option<String>>>);

impl LeaderName {
    /// This one leads now.
    pub(crate) fn is(&self, name: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    /// Forgets the leader: it is not known now.
    pub(crate) fn is_unknown(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Its name, where it is known.
    pub(crate) fn name(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
