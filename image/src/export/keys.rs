// SPDX-License-Identifier: BSD-2-Clause
//! The public keys that may log in to an exported image.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use nlproof_base::{Limit, ReadError, read_text};
use ssh_key::PublicKey;

/// Bytes of a file with public keys.
const KEYS: Limit = Limit::bytes(1 << 20);

/// Public keys, each once, sorted: as lines of `authorized_keys`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorizedKeys {
    lines: Vec<String>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read.
    #[error("{} {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// A file holds a private key, which must not go anywhere.
    #[error(
        "{}: holds a private key, and an image is given away\n  help: name the public one, {}",
        path.display(),
        public.display()
    )]
    Private {
        /// The file.
        path: PathBuf,
        /// Where its public half is as a rule.
        public: PathBuf,
    },
    /// A line is no public key.
    #[error("{}:{line}: is no public key: {reason}\n  help: one key a line, as in ~/.ssh/*.pub", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// No key in a file.
    #[error("{}: holds no public key", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The user has no keys.
    #[error(
        "there is no public key in {}, so nobody could log in\n  help: --authorized-key FILE names one, ssh-keygen makes one",
        path.display()
    )]
    None {
        /// Where they were looked for.
        path: PathBuf,
    },
}

impl AuthorizedKeys {
    /// The keys in these files.
    ///
    /// # Errors
    /// The first file that does not consist of public keys.
    pub fn read(paths: &[PathBuf]) -> Result<Self, KeysError> {
        let mut lines = Vec::new();
        for path in paths {
            let text =
                read_text(path, KEYS).map_err(|cause| KeysError::Read { path: path.clone(), cause })?;
            let before = lines.len();
            lines.extend(parse(path, &text)?);
            if lines.len() == before {
                return Err(KeysError::Empty { path: path.clone() });
            }
        }
        lines.sort();
        lines.dedup();
        Ok(Self { lines })
    }

    /// The keys `*.pub` of a user with this home.
    ///
    /// # Errors
    /// There are none, or one of them is no public key.
    pub fn of_user(home: &Path) -> Result<Self, KeysError> {
        let path = home.join(".ssh");
        let none = || KeysError::None { path: path.clone() };
        let entries: io::Result<Vec<_>> = std::fs::read_dir(&path).and_then(Iterator::collect);
        let files = entries.map_err(|_| none())?.into_iter().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|extension| extension == "pub")).collect();
        files.sort();
        if files.is_empty() { Err(none()) } else { Self::read(&files) }
    }

    /// Their fingerprints, as ssh-keygen -l shows them.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<String> {
        let fingerprint = |line: &String| {
            let key = PublicKey::from_openssh(line).ok()?;
            Some(key.fingerprint(ssh_key::HashAlg::Sha256).to_string())
        };
        self.lines.iter().filter_map(fingerprint).collect()
    }
}

impl fmt::Display for AuthorizedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<String>, KeysError> {
    if text.contains("PRIVATE KEY-----") || text.starts_with("PuTTY-User-Key-File") {
        let mut public = path.as_os_str().to_owned();
        public.push(".pub");
        return Err(KeysError::Private { path: path.to_owned(), public: public.into() });
    }
    let mut keys = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        PublicKey::from_openssh(line).map_err(|error| KeysError::Line {
            path: path.to_owned(),
            line: index + 1,
            reason: error.to_string(),
        })?;
        keys.push(line.to_owned());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::keys::GuestKeys;

    #[test]
    fn keys_are_read_and_private_ones_are_rejected_by_name() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(".ssh").join(name);
        assert!(matches!(AuthorizedKeys::of_user(home.path()), Err(KeysError::None { .. })));
        fs::create_dir(home.path().join(".ssh")).unwrap();
        let keys = GuestKeys::generate().unwrap();
        fs::write(at("id_ed25519"), keys.client_private().unwrap()).unwrap();
        let none = AuthorizedKeys::of_user(home.path()).unwrap_err().to_string();
        assert!(none.contains("--authorized-key FILE"), "{none}");

        let line = keys.host_public().unwrap();
        fs::write(at("id_ed25519.pub"), format!("# mine\n\n{line}\n{line}\n")).unwrap();
        let read = AuthorizedKeys::of_user(home.path()).unwrap();
        assert_eq!(read.to_string(), format!("{line}\n"));
        assert!(read.fingerprints()[0].starts_with("SHA256:"));

        let error = AuthorizedKeys::read(&[at("id_ed25519")]).unwrap_err().to_string();
        assert!(error.contains("holds a private key") && error.contains("id_ed25519.pub"), "{error}");
        fs::write(at("bad.pub"), "# nothing\nssh-ed25519 AAAA\n").unwrap();
        let error = AuthorizedKeys::read(&[at("bad.pub")]).unwrap_err().to_string();
        assert!(error.contains("bad.pub:2: is no public key"), "{error}");
        fs::write(at("empty.pub"), "").unwrap();
        assert!(matches!(AuthorizedKeys::read(&[at("empty.pub")]), Err(KeysError::Empty { .. })));
        assert!(matches!(AuthorizedKeys::read(&[at("gone")]), Err(KeysError::Read { .. })));
    }
}
