// SPDX-License-Identifier: BSD-2-Clause
//! Signatures in OpenSSH's format (SSHSIG), as `ssh-keygen -Y sign` makes them.
//!
//! Plain ed25519 keys are used here. Whatever else ssh-keygen(1) can use (a key with a passphrase, one in an agent or on a
//! token, RSA, ECDSA) is left to ssh-keygen, which asks its user what it needs to know.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::signers::{NAMESPACE, fingerprint};
use super::statement::STATEMENT;
use crate::file::{FileError, Limit, read, read_text};

/// The signature's name in a bundle.
pub(super) const SIGNATURE: &str = "statement.json.sig";

/// The user's keys that are looked for, in this order.
const KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];
/// ssh-keygen(1).
const SSH_KEYGEN: &str = "ssh-keygen";

/// A key that can sign.
#[derive(Debug)]
pub enum Signer {
    /// A plain key.
    Key(Box<PrivateKey>),
    /// A key that ssh-keygen(1) uses: its file, or that of its public part.
    SshKeygen(PathBuf),
}

/// Why something could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// There is no key.
    #[error("{0}")]
    NoKey(FileError),
    /// ssh-keygen(1) did not sign.
    #[error("{what}\n  help: {remedy}")]
    SshKeygen {
        /// What happened.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// The key did not sign.
    #[error("the key does not sign: {0}")]
    Key(#[from] ssh_key::Error),
}

impl Signer {
    /// The key in this file, or the first of the user's own in `home`/.ssh.
    ///
    /// # Errors
    /// There is none, or it is no key.
    pub fn find(named: Option<&Path>, home: Option<&Path>) -> Result<Signer, SignError> {
        let help = "make one (ssh-keygen -t ed25519), or name one: --key FILE";
        let path = match (named, home) {
            (Some(path), _) => path.to_owned(),
            (None, None) => {
                let what = FileError::whole(Path::new("~/.ssh"), "is not known: HOME is not set").help(help);
                return Err(SignError::NoKey(what));
            }
            (None, Some(home)) => {
                let directory = home.join(".ssh");
                let found = KEYS.iter().map(|name| directory.join(name)).find(|path| path.is_file());
                found.ok_or_else(|| {
                    let what = format!("has no key to sign with (none of {})", KEYS.join(", "));
                    SignError::NoKey(FileError::whole(&directory, what).help(help))
                })?
            }
        };
        let text = read_text(&path, Limit::YAML).map_err(|error| SignError::NoKey(error.help(help)))?;
        if PublicKey::from_openssh(text.trim()).is_ok() {
            return Ok(Signer::SshKeygen(path));
        }
        match PrivateKey::from_openssh(&text) {
            Ok(key) if key.algorithm() == Algorithm::Ed25519 && !key.is_encrypted() => {
                Ok(Signer::Key(Box::new(key)))
            }
            Ok(_) => Ok(Signer::SshKeygen(path)),
            // A key of OpenSSL's format, which older versions of ssh-keygen wrote.
            Err(_) if text.contains("PRIVATE KEY-----") => Ok(Signer::SshKeygen(path)),
            Err(error) => {
                let what = FileError::whole(&path, format!("is no ssh key: {error}")).help(help);
                Err(SignError::NoKey(what))
            }
        }
    }

    /// Signs a file. The signature is text in OpenSSH's form.
    ///
    /// # Errors
    /// The key does not sign; ssh-keygen(1) is missing, or its user did not give the passphrase.
    pub fn sign(&self, path: &Path) -> Result<String, SignError> {
        match self {
            Signer::Key(key) => {
                let bytes = read(path, Limit::REPORT).map_err(SignError::NoKey)?;
                Ok(key.sign(NAMESPACE, HashAlg::Sha512, &bytes)?.to_pem(LineEnding::LF)?)
            }
            Signer::SshKeygen(key) => by_ssh_keygen(key, path),
        }
    }
}

/// Has ssh-keygen(1) sign; it asks on the terminal what it needs to know.
fn by_ssh_keygen(key: &Path, path: &Path) -> Result<String, SignError> {
    let failed = |what: String| SignError::SshKeygen {
        what: format!("{}: {what}", key.display()),
        remedy: "a plain ed25519 key needs no ssh-keygen: --key FILE".into(),
    };
    let directory = tempfile::tempdir().map_err(|error| failed(format!("cannot be used: {error}")))?;
    let copy = directory.path().join("statement");
    let bytes = read(path, Limit::REPORT).map_err(SignError::NoKey)?;
    std::fs::write(&copy, bytes).map_err(|error| failed(format!("cannot be used: {error}")))?;
    let mut command = Command::new(SSH_KEYGEN);
    command.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key).arg(&copy);
    let status = command.stdout(Stdio::null()).status().map_err(|error| {
        failed(format!("only ssh-keygen can use this key, and {SSH_KEYGEN} cannot be run: {error}"))
    })?;
    if !status.success() {
        return Err(failed(format!("{SSH_KEYGEN} -Y sign did not sign ({status})")));
    }
    let signature = directory.path().join("statement.sig");
    read_text(&signature, Limit::LISTING).map_err(SignError::NoKey)
}

