// SPDX-License-Identifier: BSD-2-Clause
//! `replay`: a recorded run again, to the same instruction or an earlier one.

use std::path::Path;

use super::args::ReplayArgs;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, say_text, tell};
use super::replay_progress::{Progress, patience};
use crate::file::{Limit, read};
use crate::replay::{Recording, Replayer, Visit, differences, gdb_shows, how_to_attach, same_console};
use crate::targets::RecordingPlace;
use crate::vm::{Recorder, Replay, ReplayError, Tools};

/// Limits of one instruction more are long enough for a busy machine.
const PATIENCE: f64 = 1.0;

pub(super) fn main(args: &ReplayArgs) -> Result<ExitCode, CliError> {
    let directory = &args.recording;
    let recording = Recording::load(directory)?;
    let stop = recording.stop(args.at, args.back.unwrap_or_default()).map_err(CliError::Usage)?;
    let tools = Tools::find(std::env::current_exe().unwrap_or_default());
    let tools = tools.map_err(|error| CliError::NothingRan(error.to_string()))?;
    let recorder = Recorder::ask(&tools).map_err(|error| CliError::NothingRan(error.to_string()))?;
    if recorder.version != recording.qemu.version {
        return Err(CliError::NothingRan(format!(
            "{} was recorded by QEMU {}, and this is {}: each reads its own logs alone\n  help: $NLPROOF_QEMU names another QEMU",
            directory.display(),
            recording.qemu.version,
            recorder.version
        )));
    }
    recording.demand_whole(directory)?;
    let kernel = recording.kernel_file.as_deref().and_then(|path| read(path, Limit::OBJECT).ok());
    let session = Session {
        args,
        recording: &recording,
        console: read(&RecordingPlace::new(directory).console(), Limit::CONSOLE)?,
        kernel: kernel.unwrap_or_default(),
        replayer: Replayer {
            machine: recording.machine(directory),
            tools: &tools,
            patience: patience(PATIENCE),
            tasks: interrupt::tasks(),
        },
    };
    session.run(stop)
}

struct Session<'a> {
    args: &'a ReplayArgs,
    recording: &'a Recording,
    console: Vec<u8>,
    kernel: Vec<u8>,
    replayer: Replayer<'a>,
}

impl Session<'_> {
    fn run(&self, stop: u64) -> Result<ExitCode, CliError> {
        let Recording { vector, cell, outcome, qemu, .. } = self.recording;
        say!("{vector} in {cell}, recorded by QEMU {}: {outcome}", qemu.version);
        let (instruction, what) = self.recording.of_interest();
        say!("  {what}: instruction {instruction}");
        let times = self.args.times.get();
        let mut first: Option<Visit> = None;
        let mut code = ExitCode::OK;
        for number in 1..=times {
            let mut progress = Progress::new(format!("replay {number} of {times}"), stop);
            let (mut replay, visit) =
                self.replayer.visit(stop, &mut |now| progress.at(now)).map_err(replay_error)?;
            let mut wrong = self.wrong(first.as_ref(), &visit);
            say!(
                "replay {number}: instruction {}, {}, registers {}, {} bytes of console",
                visit.instruction,
                visit.place(&self.kernel),
                visit.fingerprint(),
                visit.console.len()
            );
            if number == times {
                self.show(&mut replay, &visit)?;
            }
            // Who stops early looks at the guest; the others hear it out.
            if self.args.gdb.is_none() && self.args.back.is_none() && self.args.at.is_none() {
                let said = self.replayer.to_the_end(&mut replay, &mut |_| ()).map_err(replay_error)?;
                match same_console(&self.console, &said, true) {
                    Ok(()) => say!("  to the end of the log: the same console, {} bytes", said.len()),
                    Err(why) => wrong.push(why),
                }
            }
            for why in &wrong {
                say!("  DIFFERS: {why}");
                code = ExitCode::COMPARISON;
            }
            first.get_or_insert(visit);
        }
        Ok(code)
    }

    /// What is another one than recorded, or than in the first replay.
    fn wrong(&self, first: Option<&Visit>, visit: &Visit) -> Vec<String> {
        let mut wrong = first.map(|first| differences(first, visit)).unwrap_or_default();
        wrong.extend(same_console(&self.console, &visit.console, false).err());
        if let Some(died) = self.recording.died.as_ref().filter(|died| died.instruction == visit.instruction)
        {
            let address = visit.address.map(|address| format!("{address:#x}"));
            if address.as_deref() != Some(&died.address) {
                wrong.push(format!("the kernel died at {} when it was recorded", died.address));
            }
        }
        wrong
    }

    /// Shows where the guest stands, and holds it there if that is wanted.
    fn show(&self, replay: &mut Replay, visit: &Visit) -> Result<(), CliError> {
        let tasks = self.replayer.tasks;
        say_text!(indented(&visit.registers));
        let kernel = self.args.debug.as_deref().or(self.recording.kernel_file.as_deref());
        let Some(port) = self.args.gdb else {
            return self.calls(replay, kernel);
        };
        tasks.drive(replay.open_stub_port(port)).map_err(replay_error)?;
        say!("the guest stands there for a debugger, until Ctrl-C:");
        for command in how_to_attach(&format!("127.0.0.1:{port}"), kernel) {
            say!("  {command}");
        }
        tasks.drive(replay.hold());
        // In order, and without a word about what the user has ended.
        drop(tasks.drive(replay.end()));
        Ok(())
    }

    fn calls(&self, replay: &mut Replay, kernel: Option<&Path>) -> Result<(), CliError> {
        let Some(kernel) = kernel else { return Ok(()) };
        let tasks = self.replayer.tasks;
        let socket = tasks.drive(replay.open_stub()).map_err(replay_error)?;
        match tasks.drive(gdb_shows(&socket, kernel)) {
            Ok(text) => say_text!(indented(&text)),
            Err(why) => tell!("no calls are shown: {why}"),
        }
        Ok(())
    }
}

fn indented(text: &str) -> String {
    text.lines().filter(|line| !line.is_empty()).map(|line| format!("    {line}\n")).collect()
}

fn replay_error(error: ReplayError) -> CliError {
    match error {
        ReplayError::Wait(_) => CliError::Interrupted,
        error => CliError::Guest(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_indented_and_empty_lines_left_out() {
        assert_eq!(indented("\nCPU#0\nRIP=1\n"), "    CPU#0\n    RIP=1\n");
    }
}
