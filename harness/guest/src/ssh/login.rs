// SPDX-License-Identifier: BSD-2-Clause
//! The way into a guest for a person: the system's own ssh(1), which knows terminals.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::words::{for_login_shell, quoted, script};

/// How to log in to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The port on 127.0.0.1 that leads to the guest's sshd.
    pub port: u16,
    /// The private key.
    pub key: PathBuf,
    /// A file in the form of known_hosts(5) with the guest's key alone.
    pub known_hosts: PathBuf,
}

impl Login {
    /// Writes the known_hosts file into `directory`. `host_key` is `TYPE BASE64`, as in a `.pub` file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(port: u16, key: PathBuf, host_key: &str, directory: &Path) -> io::Result<Self> {
        let known_hosts = directory.join("known_hosts");
        std::fs::write(&known_hosts, format!("[127.0.0.1]:{port} {}\n", host_key.trim()))?;
        Ok(Self { port, key, known_hosts })
    }

    /// ssh(1)'s arguments; the user's own configuration is left out of it.
    fn arguments(&self) -> Vec<String> {
        let option = |name: &str, value: &dyn fmt::Display| ["-o".to_owned(), format!("{name}={value}")];
        let mut arguments = vec!["-F".to_owned(), "none".into(), "-p".into(), self.port.to_string()];
        arguments.extend(["-i".to_owned(), self.key.display().to_string()]);
        arguments.extend(option("IdentitiesOnly", &"yes"));
        arguments.extend(option("UserKnownHostsFile", &self.known_hosts.display()));
        arguments.extend(option("StrictHostKeyChecking", &"yes"));
        arguments.extend(option("LogLevel", &"ERROR"));
        arguments.push("root@127.0.0.1".into());
        arguments
    }

    /// ssh(1), ready to run `words` in the guest ([`script`] says how they are read), or a shell on this terminal if
    /// there are none.
    pub fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.arguments());
        if !words.is_empty() {
            command.arg("--").arg(for_login_shell(&script(words)));
        }
        command
    }
}

/// The command line, to be pasted into another terminal.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh")?;
        self.arguments().iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_is_known_and_words_stay_words() {
        let directory = tempfile::tempdir().unwrap();
        let login = Login::new(2222, "a key".into(), "ssh-ed25519 AAAA\n", directory.path()).unwrap();
        let known = std::fs::read_to_string(&login.known_hosts).unwrap();
        assert_eq!(known, "[127.0.0.1]:2222 ssh-ed25519 AAAA\n");
        let shown = login.to_string();
        assert!(shown.starts_with("ssh -F none -p 2222 -i 'a key' -o IdentitiesOnly=yes"), "{shown}");
        let words = ["echo", "it's", "$HOME", ""].map(str::to_owned);
        let command = login.command(&words);
        let last = command.get_args().last().unwrap().to_str().unwrap();
        assert_eq!(last, for_login_shell(r"echo 'it'\''s' '$HOME' ''"));
        assert_eq!(login.command(&[]).get_args().last().unwrap(), "root@127.0.0.1");
    }
}
