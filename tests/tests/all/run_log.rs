//! What a run of the tests logs: kept, so that `make test-all` can search all of it for secrets at its end
//! (`wire/log_search.rs`). Each test that runs the product keeps its log in a file here.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use tracing_subscriber::EnvFilter;

/// Everything that our own crates have to say; of the others what the product logs too.
pub(crate) const FILTER: &str = "info,ccm_=trace,functions=trace,local=trace";

/// Where logs are. `local/tests/end_to_end/process.rs` names the same folder.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("logs")
}

/// Begins a log of that name.
pub(crate) fn begin(name: &str) -> File {
    fs::create_dir_all(folder()).unwrap();
    File::create(folder().join(format!("{name}.log"))).unwrap()
}

/// Notes a secret that no log may show and that looks like nothing.
#[cfg(feature = "wire")]
pub(crate) fn note_secret(name: &str, secret: &str) {
    fs::create_dir_all(folder()).unwrap();
    fs::write(folder().join(format!("{name}.secrets")), secret).unwrap();
}

/// From now on what is logged in this process is kept.
pub(crate) fn record() {
    static RECORDED: LazyLock<()> = LazyLock::new(|| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(FILTER))
            .with_ansi(false)
            .with_writer(Mutex::new(begin("in-process")))
            .init();
    });
    LazyLock::force(&RECORDED);
}
