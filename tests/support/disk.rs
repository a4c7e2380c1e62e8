// SPDX-License-Identifier: BSD-2-Clause
//! A disk of any size under a program: a tmpfs in a mount namespace of its own, which needs no root rights where users
//! may have namespaces.

use std::path::Path;
use std::process::Command;

/// The command with `directory` on a disk of so many KiB, which is gone with it. What `before` (for sh) leaves there is
/// there, and `after` is run when it has ended and says what came of it; its exit code is the command's.
///
/// # Errors
/// This machine gives nobody such a disk, and why.
pub(crate) fn on_small_disk(
    command: &Command,
    directory: &Path,
    kib: u32,
    (before, after): (&str, &str),
) -> Result<Command, String> {
    let trial = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    match trial {
        Ok(output) if output.status.success() => {}
        Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => return Err(format!("unshare(1): {error}")),
    }
    let script = format!(
        "mount -t tmpfs -o size={kib}k none \"$1\" || exit 99\n(cd \"$1\"\n{before}\n)\ndir=$1; shift\n\"$@\"; code=$?\n\
         cd \"$dir\"\n{after}\nexit $code"
    );
    let mut small = Command::new("unshare");
    small
        .args(["-rm", "sh", "-c", &script, "sh"])
        .arg(directory)
        .arg(command.get_program())
        .args(command.get_args());
    // sh(1) finds its programs.
    for (name, value) in command.get_envs().filter(|(name, _)| *name != "PATH") {
        match value {
            Some(value) => small.env(name, value),
            None => small.env_remove(name),
        };
    }
    Ok(small)
}
