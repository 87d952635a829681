//! Sealing with a key in KMS: each text has a data key of its own, which only KMS can decrypt.
//!
//! What machines sign with is opened for each request of theirs, also for those that are not genuine; its
//! data keys are remembered for some minutes, so that nobody can use KMS's quota up with a key's id.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use app::ports::{Clock, PortError, SealOnce, Sealed, Sealer};
use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{SignedDuration, Timestamp};

use crate::envelope;
use crate::error::port_error;

/// The pair of KMS's encryption context that names the item, beside [`KIND`]. CloudTrail shows both.
const ITEM: &str = "ccm:item";
/// The pair that the permissions of our functions ask for: the kind of item, as its key begins.
const KIND: &str = "ccm:kind";
/// How long the data key of a signing secret is remembered.
const KEPT_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Data keys remembered at once.
const KEPT_MOST: usize = 64;
/// Begins what is sealed in this way.
const FORM: &str = "kms1";

/// Seals with data keys of one KMS key.
pub struct KmsSealer {
    client: Client,
    key_id: String,
    clock: Arc<dyn Clock>,
    kept: Mutex<VecDeque<Kept>>,
}

/// A data key that was decrypted lately.
struct Kept {
    encrypted: Vec<u8>,
    context: String,
    key: Vec<u8>,
    until: Timestamp,
}

impl fmt::Debug for KmsSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsSealer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl KmsSealer {
    /// A sealer with that key. `clock` is machine time.
    #[must_use]
    pub fn new(client: Client, key_id: String, clock: Arc<dyn Clock>) -> Self {
        Self { client, key_id, clock, kept: Mutex::default() }
    }

    fn kept(&self, encrypted: &[u8], context: &str) -> Option<Vec<u8>> {
        let now = self.clock.now();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |kept: &&Kept| kept.encrypted == encrypted && kept.context == context && now < kept.until;
        kept.iter().find(fits).map(|kept| kept.key.clone())
    }

    fn keep(&self, encrypted: Vec<u8>, context: &str, key: &[u8]) {
        if kind(context) != Sealed::SigningSecret.kind() {
            return;
        }
        let until = self.clock.now() + KEPT_FOR;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Kept { encrypted, context: context.to_owned(), key: key.to_vec(), until });
        if kept.len() > KEPT_MOST {
            kept.pop_front();
        }
    }

    async fn data_key(&self, encrypted: Vec<u8>, context: &str) -> Result<Vec<u8>, PortError> {
        const OPERATION: &str = "kms.Decrypt";
        if let Some(key) = self.kept(&encrypted, context) {
            return Ok(key);
        }
        let call = self.client.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(encrypted.clone()));
        let call = call.encryption_context(KIND, kind(context)).encryption_context(ITEM, context);
        let answer = call.send().await.map_err(|error| port_error(OPERATION, error))?;
        let key = answer.plaintext().ok_or_else(|| PortError::new(OPERATION, "gave no key"))?.as_ref();
        self.keep(encrypted, context, key);
        Ok(key.to_vec())
    }
}

#[async_trait]
impl Sealer for KmsSealer {
    async fn sealing(&self, context: &str) -> Result<SealOnce, PortError> {
        const OPERATION: &str = "kms.GenerateDataKey";
        let call = self.client.generate_data_key().key_id(&self.key_id).key_spec(DataKeySpec::Aes256);
        let call = call.encryption_context(KIND, kind(context)).encryption_context(ITEM, context);
        let answer = call.send().await.map_err(|error| port_error(OPERATION, error))?;
        let (Some(key), Some(encrypted)) = (answer.plaintext, answer.ciphertext_blob) else {
            return Err(PortError::new(OPERATION, "gave no key"));
        };
        let context = context.to_owned();
        Ok(Box::new(move |text| {
            let sealed = envelope::seal(key.as_ref(), text, &context)?;
            Ok(format!("{FORM}.{}.{}", URL_SAFE_NO_PAD.encode(encrypted), URL_SAFE_NO_PAD.encode(sealed)))
        }))
    }

    async fn open(&self, sealed: &str, context: &str) -> Result<String, PortError> {
        let (encrypted, sealed) = parts(sealed).ok_or_else(|| PortError::new("kms.Decrypt", "not sealed by KMS"))?;
        envelope::open(&self.data_key(encrypted, context).await?, &sealed, context)
    }
}

/// The kind of item that a context names.
fn kind(context: &str) -> &str {
    context.split('#').next().unwrap_or_default()
}

/// The encrypted data key, and what it seals.
fn parts(sealed: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (key, text) = sealed.strip_prefix(FORM)?.strip_prefix('.')?.split_once('.')?;
    Some((URL_SAFE_NO_PAD.decode(key).ok()?, URL_SAFE_NO_PAD.decode(text).ok()?))
}

#[cfg(test)]
mod tests;
