// SPDX-License-Identifier: BSD-2-Clause
//! Long texts on a terminal: shown by the user's pager, and by nothing where they go elsewhere.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use super::interrupt;
use super::out::{is_shown, say_text, tell};

/// Options of less(1) where the user has set none: end by itself if the text fits, keep colours, leave the text on the
/// screen.
const DEFAULT: &[&str] = &["less", "-FRX"];

/// Writes a text to standard output; on a terminal through `$PAGER` or else less(1), unless the user wants no pager.
pub(super) fn page(text: &str, no_pager: bool) {
    let wanted = !no_pager && is_shown();
    if !(wanted && paged(text)) {
        say_text!(text);
    }
}

/// Whether a pager showed it.
fn paged(text: &str) -> bool {
    let Some(mut pager) = command(std::env::var("PAGER").ok().as_deref()) else { return false };
    // Ctrl-C is the pager's while it runs.
    if let Err(error) = interrupt::leave_to_others() {
        tell!("warning: Ctrl-C ends more than the pager: {error}");
    }
    let Ok(mut child) = pager.stdin(Stdio::piped()).spawn() else { return false };
    // Who has seen enough leaves before the end.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(text.as_bytes()));
    let ended = child.wait();
    match (written, ended) {
        // The shell found no such pager.
        (_, Ok(status)) if status.code() == Some(127) => false,
        (Err(error), _) if error.kind() != io::ErrorKind::BrokenPipe => false,
        (_, ended) => ended.is_ok(),
    }
}

/// The pager that `$PAGER` names; `None`: the user wants none.
fn command(pager: Option<&str>) -> Option<Command> {
    match pager.map(str::trim) {
        Some("" | "cat") => None,
        Some(pager) => {
            // It may have arguments.
            let mut command = Command::new("sh");
            command.args(["-c", pager]);
            if std::env::var_os("LESS").is_none() {
                command.env("LESS", "FRX");
            }
            Some(command)
        }
        None => {
            let (less, options) = DEFAULT.split_first()?;
            let mut command = Command::new(less);
            command.args(options);
            Some(command)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_pager_is_run_by_a_shell_and_an_empty_one_is_none() {
        let program = |pager| command(pager).map(|command| format!("{command:?}"));
        assert_eq!(program(Some("")), None);
        assert_eq!(program(Some("cat")), None);
        assert_eq!(program(None).as_deref(), Some("\"less\" \"-FRX\""));
        let own = program(Some("more -d")).unwrap();
        assert!(own.ends_with("\"sh\" \"-c\" \"more -d\""), "{own}");
    }
}
