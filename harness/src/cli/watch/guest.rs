// SPDX-License-Identifier: BSD-2-Clause
//! A guest in which the kernel traces a program.

use std::time::Duration;

use nlproof_agent::{Batch, Privilege, Program, SocketOptions, Step, Watch};

use super::program::{DIRECTORY, INPUT, Prepared, SCRIPT};
use super::screen::{Screen, Seen};
use crate::cli::exit::CliError;
use crate::cli::out::tell;
use crate::cli::targets::lost;
use crate::targets::{FreebsdTarget, Target as _};

/// Bytes of each call that the kernel keeps: more than any datagram has.
const GENIO_SIZE: u32 = 1 << 20;
/// Multicast groups that are listened to: links, neighbours, addresses and routes (sys/netlink/route/common.h).
const GROUPS: [u32; 6] = [1, 3, 5, 7, 9, 11];
/// A script of ours in the guest takes no longer.
const SCRIPT_LIMIT: Duration = Duration::from_secs(60);
/// What the agent may take besides the program, in milliseconds.
const BESIDES_MS: u32 = 10_000;
/// Exit status of the preparation where the kernel has no ktrace(2).
const NO_KTRACE: u32 = 9;
/// The first FreeBSD whose ktrace(2) of root follows a program that gets other credentials (sys/kern/kern_ktrace.c
/// `ktrprocexec`, which tests for the privilege the wrong way round before). Where exactly between 14.0 and 14.2 it was
/// mended does not matter.
const FOLLOWS_SETUID: u32 = 1_402_000;

/// Runs the program, and shows what it says.
pub(super) fn run(target: &mut FreebsdTarget, program: &Prepared, timeout: u32) -> Result<Seen, CliError> {
    prepare(target)?;
    for (what, bytes, path) in
        [("the script", &program.script, SCRIPT), ("standard input", &program.input, INPUT)]
    {
        if let Some(bytes) = bytes {
            target.upload(what, bytes, path, SCRIPT_LIMIT).map_err(lost)?;
        }
    }
    let limit_ms = timeout.saturating_mul(1000);
    let watch = Watch {
        argv: program.argv.clone(),
        directory: DIRECTORY.to_owned(),
        stdin: program.input.is_some().then(|| INPUT.to_owned()),
        limit_ms,
    };
    let batch = Batch {
        programs: vec![Program {
            id: 0,
            name: program.shown().to_owned(),
            privilege: Privilege::Root,
            socket: SocketOptions::default(),
            groups: GROUPS.to_vec(),
            cards: Vec::new(),
            settings: Vec::new(),
            steps: vec![Step::Watch(watch)],
            limit_ms: limit_ms.saturating_add(BESIDES_MS),
            kernel_trace: false,
        }],
    };
    let mut screen = Screen::new(timeout);
    let run = target.run(&batch, &mut |record| screen.hear(&record));
    let seen = screen.end();
    run.map_err(lost)?;
    seen
}

/// Has the kernel keep whole datagrams, and follow programs with other credentials.
fn prepare(target: &mut FreebsdTarget) -> Result<(), CliError> {
    let osreldate = target.facts().kernel.as_ref().map_or(0, |kernel| kernel.osreldate);
    let mut script = format!(
        "sysctl -n kern.ktrace.genio_size > /dev/null 2>&1 || exit {NO_KTRACE}\n\
         sysctl kern.ktrace.genio_size={GENIO_SIZE} > /dev/null || exit 1\n"
    );
    if osreldate < FOLLOWS_SETUID {
        tell!(
            "this kernel does not trace a program with other credentials further, as setuid and setgid make them: / is \
             mounted nosuid, so that such programs keep root's"
        );
        script.push_str("mount -u -o nosuid / || exit 1\n");
    }
    let output = target.shell(&script, SCRIPT_LIMIT).map_err(lost)?;
    if output.status.is_success() {
        return Ok(());
    }
    if output.status == crate::guest::ExecStatus::Code(NO_KTRACE as i32) {
        return Err(CliError::NothingRan(
            "the kernel has no ktrace(2), by which programs are watched\n  help: build it with options KTRACE, as GENERIC \
             has it"
                .into(),
        ));
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(CliError::Guest(format!("the guest cannot be prepared for tracing: {said}").into()))
}
