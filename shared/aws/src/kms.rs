//! Sealing with a key in KMS: each text has a data key of its own, which only KMS can decrypt.

use std::fmt;

use app::error::PortError;
use app::ports::Sealer;
use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::envelope;
use crate::error::port_error;

/// The pair of KMS's encryption context that names the item, beside [`PURPOSE`]. CloudTrail shows both.
const ITEM: &str = "ccm:item";
/// The pair that the permissions of our functions ask for.
const PURPOSE: (&str, &str) = ("ccm:purpose", "sealed-item");
/// Begins what is sealed in this way.
const FORM: &str = "kms1";

/// Seals with data keys of one KMS key.
pub struct KmsSealer {
    client: Client,
    key_id: String,
}

impl fmt::Debug for KmsSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsSealer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl KmsSealer {
    /// A sealer with that key.
    #[must_use]
    pub fn new(client: Client, key_id: String) -> Self {
        Self { client, key_id }
    }
}

#[async_trait]
impl Sealer for KmsSealer {
    async fn seal(&self, text: &str, context: &str) -> Result<String, PortError> {
        const OPERATION: &str = "kms.GenerateDataKey";
        let call = self.client.generate_data_key().key_id(&self.key_id).key_spec(DataKeySpec::Aes256);
        let call = call.encryption_context(PURPOSE.0, PURPOSE.1).encryption_context(ITEM, context);
        let answer = call.send().await.map_err(|error| port_error(OPERATION, error))?;
        let (Some(key), Some(encrypted)) = (answer.plaintext(), answer.ciphertext_blob()) else {
            return Err(PortError::new(OPERATION, "gave no key"));
        };
        let sealed = envelope::seal(key.as_ref(), text, context)?;
        Ok(format!("{FORM}.{}.{}", URL_SAFE_NO_PAD.encode(encrypted), URL_SAFE_NO_PAD.encode(sealed)))
    }

    async fn open(&self, sealed: &str, context: &str) -> Result<String, PortError> {
        const OPERATION: &str = "kms.Decrypt";
        let (encrypted, sealed) = parts(sealed).ok_or_else(|| PortError::new(OPERATION, "not sealed by KMS"))?;
        let call = self.client.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(encrypted));
        let call = call.encryption_context(PURPOSE.0, PURPOSE.1).encryption_context(ITEM, context);
        let answer = call.send().await.map_err(|error| port_error(OPERATION, error))?;
        let key = answer.plaintext().ok_or_else(|| PortError::new(OPERATION, "gave no key"))?;
        envelope::open(key.as_ref(), &sealed, context)
    }
}

/// The encrypted data key, and what it seals.
fn parts(sealed: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (key, text) = sealed.strip_prefix(FORM)?.strip_prefix('.')?.split_once('.')?;
    Some((URL_SAFE_NO_PAD.decode(key).ok()?, URL_SAFE_NO_PAD.decode(text).ok()?))
}

#[cfg(test)]
mod tests;
