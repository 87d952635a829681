//! What KMS is in AWS: one key in a file of the data directory, which nobody else may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use app::ports::{PortError, SealOnce, Sealer};
use async_trait::async_trait;
use aws::envelope::{self, KEY_BYTES};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Begins what is sealed in this way.
const FORM: &str = "local1.";

/// Seals with the key of the data directory.
pub(crate) struct LocalSealer([u8; KEY_BYTES]);

impl LocalSealer {
    /// The key in that file, or a new one that is kept there from now on.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds no key.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut key = [0; KEY_BYTES];
        match File::open(path) {
            Ok(mut file) => file.read_exact(&mut key)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                rand::fill(&mut key).map_err(|_| io::Error::other("the machine has no random numbers"))?;
                // Under its name only once it is whole: a killed stack leaves no half of a key.
                let new = path.with_extension("new");
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(&new)?;
                file.write_all(&key)?;
                file.sync_all()?;
                std::fs::rename(&new, path)?;
            }
            Err(error) => return Err(error),
        }
        Ok(Self(key))
    }
}

#[async_trait]
impl Sealer for LocalSealer {
    async fn sealing(&self, context: &str) -> Result<SealOnce, PortError> {
        let (key, context) = (self.0, context.to_owned());
        Ok(Box::new(move |text| Ok(format!("{FORM}{}", URL_SAFE_NO_PAD.encode(envelope::seal(&key, text, &context)?)))))
    }

    async fn open(&self, sealed: &str, context: &str) -> Result<String, PortError> {
        let other = || PortError::new("sealer.open", "not sealed by a local stack");
        let sealed = sealed.strip_prefix(FORM).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        envelope::open(&self.0, &sealed.ok_or_else(other)?, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_key_is_kept_for_the_next_start_and_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing-key");
        let sealed = LocalSealer::open(&path).unwrap().seal("text", "item").await.unwrap();
        let again = LocalSealer::open(&path).unwrap();
        assert_eq!(again.open(&sealed, "item").await.unwrap(), "text");
        assert!(again.open(&sealed, "other").await.is_err());
        let other = LocalSealer::open(&folder.path().join("other-key")).unwrap();
        assert!(other.open(&sealed, "item").await.is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "short").unwrap();
        assert!(LocalSealer::open(&path).is_err());
    }
}
