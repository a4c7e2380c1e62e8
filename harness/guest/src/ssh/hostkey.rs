// SPDX-License-Identifier: BSD-2-Clause
//! The host key that the guest was given when its image was built.

use ssh2::{CheckResult, HostKeyType, KnownHostFileKind, MethodType, Session};

use nlproof_base::hex;

use super::error::SshError;

/// Name of the guest in libssh2's list of known hosts; guests have no name of their own.
const ALIAS: &str = "nlproof-guest";

/// A public host key, as in `/etc/ssh/ssh_host_ed25519_key.pub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    key_type: String,
    base64: String,
    any: bool,
}

impl HostKey {
    /// Reads `TYPE BASE64 [COMMENT]`.
    ///
    /// # Errors
    /// [`SshError::Key`]: that is no public key.
    pub fn parse(line: &str) -> Result<Self, SshError> {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some(key_type), Some(base64)) if algorithms(key_type).is_some() => {
                Ok(Self { key_type: key_type.to_owned(), base64: base64.to_owned(), any: false })
            }
            (Some(key_type), Some(_)) => Err(SshError::Key(format!("unknown host key type {key_type:?}"))),
            _ => Err(SshError::Key("a host key is `TYPE BASE64 [COMMENT]`".into())),
        }
    }

    /// Whatever key the server shows: for a guest that makes its keys when it first boots, on a port that only we
    /// know. Such a guest is given keys of ours before anything else.
    pub fn any() -> Self {
        Self { key_type: "any".into(), base64: String::new(), any: true }
    }

    /// ssh's name of the key's type.
    pub fn key_type(&self) -> &str {
        &self.key_type
    }

    /// Asks the server for a key of this type only: it has several, and shows one.
    pub(super) fn demand(&self, session: &Session) -> Result<(), SshError> {
        if self.any {
            return Ok(());
        }
        let algorithms = algorithms(&self.key_type).unwrap_or(&self.key_type);
        session
            .method_pref(MethodType::HostKey, algorithms)
            .map_err(|error| SshError::Key(format!("host key type {}: {error}", self.key_type)))
    }

    /// Compares with the key that the server proved to have in the handshake.
    pub(super) fn check(&self, session: &Session) -> Result<(), SshError> {
        if self.any {
            return Ok(());
        }
        let unusable = |error: ssh2::Error| SshError::Key(format!("expected host key: {error}"));
        let mut known = session.known_hosts().map_err(unusable)?;
        let line = format!("{ALIAS} {} {}", self.key_type, self.base64);
        known.read_str(&line, KnownHostFileKind::OpenSSH).map_err(unusable)?;
        let shown = session.host_key();
        let found = match shown {
            Some((blob, _)) if matches!(known.check(ALIAS, blob), CheckResult::Match) => return Ok(()),
            Some((blob, kind)) => format!("{} with SHA-256 {}", type_name(kind), sha256_hex(blob)),
            None => "none".into(),
        };
        let beginning: String = self.base64.chars().take(40).collect();
        Err(SshError::HostKey { expected: format!("{} {beginning}…", self.key_type), found })
    }
}

/// libssh2's signature algorithms for a type of key; an RSA key signs with either hash.
fn algorithms(key_type: &str) -> Option<&str> {
    match key_type {
        "ssh-ed25519" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => {
            Some(key_type)
        }
        "ssh-rsa" => Some("rsa-sha2-512,rsa-sha2-256"),
        _ => None,
    }
}

fn type_name(kind: HostKeyType) -> &'static str {
    match kind {
        HostKeyType::Rsa => "ssh-rsa",
        HostKeyType::Dss => "ssh-dss",
        HostKeyType::Ecdsa256 => "ecdsa-sha2-nistp256",
        HostKeyType::Ecdsa384 => "ecdsa-sha2-nistp384",
        HostKeyType::Ecdsa521 => "ecdsa-sha2-nistp521",
        HostKeyType::Ed25519 => "ssh-ed25519",
        HostKeyType::Unknown => "a key of unknown type",
    }
}

/// SHA-256 in lower-case hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};

    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_line_is_read_with_and_without_comment() {
        let key = HostKey::parse("ssh-ed25519 AAAAC3Nza root@guest\n").unwrap();
        assert_eq!(key, HostKey::parse("ssh-ed25519 AAAAC3Nza").unwrap());
        assert_eq!(key.key_type(), "ssh-ed25519");
    }

    #[test]
    fn other_lines_are_refused() {
        for line in ["", "ssh-ed25519", "ssh-dss AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert!(matches!(HostKey::parse(line), Err(SshError::Key(_))), "{line}");
        }
    }

    #[test]
    fn sha256_of_nothing() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
