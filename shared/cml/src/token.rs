//! A controller's token, and where it is kept from one reading to the next.

use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;

/// A token, and what it says of itself. Never printed: it has no `Debug`.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) usable_until: Option<Timestamp>,
    pub(crate) user_id: Option<String>,
    /// Whose it is, so that changed credentials do not go on with the old user's token.
    pub(crate) credentials: String,
}

/// The token of one controller, kept from one reading to the next.
#[derive(Default)]
pub(crate) struct TokenSlot(Mutex<Option<Arc<Token>>>);

impl TokenSlot {
    pub(crate) fn usable(&self, credentials: &str, now: Timestamp) -> Option<Arc<Token>> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone()
            .filter(|token| token.credentials == credentials && token.usable_until.is_some_and(|until| now < until))
    }

    pub(crate) fn set(&self, token: Option<Arc<Token>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}
