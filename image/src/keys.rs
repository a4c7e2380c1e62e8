// SPDX-License-Identifier: BSD-2-Clause
//! The two ssh key pairs of a run: the guest's own, and the one that may log in.

use std::fmt;

use ssh_key::{Algorithm, LineEnding, PrivateKey, rand_core::OsRng};

use crate::error::ImageError;

/// The ed25519 key pairs of a run. They come to the guest on its seed disk; no image holds them.
#[derive(Clone)]
pub struct GuestKeys {
    host: PrivateKey,
    client: PrivateKey,
}

impl GuestKeys {
    /// Fresh keys.
    ///
    /// # Errors
    /// [`ImageError::Keys`] when the host has no randomness to give.
    pub fn generate() -> Result<Self, ImageError> {
        let pair = |comment: &str| {
            let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)?;
            key.set_comment(comment);
            Ok::<_, ssh_key::Error>(key)
        };
        let keys = || Ok(Self { host: pair("nlproof-guest")?, client: pair("nlproof")? });
        keys().map_err(|error: ssh_key::Error| ImageError::keys(error))
    }

    /// The guest's private key, as `sshd` reads it.
    pub(crate) fn host_private(&self) -> Result<String, ImageError> {
        private(&self.host)
    }

    /// The guest's public key, one line without line end: `ssh-ed25519 <base64> <comment>`.
    ///
    /// # Errors
    /// [`ImageError::Keys`] when it cannot be written down.
    pub fn host_public(&self) -> Result<String, ImageError> {
        public(&self.host)
    }

    /// The private key that may log in, as `ssh` reads it.
    ///
    /// # Errors
    /// [`ImageError::Keys`] when it cannot be written down.
    pub fn client_private(&self) -> Result<String, ImageError> {
        private(&self.client)
    }

    /// The public key that may log in, one line without line end.
    pub(crate) fn client_public(&self) -> Result<String, ImageError> {
        public(&self.client)
    }
}

impl fmt::Debug for GuestKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The private halves have no place in a log.
        let fingerprint = |key: &PrivateKey| key.fingerprint(ssh_key::HashAlg::Sha256).to_string();
        f.debug_struct("GuestKeys")
            .field("host", &fingerprint(&self.host))
            .field("client", &fingerprint(&self.client))
            .finish()
    }
}

fn private(key: &PrivateKey) -> Result<String, ImageError> {
    let text = key.to_openssh(LineEnding::LF).map_err(ImageError::keys)?;
    Ok(text.as_str().to_owned())
}

fn public(key: &PrivateKey) -> Result<String, ImageError> {
    key.public_key().to_openssh().map_err(ImageError::keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_openssh_form_and_belong_together() {
        let keys = GuestKeys::generate().unwrap();
        let private = PrivateKey::from_openssh(keys.client_private().unwrap()).unwrap();
        assert_eq!(private.public_key().to_openssh().unwrap(), keys.client_public().unwrap());
        assert!(keys.host_public().unwrap().starts_with("ssh-ed25519 "));
        assert_ne!(keys.host_public().unwrap(), keys.client_public().unwrap());
        assert!(!format!("{keys:?}").contains("PRIVATE"));
    }
}
