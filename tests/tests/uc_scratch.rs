//! Temporary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "temporary")]
#[path = "all/use_cases/mod.rs"]
mod use_cases;
