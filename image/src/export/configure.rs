// SPDX-License-Identifier: BSD-2-Clause
//! The files that make a release's root tree a machine of somebody's own.

use std::{fmt, str::FromStr};

use super::ExportOptions;
use crate::{
    error::ImageError,
    path::TreePath,
    tree::{Meta, Tree},
};

/// GPT label of the root partition.
pub(super) const ROOT_LABEL: &str = "rootfs";

/// Files that base.txz must hold, with the reason.
pub(super) const NEEDED: &[(&str, &str)] = &[
    ("sbin/init", "the kernel starts it first"),
    ("bin/sh", "init runs /etc/rc with it"),
    ("boot/loader", "gptboot starts it"),
    ("etc/rc", "it starts the system"),
    ("etc/pwd.db", "nobody could log in without the password database"),
    ("usr/sbin/sshd", "it is the way in"),
];

/// Where a machine talks and listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// The first serial port.
    Serial,
    /// Screen and keyboard.
    Video,
    /// Both; the messages of `/etc/rc` come on the serial port.
    Both,
}

impl Console {
    /// `/boot.config`: gptboot, and through it the loader.
    fn boot_config(self) -> Option<&'static str> {
        match self {
            Self::Serial => Some("-h -S115200\n"),
            Self::Video => None,
            Self::Both => Some("-D -S115200\n"),
        }
    }

    fn loader(self) -> &'static str {
        match self {
            Self::Serial => "console=\"comconsole\"\ncomconsole_speed=\"115200\"\n",
            Self::Video => "",
            Self::Both => {
                "boot_multicons=\"YES\"\nboot_serial=\"YES\"\nconsole=\"comconsole,vidconsole\"\ncomconsole_speed=\"115200\"\n"
            }
        }
    }
}

impl fmt::Display for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serial => "serial",
            Self::Video => "video",
            Self::Both => "both",
        })
    }
}

impl FromStr for Console {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        [Self::Serial, Self::Video, Self::Both]
            .into_iter()
            .find(|console| console.to_string() == text)
            .ok_or(NotAName("is none of serial, video and both"))
    }
}

/// Why a text cannot be a name. Reads after the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAName(&'static str);

impl NotAName {
    /// No format.
    pub(super) const FORMAT: Self = Self("is none of raw, qcow2, vmdk, vhdx and box");
}

/// Takes a name for a machine: RFC 1123.
///
/// # Errors
/// It can be none.
pub fn host_name(text: &str) -> Result<String, NotAName> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match text.len() <= 253 && text.split('.').all(label) {
        true => Ok(text.to_owned()),
        false => Err(NotAName("is no host name: letters, digits, dashes and dots")),
    }
}

/// Takes a name for a user: what pw(8) takes, without its rarer characters.
///
/// # Errors
/// It can be none.
pub fn user_name(text: &str) -> Result<String, NotAName> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match first && text.len() <= 16 && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => {
            Err(NotAName("is no user name: up to 16 lower-case letters, digits, `_` and `-`, a letter first"))
        }
    }
}

/// Writes our files into the tree.
pub(super) fn configure(tree: &mut Tree, options: &ExportOptions<'_>) -> Result<(), ImageError> {
    let ExportOptions { hostname, user, keys, console, module, .. } = options;
    let mut loader = format!(
        "autoboot_delay=\"2\"\nbeastie_disable=\"YES\"\nkern.geom.label.disk_ident.enable=\"0\"\n\
         kern.geom.label.gptid.enable=\"0\"\n{}",
        console.loader()
    );
    if let Some(module) = module {
        loader += &module.loader_conf();
        tree.put(&module.path(), 0o555, &module.bytes)?;
    }
    tree.put("boot/loader.conf", 0o644, loader.as_bytes())?;
    if let Some(text) = console.boot_config() {
        tree.put("boot.config", 0o644, text.as_bytes())?;
    }
    tree.put("etc/fstab", 0o644, format!("/dev/gpt/{ROOT_LABEL}\t/\tufs\trw\t1\t1\n").as_bytes())?;
    let rc = format!("hostname=\"{hostname}\"\n{}", include_str!("../../guest/export/rc.conf"));
    tree.put("etc/rc.conf", 0o644, rc.as_bytes())?;
    // rc(8) removes it when the first boot is over.
    tree.put("firstboot", 0o644, b"")?;
    let root = if user == "root" { "prohibit-password" } else { "no" };
    // The first mention of a keyword counts.
    let theirs = match tree.file("etc/ssh/sshd_config") {
        Some(path) => nlproof_base::read_text(&path, nlproof_base::Limit::LISTING)
            .map_err(|error| ImageError::read(&path, error))?,
        None => "Subsystem sftp /usr/libexec/sftp-server\n".to_owned(),
    };
    let sshd =
        format!("{}PermitRootLogin {root}\n\n{theirs}", include_str!("../../guest/export/sshd_config"));
    tree.put("etc/ssh/sshd_config", 0o644, sshd.as_bytes())?;
    if user == "root" {
        // sshd takes no keys from a directory that others may write to.
        dir(tree, "root/.ssh", 0o700)?;
        tree.put("root/.ssh/authorized_keys", 0o600, keys.to_string().as_bytes())
    } else {
        let script = include_str!("../../guest/export/first_user").replace("@USER@", user);
        tree.put("etc/rc.d/first_user", 0o755, script.as_bytes())?;
        tree.put("etc/first_user.keys", 0o644, keys.to_string().as_bytes())
    }
}

fn dir(tree: &mut Tree, path: &'static str, mode: u32) -> Result<(), ImageError> {
    tree.dir(TreePath::known(path), Meta::ours(mode)).map_err(|error| error.no_place(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_shell_or_a_file_could_misread_are_rejected() {
        for good in ["freebsd", "a.b-c.example", "x1"] {
            assert_eq!(host_name(good).unwrap(), good);
        }
        for bad in ["", "-a", "a..b", "a b", "a\"; rm", "a_b", &"x".repeat(64)] {
            assert!(host_name(bad).is_err(), "{bad}");
        }
        for good in ["root", "_svc", "ada-1"] {
            assert_eq!(user_name(good).unwrap(), good);
        }
        for bad in ["", "1a", "Ada", "a b", "a$(x)", "seventeen-letters"] {
            assert!(user_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_console_has_its_word() {
        for console in [Console::Serial, Console::Video, Console::Both] {
            assert_eq!(console.to_string().parse(), Ok(console));
        }
        assert!("tty".parse::<Console>().is_err());
    }
}
