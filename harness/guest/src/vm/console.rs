// SPDX-License-Identifier: BSD-2-Clause
//! Recognises what a FreeBSD guest is doing from the text on its serial console.
//!
//! Texts are those of sys/kern/kern_shutdown.c (panic, reboot), sys/amd64/amd64/trap.c (fatal traps),
//! sys/kern/subr_kdb.c and sys/ddb (debugger), sys/kern/vfs_mountroot.c, sys/kern/subr_prf.c (boot tag),
//! stand/i386 (loader) and sbin/init/init.c (single user).

use std::collections::VecDeque;

use super::lines::LineSplitter;
use super::panic::{Frame, Panic};

/// Number of lines kept for error messages.
const TAIL_LINES: usize = 24;

/// Most bytes kept of a kernel's last words.
const MAX_LAST_WORDS: usize = 4 << 20;

/// Something that the console said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsoleEvent {
    /// The boot loader runs.
    Loader,
    /// The boot loader gave up and asks what to do (`OK` prompt).
    LoaderPrompt,
    /// The kernel prints its first line.
    Kernel,
    /// The kernel found no root file system and asks for one.
    MountRoot,
    /// `/etc/rc` failed or was skipped: init asks for a shell.
    SingleUser,
    /// A login prompt.
    Login,
    /// The start-up script has finished: sshd listens.
    Ready,
    /// Our start-up failed.
    StartUpFailed {
        /// At this step.
        step: String,
    },
    /// A panic or fatal trap begins; its backtrace is still to come.
    Panicking {
        /// The panic message or the trap line.
        message: String,
    },
    /// The panic's report is complete.
    Panicked(Panic),
    /// The kernel debugger waits for a command.
    Debugger,
    /// A panicked kernel is about to reboot.
    AutomaticReboot,
    /// Loader or kernel started a second time.
    RebootLoop,
}

/// Texts that the guest's start-up script prints when it succeeds and when it fails (image's guest/rc and
/// guest/rc.ready).
const READY: &str = "nlproof: ready";
const START_UP_FAILED: &str = "nlproof: failed: ";

/// Stage of the boot; some texts mean something in one stage only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Firmware,
    Loader,
    Kernel,
}

/// Texts that come once per boot. The same one twice is a reboot, two different ones are not.
const BANNERS: [(&str, Stage); 4] = [
    ("BTX loader", Stage::Loader),
    ("bootstrap loader, Revision", Stage::Loader),
    ("---<<BOOT>>---", Stage::Kernel),
    ("The FreeBSD Project.", Stage::Kernel),
];

/// On a serial console the loader's banner is not seen (the BIOS prints it), and this may come several times.
const LOADER_AT_WORK: [&str; 2] = ["Loading /boot/", "Loading kernel..."];

/// What the panic report has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    None,
    Message,
    Backtrace,
    Complete,
}

/// Follows the text of one guest. Feed it bytes in chunks of any size.
#[derive(Debug, Clone)]
pub struct Console {
    splitter: LineSplitter,
    tail: VecDeque<String>,
    stage: Stage,
    banners_seen: [bool; BANNERS.len()],
    report: Report,
    panic: Panic,
    prompt_reported: bool,
    last_words: String,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            splitter: LineSplitter::default(),
            tail: VecDeque::new(),
            stage: Stage::Firmware,
            banners_seen: [false; BANNERS.len()],
            report: Report::None,
            panic: Panic::default(),
            prompt_reported: false,
            last_words: String::new(),
        }
    }
}

