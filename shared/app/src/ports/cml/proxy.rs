//! Calls passed through to a controller as they are.

use std::fmt;

use async_trait::async_trait;

use super::{CmlAccess, CmlError};

/// A method that is passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMethod {
    /// Reads.
    Get,
    /// Makes, or does.
    Post,
    /// Sets, or does.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl ProxyMethod {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// Its name in HTTP.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// A call to pass through. Of the caller's headers there is none but the content type.
#[derive(Clone, Copy)]
pub struct ProxyRequest<'a> {
    /// What to do.
    pub method: ProxyMethod,
    /// Path and query below `/api/v0`, percent-encoded: `/labs?show_all=true`.
    pub path_and_query: &'a str,
    /// The body's content type; CML takes some bodies without one.
    pub content_type: Option<&'a str>,
    /// The body; may be empty.
    pub body: &'a [u8],
}

impl fmt::Debug for ProxyRequest<'_> {
    /// Without the body, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyRequest")
            .field("method", &self.method)
            .field("path_and_query", &self.path_and_query)
            .finish_non_exhaustive()
    }
}

/// What the controller answered, success or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body's content type.
    pub content_type: Option<String>,
    /// The body, at most 4 MiB: as much as a function may answer with.
    pub body: Vec<u8>,
}

/// Calls passed through to a controller, with our token and nothing of the caller's.
#[async_trait]
pub trait CmlProxy: Send + Sync {
    /// Passes a call through. Which paths are allowed is the use case's to judge; that the path
    /// stays below `/api/v0` and means to CML what it means to us is judged here.
    ///
    /// # Errors
    /// When there is no answer, or a redirect (never followed), or one that is too large; every other
    /// answer, an error of CML's too, is returned as it is.
    async fn forward(&self, access: CmlAccess<'_>, request: ProxyRequest<'_>) -> Result<ProxyAnswer, CmlError>;
}
