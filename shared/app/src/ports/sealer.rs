//! Encryption of what must be stored and read again: session tokens, signing secrets.

use async_trait::async_trait;

use super::error::PortError;

/// What is sealed, by the kind of item it is in. Who may open one kind may not open the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sealed {
    /// A browser session's tokens.
    Session,
    /// What a machine signs with.
    SigningSecret,
}

impl Sealed {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Session, Self::SigningSecret];

    /// What the context begins with, before `#`: the kind in the item's key.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Session => "SESSION",
            Self::SigningSecret => "API-KEY",
        }
    }
}

/// Seals one text: nobody else has to be asked any more.
pub type SealOnce = Box<dyn FnOnce(&str) -> Result<String, PortError> + Send>;

/// Seals texts so that only we can open them, and only where they belong: what was sealed for one
/// `context` (the item's key) does not open for another.
#[async_trait]
pub trait Sealer: Send + Sync {
    /// What seals one text for that context, had before the text: for one that must not be lost once it is there.
    async fn sealing(&self, context: &str) -> Result<SealOnce, PortError>;

    /// The text, encrypted and authenticated; text again, so that an item can hold it.
    async fn seal(&self, text: &str, context: &str) -> Result<String, PortError> {
        self.sealing(context).await?(text)
    }

    /// What was sealed.
    async fn open(&self, sealed: &str, context: &str) -> Result<String, PortError>;
}
