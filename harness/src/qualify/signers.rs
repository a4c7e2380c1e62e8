// SPDX-License-Identifier: BSD-2-Clause
//! Whose signatures are trusted: an allowed_signers file of ssh-keygen(1), or what is in `~/.ssh`.

use std::path::Path;

use ssh_key::{HashAlg, PublicKey};

use crate::file::{FileError, Limit, read_any, read_text};

/// What a signature of ours is about: ssh-keygen's `-n`. A signature for another purpose is none here.
pub const NAMESPACE: &str = "qualification@nlproof";
/// Suffix of a public key's file.
const PUBLIC: &str = "pub";
/// Options of a line that are understood.
const NAMESPACES: &str = "namespaces=";

/// The trusted keys.
#[derive(Debug, Default)]
pub struct Signers {
    trusted: Vec<Trusted>,
    /// Lines that are not used, and why.
    pub notes: Vec<String>,
}

#[derive(Debug)]
struct Trusted {
    key: PublicKey,
    who: String,
}

/// A key's fingerprint, as ssh-keygen shows it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

impl Signers {
    /// The signers of an allowed_signers file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> Result<Signers, FileError> {
        let text = String::from_utf8(read_any(path, Limit::LISTING)?)
            .map_err(|_| FileError::whole(path, "is not UTF-8"))?;
        let mut signers = Signers::default();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match trusted(line) {
                Ok(Some(one)) => signers.trusted.push(one),
                Ok(None) => {}
                Err(what) => signers.notes.push(format!("{}:{number}: {what}", path.display())),
            }
        }
        Ok(signers)
    }

    /// What the user trusts without saying so: `home`/.ssh/allowed_signers, and their own keys.
    pub fn of_user(home: &Path) -> Signers {
        let directory = home.join(".ssh");
        let file = directory.join("allowed_signers");
        let mut signers = match file.is_file() {
            true => Signers::read(&file)
                .unwrap_or_else(|error| Signers { trusted: Vec::new(), notes: vec![error.to_string()] }),
            false => Signers::default(),
        };
        let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in entries.filter(|path| path.extension().is_some_and(|extension| extension == PUBLIC)) {
            let key =
                read_text(&path, Limit::YAML).ok().and_then(|text| PublicKey::from_openssh(text.trim()).ok());
            signers
                .trusted
                .extend(key.map(|key| Trusted { key, who: format!("your own key, {}", path.display()) }));
        }
        signers
    }

    /// Who has this key; `None`: nobody who is trusted.
    pub fn who(&self, key: &PublicKey) -> Option<&str> {
        let found = self.trusted.iter().find(|trusted| trusted.key.key_data() == key.key_data());
        found.map(|trusted| trusted.who.as_str())
    }
}

/// A line of an allowed_signers file: principals, options, type and key, comment. `None`: it is for another purpose.
fn trusted(line: &str) -> Result<Option<Trusted>, String> {
    let (who, rest) = line.split_once(char::is_whitespace).ok_or("has no key")?;
    let mut rest = rest.trim_start();
    while !is_key(rest) {
        let (option, behind) = option(rest).ok_or("has no key")?;
        rest = behind.trim_start();
        let Some(names) = option.strip_prefix(NAMESPACES) else {
            return Err(format!(
                "is not used: nlproof does not know the option `{option}`, ssh-keygen -Y verify does"
            ));
        };
        if !names.trim_matches('"').split(',').any(|name| is_like(name, NAMESPACE)) {
            return Ok(None);
        }
    }
    let key = PublicKey::from_openssh(rest).map_err(|error| format!("is no key: {error}"))?;
    Ok(Some(Trusted { key, who: who.to_owned() }))
}

fn is_key(text: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|kind| text.starts_with(kind))
}

/// The first option of a text, in which quoted parts may have blanks, and what follows it.
fn option(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    })?;
    Some(text.split_at(end))
}

/// Whether a name is meant by a pattern in which a `*` at the end stands for anything.
fn is_like(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::super::sign::tests::key;
    use super::*;

    #[test]
    fn lines_are_for_our_purpose_or_for_another_one_or_not_understood() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allowed_signers");
        let keys: Vec<PublicKey> = (0..5).map(|_| key().public_key().clone()).collect();
        let text = |at: usize| keys[at].to_openssh().unwrap();
        let lines = [
            "# signers".to_owned(),
            String::new(),
            format!("me@x {}", text(0)),
            format!("ci@x namespaces=\"file,qualification@*\" {} a comment", text(1)),
            format!("git@x namespaces=\"git\" {}", text(2)),
            format!("old@x valid-before=\"20300101\" {}", text(3)),
            "nobody".to_owned(),
            "x ssh-ed25519 AAAA".to_owned(),
        ];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let signers = Signers::read(&path).unwrap();
        assert_eq!(signers.who(&keys[0]), Some("me@x"));
        assert_eq!(signers.who(&keys[1]), Some("ci@x"));
        assert_eq!(signers.who(&keys[2]), None);
        assert_eq!(signers.who(&keys[3]), None);
        assert_eq!(signers.who(&keys[4]), None);
        assert_eq!(signers.notes.len(), 3, "{:?}", signers.notes);
        assert!(signers.notes[0].contains(":6: is not used") && signers.notes[0].contains("valid-before"));
    }

    #[test]
    fn ones_own_keys_are_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let ssh = directory.path().join(".ssh");
        std::fs::create_dir(&ssh).unwrap();
        let own = key();
        std::fs::write(ssh.join("id_ed25519.pub"), own.public_key().to_openssh().unwrap()).unwrap();
        std::fs::write(ssh.join("broken.pub"), "x").unwrap();
        let signers = Signers::of_user(directory.path());
        assert!(signers.who(own.public_key()).unwrap().starts_with("your own key"));
        assert_eq!(signers.who(key().public_key()), None);
        assert_eq!(Signers::of_user(Path::new("/nonexistent")).who(own.public_key()), None);
    }
}