impl Console {
    /// Takes the next bytes of the console and returns what they say.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<ConsoleEvent> {
        let mut events = Vec::new();
        for line in self.splitter.push(bytes) {
            self.line(&line, &mut events);
            self.keep_last_words(&line);
            if !line.trim().is_empty() {
                self.tail.push_back(line);
                if self.tail.len() > TAIL_LINES {
                    self.tail.pop_front();
                }
            }
        }
        let partial = self.splitter.partial();
        if !self.prompt_reported
            && let Some(event) = self.prompt(&partial)
        {
            self.prompt_reported = true;
            self.close_report(&mut events);
            events.push(event);
        }
        events
    }

    /// The last lines, oldest first, with the one that has not ended.
    pub fn tail(&self) -> Vec<String> {
        let partial = Some(self.splitter.partial()).filter(|line| !line.trim().is_empty());
        self.tail.iter().cloned().chain(partial).collect()
    }

    /// The panic as far as the console has shown it, if the kernel panicked.
    pub fn panic(&self) -> Option<&Panic> {
        (self.report != Report::None).then_some(&self.panic)
    }

    /// Everything that the kernel has printed since it panicked or stopped in its debugger: message, registers,
    /// backtrace, and the output of a ddb(4) script. Empty as long as it is well.
    pub fn last_words(&self) -> &str {
        &self.last_words
    }

    fn keep_last_words(&mut self, line: &str) {
        let begun = self.report != Report::None || !self.last_words.is_empty();
        if (begun || in_debugger(line)) && self.last_words.len() < MAX_LAST_WORDS {
            self.last_words.push_str(line);
            self.last_words.push('\n');
        }
    }

    fn line(&mut self, line: &str, events: &mut Vec<ConsoleEvent>) {
        let prompt_reported = std::mem::take(&mut self.prompt_reported);
        if !prompt_reported && let Some(event) = answered_prompt(line) {
            self.close_report(events);
            events.push(event);
        }
        self.banner(line, events);
        self.panic_line(line.trim_end(), events);
        if line.trim_end().ends_with(READY) {
            events.push(ConsoleEvent::Ready);
        } else if let Some(step) = line.trim_end().strip_prefix(START_UP_FAILED) {
            events.push(ConsoleEvent::StartUpFailed { step: step.to_owned() });
        }
        if line.starts_with("Automatic reboot in ") {
            self.close_report(events);
            events.push(ConsoleEvent::AutomaticReboot);
        }
    }

    fn banner(&mut self, line: &str, events: &mut Vec<ConsoleEvent>) {
        if self.stage == Stage::Firmware && LOADER_AT_WORK.iter().any(|text| line.contains(text)) {
            self.stage = Stage::Loader;
            events.push(ConsoleEvent::Loader);
        }
        for (n, (text, stage)) in BANNERS.iter().enumerate() {
            if !line.contains(text) {
                continue;
            }
            if std::mem::replace(&mut self.banners_seen[n], true) {
                self.banners_seen = [false; BANNERS.len()];
                self.banners_seen[n] = true;
                self.stage = *stage;
                events.push(ConsoleEvent::RebootLoop);
            } else if self.stage != *stage {
                self.stage = *stage;
                events.push(match stage {
                    Stage::Kernel => ConsoleEvent::Kernel,
                    Stage::Loader | Stage::Firmware => ConsoleEvent::Loader,
                });
            }
        }
    }

    fn panic_line(&mut self, line: &str, events: &mut Vec<ConsoleEvent>) {
        if let Some(trap) = trap_text(line) {
            self.begin_report(trap, events);
            self.panic.trap.get_or_insert_with(|| trap.to_owned());
        } else if let Some(message) = panic_text(line) {
            let told_by_trap_only = self.panic.trap.as_deref() == Some(self.panic.message.as_str());
            if self.report == Report::Message && told_by_trap_only {
                self.panic.message = message.to_owned();
            }
            self.begin_report(message, events);
        } else if line.contains("KDB: stack backtrace:") {
            self.begin_report("kernel backtrace without a panic message", events);
            if self.report == Report::Message {
                self.report = Report::Backtrace;
            }
        } else if self.report == Report::Backtrace {
            match Frame::parse(line) {
                Some(frame) => self.panic.frames.push(frame),
                // Marks a trap frame inside a ddb backtrace.
                None if line.starts_with("--- ") || line.is_empty() => {}
                None => self.close_report(events),
            }
        } else if line.starts_with("Uptime: ") || line.starts_with("KDB: enter: ") {
            self.close_report(events);
        }
    }

    /// A second panic while the first is handled changes nothing: the first one is the cause.
    fn begin_report(&mut self, message: &str, events: &mut Vec<ConsoleEvent>) {
        if self.report == Report::None {
            self.report = Report::Message;
            self.panic.message = message.to_owned();
            events.push(ConsoleEvent::Panicking { message: message.to_owned() });
        }
    }

    fn close_report(&mut self, events: &mut Vec<ConsoleEvent>) {
        if matches!(self.report, Report::Message | Report::Backtrace) {
            self.report = Report::Complete;
            events.push(ConsoleEvent::Panicked(self.panic.clone()));
        }
    }

    /// A prompt that waits for an answer: the text ends where the line should go on.
    fn prompt(&self, partial: &str) -> Option<ConsoleEvent> {
        match partial {
            "db> " => Some(ConsoleEvent::Debugger),
            "mountroot> " => Some(ConsoleEvent::MountRoot),
            // Short enough to be the beginning of a sentence, so it counts in the loader only.
            "OK " if self.stage == Stage::Loader => Some(ConsoleEvent::LoaderPrompt),
            _ if partial.ends_with("login: ") => Some(ConsoleEvent::Login),
            _ if partial.starts_with("Enter full pathname of shell or RETURN for ")
                && partial.ends_with(": ") =>
            {
                Some(ConsoleEvent::SingleUser)
            }
            _ => None,
        }
    }
}

/// The debugger's first line (sys/kern/subr_kdb.c kdb_enter()), or a command of its script (sys/ddb/db_script.c).
fn in_debugger(line: &str) -> bool {
    // A program may have left a half-written line.
    line.contains("KDB: enter: ") || (line.starts_with("db:") && line.contains(":kdb.enter."))
}

/// The same prompts, already answered by somebody.
fn answered_prompt(line: &str) -> Option<ConsoleEvent> {
    if line.starts_with("db> ") {
        Some(ConsoleEvent::Debugger)
    } else if line.starts_with("mountroot> ") {
        Some(ConsoleEvent::MountRoot)
    } else if line.starts_with("Enter full pathname of shell or RETURN for ") {
        Some(ConsoleEvent::SingleUser)
    } else {
        None
    }
}

/// `Fatal trap N: …` or `Fatal double fault`, wherever a program's half-written line left the cursor.
fn trap_text(line: &str) -> Option<&str> {
    if let Some(at) = line.find("Fatal trap ") {
        let number = line[at + "Fatal trap ".len()..].split(':').next()?;
        return number.parse::<u32>().is_ok().then_some(&line[at..]);
    }
    line.find("Fatal double fault").map(|at| &line[at..])
}

/// The text after `panic: `. The kernel may print it behind a half-written line of a program, but
/// `debug.kdb.panic: 0 -> 1` (sysctl) and `reboot after panic: …` (savecore) are no panics.
fn panic_text(line: &str) -> Option<&str> {
    let at = line.find("panic: ")?;
    let before = &line[..at];
    let part_of_a_word = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
    (!part_of_a_word && !before.ends_with("after ")).then(|| line[at + "panic: ".len()..].trim())
}

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;
