//! Values that nobody can guess, and what is kept of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::ports::Random;

/// 256 random bits as text for URLs, cookies and headers: 43 characters.
#[must_use]
pub fn new_secret(random: &dyn Random) -> String {
    let bytes: Vec<u8> = [random.next(), random.next()].iter().flat_map(|part| part.to_be_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// SHA-256 of a secret, hexadecimal: what the table knows of it. A secret of 256 random bits needs no salt.
#[must_use]
pub fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a PKCE verifier, as S256 has it (RFC 7636, 4.2).
#[must_use]
pub fn pkce_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        // Source: RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(pkce_challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_secret_is_all_of_its_random_bits() {
        let random = crate::testing::CountingRandom::default();
        let (one, other) = (new_secret(&random), new_secret(&random));
        assert_eq!((one.len(), other.len()), (43, 43));
        assert_ne!(one, other);
    }
}
