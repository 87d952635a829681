//! AES-256-GCM: what a key seals for a context opens with the same key for the same context only.

use app::ports::PortError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// The text, sealed: a random nonce, then the ciphertext with its tag.
///
/// # Errors
/// The key has another length, or the machine has no random numbers.
pub fn seal(key: &[u8], text: &str, context: &str) -> Result<Vec<u8>, PortError> {
    let failed = |_| PortError::new("sealer.seal", "cannot be encrypted");
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(failed)?;
    let mut sealed = text.as_bytes().to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(context), &mut sealed).map_err(failed)?;
    sealed.splice(0..0, nonce.as_ref().iter().copied());
    Ok(sealed)
}

/// What was sealed.
///
/// # Errors
/// It was sealed with another key or for another context, or was changed since.
pub fn open(key: &[u8], sealed: &[u8], context: &str) -> Result<String, PortError> {
    let failed = || PortError::new("sealer.open", "was not sealed here with this key, or not for this item");
    let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| failed())?;
    let mut rest = rest.to_vec();
    let text = key.open_in_place(nonce, Aad::from(context), &mut rest).map_err(|_| failed())?;
    String::from_utf8(text.to_vec()).map_err(|_| failed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];

    proptest! {
        #[test]
        fn what_is_sealed_opens_for_its_context_with_its_key_and_unchanged_only(text in ".{0,80}", at: prop::sample::Index) {
            let sealed = seal(&KEY, &text, "SESSION#1").unwrap();
            prop_assert_eq!(open(&KEY, &sealed, "SESSION#1").unwrap(), text);
            prop_assert!(open(&KEY, &sealed, "SESSION#2").is_err());
            prop_assert!(open(&[8; KEY_BYTES], &sealed, "SESSION#1").is_err());
            let mut changed = sealed.clone();
            changed[at.index(sealed.len())] ^= 1;
            prop_assert!(open(&KEY, &changed, "SESSION#1").is_err());
            prop_assert!(open(&KEY, &sealed[..at.index(sealed.len())], "SESSION#1").is_err());
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        assert_ne!(seal(&KEY, "text", "c").unwrap(), seal(&KEY, "text", "c").unwrap());
        assert!(seal(&KEY[..16], "text", "c").is_err());
    }
}
