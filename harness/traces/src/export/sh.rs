// SPDX-License-Identifier: BSD-2-Clause
//! A vector that only runs commands, as a shell script.

use nlproof_agent::{Privilege, Program, Step};
use nlproof_wire::Os;

use super::expected::expected;
use super::{ExportError, head};
use crate::vector::Vector;

/// The script: it runs the commands and exits with 1 if one has another status than the golden says.
///
/// # Errors
/// The vector does something that a shell cannot.
pub fn shell_script(vector: &Vector, program: &Program, golden: Option<&str>) -> Result<String, ExportError> {
    if program.privilege != Privilege::Root {
        return Err(ExportError::whole("its sender is not root"));
    }
    if !program.cards.is_empty() {
        return Err(ExportError::whole("it has network cards of its own, which QEMU plugs in"));
    }
    let expected = golden.map(|body| expected(Os::FreeBsd, body, program.steps.len())).unwrap_or_default();
    let exit = match golden {
        Some(_) => "Exit status: 0 if all is as expected, 1 if not.",
        None => "Nothing is known of what to expect: every exit status is shown.",
    };
    let run = "jail -c vnet path=/ command=/bin/sh THIS.sh";
    let mut script = String::from("#!/bin/sh\n");
    for line in head(vector, run, exit).lines() {
        script.push_str(format!("# {line}").trim_end());
        script.push('\n');
    }
    script.push_str("differs=0\n");
    for (index, step) in program.steps.iter().enumerate() {
        match step {
            Step::Exec { argv, .. } => {
                let words: Vec<_> = argv.iter().map(|word| quoted(word)).collect();
                script.push_str(&format!("\n{}\nstatus=$?\n", words.join(" ")));
                script.push_str(&match expected.get(index).and_then(|expected| expected.status) {
                    Some(status) => format!(
                        "[ $status -eq {status} ] || {{ echo \"! step {index}: exit status $status, not {status}\"; differs=1; }}\n"
                    ),
                    None => format!("echo \"step {index}: exit status $status\"\n"),
                });
            }
            Step::Wait { quiet_ms, .. } => {
                script.push_str(&format!("\nsleep {}.{:03}\n", quiet_ms / 1000, quiet_ms % 1000));
            }
            Step::Send(_) => return Err(ExportError::step(index, "it sends messages: --c can")),
            Step::Race(_) => return Err(ExportError::step(index, "sockets race in it")),
            Step::Count(_) | Step::Watch(_) | Step::Hardware(_) => {
                return Err(ExportError::for_none(index, step));
            }
        }
    }
    script.push_str("\nexit $differs\n");
    Ok(script)
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._:%+,@=-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
