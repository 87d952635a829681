//! Use cases, and the ports they need. No HTTP and no AWS types: those are adapters around this.

pub mod context;
pub mod error;
pub mod message;
pub mod ports;
pub mod public_url;
pub mod secret;
pub mod settings;
pub mod sign_in;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod topology;
pub mod use_cases;

pub use context::Context;
pub use error::AppError;
pub use public_url::PublicUrl;
pub use settings::Settings;
