// SPDX-License-Identifier: BSD-2-Clause
//! gdb on a machine that stands still.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Limit for gdb to read a kernel's symbols and to show what it is asked for.
const LIMIT: Duration = Duration::from_secs(120);
/// Without these a gdb that knows nothing of FreeBSD takes its kernel for one of 32 bits: the first has it believe QEMU, which
/// tells the architecture, the second is for one that QEMU does not tell.
const NO_SYSTEM: &str = "set osabi none";
const ARCHITECTURE: &str = "set architecture i386:x86-64";
/// Instructions that are shown, from the next one on.
const INSTRUCTIONS: &str = "x/8i $pc";

/// The commands with which people attach to the stub at `remote`: a port, or a socket's path.
pub fn how_to_attach(remote: &str, kernel: Option<&Path>) -> [String; 2] {
    let kernel = kernel.map_or_else(|| "kernel.debug".to_owned(), |path| path.display().to_string());
    let lldb = match remote.starts_with('/') {
        true => format!("process connect unix-connect://{remote}"),
        false => format!("gdb-remote {remote}"),
    };
    [
        format!("gdb -ex '{NO_SYSTEM}' -ex '{ARCHITECTURE}' -ex 'target remote {remote}' {kernel}"),
        format!("lldb {kernel} -o '{lldb}'"),
    ]
}

/// What gdb shows of the machine whose stub is at this socket: calls, and the next instructions.
///
/// # Errors
/// There is no gdb, or it does not connect: why.
pub async fn gdb_shows(socket: &Path, kernel: &Path) -> Result<String, String> {
    let target = format!("target remote {}", socket.display());
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-q", "-batch"]);
    for command in ["set pagination off", "set width 0", NO_SYSTEM, ARCHITECTURE, &target, "bt", INSTRUCTIONS]
    {
        gdb.args(["-ex", command]);
    }
    gdb.arg(kernel).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = timeout(LIMIT, gdb.output()).await.map_err(|_| format!("gdb took {} s", LIMIT.as_secs()))?;
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no gdb here".to_owned(),
        _ => format!("gdb: {error}"),
    })?;
    let said = String::from_utf8_lossy(&output.stdout);
    match shown(&said) {
        text if text.is_empty() => {
            Err(format!("gdb showed nothing: {}", String::from_utf8_lossy(&output.stderr).trim_end()))
        }
        text => Ok(text),
    }
}

/// The lines about calls and instructions.
fn shown(said: &str) -> String {
    let wanted =
        |line: &&str| line.starts_with('#') || line.starts_with("=> 0x") || line.starts_with("   0x");
    said.lines().filter(wanted).map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_gdb_says_calls_and_instructions_are_shown() {
        let said = "Remote debugging using /run/gdb\n0xffffffff80d7eeb5 in rtnl_handle_newlink ()\n\
                    #0  0xffffffff80d7eeb5 in rtnl_handle_newlink ()\n#1  0xffffffff80d7c000 in f ()\n\
                    => 0xffffffff80d7eeb5 <rtnl_handle_newlink+485>:\tmov    %eax,0x4(%rbx)\n\
                    \x20  0xffffffff80d7eeb8 <rtnl_handle_newlink+488>:\tret\n[Inferior 1 (process 1) detached]\n";
        let text = shown(said);
        assert!(text.starts_with("#0  0x") && text.lines().count() == 4, "{text}");
        assert_eq!(shown("warning: x\n"), "");
    }

    #[test]
    fn people_attach_to_a_port_or_a_socket() {
        let [gdb, lldb] = how_to_attach("127.0.0.1:1234", Some(Path::new("/k")));
        assert_eq!(
            gdb,
            "gdb -ex 'set osabi none' -ex 'set architecture i386:x86-64' -ex 'target remote 127.0.0.1:1234' /k"
        );
        assert_eq!(lldb, "lldb /k -o 'gdb-remote 127.0.0.1:1234'");
        let [gdb, lldb] = how_to_attach("/run/gdb", None);
        assert_eq!(
            gdb,
            "gdb -ex 'set osabi none' -ex 'set architecture i386:x86-64' -ex 'target remote /run/gdb' kernel.debug"
        );
        assert_eq!(lldb, "lldb kernel.debug -o 'process connect unix-connect:///run/gdb'");
    }
}
