//! Encryption of what must be stored and read again: session tokens, signing secrets.

use async_trait::async_trait;

use crate::error::PortError;

/// Seals texts so that only we can open them, and only where they belong: what was sealed for one
/// `context` (the item's key) does not open for another.
#[async_trait]
pub trait Sealer: Send + Sync {
    /// The text, encrypted and authenticated; text again, so that an item can hold it.
    async fn seal(&self, text: &str, context: &str) -> Result<String, PortError>;

    /// What was sealed.
    async fn open(&self, sealed: &str, context: &str) -> Result<String, PortError>;
}