/// Who signed the bytes, if the signature is good: for the right purpose, and of these very bytes.
///
/// # Errors
/// What is wrong with it.
pub(super) fn signer_of(signature: &str, bytes: &[u8]) -> Result<PublicKey, String> {
    let parsed =
        SshSig::from_pem(signature).map_err(|error| format!("is no signature of ssh-keygen: {error}"))?;
    // What is written again is what was read, so that nothing can be altered without being noticed.
    let written = parsed.to_pem(LineEnding::LF).unwrap_or_default();
    let same = signature.strip_suffix('\n') == Some(written.trim_end());
    if !same {
        return Err("is no signature as ssh-keygen writes one".to_owned());
    }
    if parsed.namespace() != NAMESPACE {
        return Err(format!("is for another purpose: `{}`, not `{NAMESPACE}`", parsed.namespace()));
    }
    let key = PublicKey::from(parsed.public_key().clone());
    let good = match key.algorithm() {
        Algorithm::Ed25519 => key.verify(NAMESPACE, bytes, &parsed).is_ok(),
        _ => checked_by_ssh_keygen(signature, bytes)?,
    };
    if good {
        return Ok(key);
    }
    Err(format!("is not of this statement: {STATEMENT} was altered after {} signed it", fingerprint(&key)))
}

/// Has ssh-keygen(1) verify the signature of a key that is not used here.
fn checked_by_ssh_keygen(signature: &str, bytes: &[u8]) -> Result<bool, String> {
    let failed = |error: std::io::Error| format!("needs {SSH_KEYGEN}, which cannot be run: {error}");
    let directory = tempfile::tempdir().map_err(failed)?;
    let file = directory.path().join("signature");
    std::fs::write(&file, signature).map_err(failed)?;
    let mut command = Command::new(SSH_KEYGEN);
    command.args(["-Y", "check-novalidate", "-n", NAMESPACE, "-s"]).arg(&file);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // One that rejects the signature need not read all of it.
        input.write_all(bytes).ok();
    }
    Ok(child.wait().map_err(failed)?.success())
}

#[cfg(test)]
pub(super) mod tests {
    use ssh_key::rand_core::OsRng;

    use super::*;

    /// A new key of one's own.
    pub(crate) fn key() -> PrivateKey {
        PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap()
    }

    fn signed(directory: &Path, bytes: &[u8]) -> (String, PublicKey) {
        let (file, key_file) = (directory.join("statement"), directory.join("key"));
        std::fs::write(&file, bytes).unwrap();
        let key = key();
        key.write_openssh_file(&key_file, LineEnding::LF).unwrap();
        let signer = Signer::find(Some(&key_file), None).unwrap();
        assert!(matches!(signer, Signer::Key(_)));
        (signer.sign(&file).unwrap(), key.public_key().clone())
    }

    #[test]
    fn what_was_signed_is_good_and_each_altered_byte_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let (signature, key) = signed(directory.path(), b"statement");
        assert_eq!(signer_of(&signature, b"statement").unwrap().key_data(), key.key_data());
        assert!(signer_of(&signature, b"Statement").unwrap_err().contains("is not of this statement"));
        for at in 0..signature.len() {
            let mut altered = signature.clone().into_bytes();
            altered[at] ^= 1;
            let altered = String::from_utf8_lossy(&altered).into_owned();
            let same =
                signer_of(&altered, b"statement").is_ok_and(|other| other.key_data() == key.key_data());
            assert!(!same, "byte {at}: {altered}");
        }
    }

    #[test]
    fn a_signature_for_another_purpose_is_none_here() {
        let other = key().sign("file", HashAlg::Sha512, b"x").unwrap().to_pem(LineEnding::LF).unwrap();
        assert!(signer_of(&other, b"x").unwrap_err().contains("another purpose: `file`"));
        assert!(signer_of("no signature", b"x").unwrap_err().contains("is no signature"));
    }

    #[test]
    fn without_a_key_the_remedy_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let told =
            |named: Option<&Path>, home: Option<&Path>| Signer::find(named, home).unwrap_err().to_string();
        assert!(told(None, None).contains("HOME is not set"));
        let none = told(None, Some(directory.path()));
        assert!(none.contains("none of id_ed25519") && none.contains("ssh-keygen -t ed25519"), "{none}");
        let file = directory.path().join("x");
        assert!(told(Some(&file), None).contains("--key FILE"));
        std::fs::write(&file, "no key").unwrap();
        assert!(told(Some(&file), None).contains("is no ssh key"));
    }
}
