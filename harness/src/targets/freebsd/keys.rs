// SPDX-License-Identifier: BSD-2-Clause
//! The keys of one guest: made when it boots, and brought to it on its seed disk.
//!
//! A guest that is booted for a run has the keys of that run: they are in this process and in the machine's run
//! directory, and go with both. A saved guest keeps the keys that it was saved with, because its sshd has read them; they
//! lie beside the state, in a directory that its owner alone can use.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nlproof_image::{GuestKeys, ImageError, SeedCard};

use crate::guest::{HostKey, SshError, SshKey};
use crate::targets::OpenError;

/// Name of the file with the private key, beside a machine's sockets.
const CLIENT_KEY: &str = "ssh_client_key";

/// The keys that a host needs to talk to a guest.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    /// The private key that may log in as root.
    client: String,
    /// The guest's own public key: `ssh-ed25519 BASE64 COMMENT`.
    host: String,
}

/// Never shows the private key.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Keys {
    /// Fresh keys, and the bytes of the seed disk that brings them to the guest.
    pub(super) fn fresh(card: SeedCard) -> Result<(Self, Vec<u8>), OpenError> {
        let failed = |error: ImageError| OpenError::Build(error.into());
        let keys = GuestKeys::generate().map_err(failed)?;
        let client = keys.client_private().map_err(failed)?;
        let host = keys.host_public().map_err(failed)?;
        Ok((Self { client, host }, keys.seed_disk(card).map_err(failed)?))
    }

    /// The key to log in with.
    pub(super) fn client(&self) -> SshKey {
        SshKey::Memory(self.client.clone())
    }

    /// The guest's key, to be compared.
    pub(super) fn host(&self) -> Result<HostKey, SshError> {
        HostKey::parse(&self.host)
    }

    /// The guest's key, as in a `.pub` file.
    pub(super) fn host_line(&self) -> &str {
        &self.host
    }

    /// Writes the private key for ssh(1) into this directory, which goes with the machine.
    pub(super) fn client_file(&self, directory: &Path) -> io::Result<PathBuf> {
        let path = directory.join(CLIENT_KEY);
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        opened.and_then(|mut file| file.write_all(self.client.as_bytes())).map(|()| path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_guest_has_keys_of_its_own_which_are_not_shown() {
        let ((one, seed), (other, _)) =
            (Keys::fresh(SeedCard::Virtio).unwrap(), Keys::fresh(SeedCard::Virtio).unwrap());
        assert_ne!((&one.client, &one.host), (&other.client, &other.host));
        assert!(one.host().is_ok() && one.client.contains("PRIVATE KEY"));
        assert!(!format!("{one:?}").contains("PRIVATE"));
        assert!(seed.windows(11).any(|bytes| bytes == b"PRIVATE KEY"), "the guest's own is on its seed disk");
        assert!(!seed.windows(64).any(|bytes| one.client.as_bytes().windows(64).nth(80) == Some(bytes)));
    }

    #[test]
    fn ssh_gets_the_key_in_a_file_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (keys, _) = Keys::fresh(SeedCard::Virtio).unwrap();
        let path = keys.client_file(directory.path()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            std::fs::read_to_string(keys.client_file(directory.path()).unwrap()).unwrap(),
            keys.client
        );
    }
}
