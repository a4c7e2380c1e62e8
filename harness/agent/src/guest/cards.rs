// SPDX-License-Identifier: BSD-2-Clause
//! Network cards of a program. A driver's interface comes in the guest's own network stack, in which a process of the
//! program stays while the program itself is in its jail: it waits for the interface, moves it into the jail, and runs
//! devctl(8), which works outside jails only.
//!
//! No driver is asked for anything: the link is read from what the kernel keeps of it, the state of a device from
//! `hw.bus`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use nlproof_agent::interfaces::{from_iflist, link_state};
use nlproof_agent::{Act, Card, Deed, Program};

use crate::card_acts::Outcome;
use crate::command::Command;
use crate::isolate::Jail;
use crate::sys::clock::Deadline;
use crate::sys::io::{self, Fd, PollFd};
use crate::sys::{Errno, device, interface, jail, process, socket};

/// Between two looks, in milliseconds.
const LOOK_MS: i32 = 10;
/// Bytes of a request to the process outside: deed, card, whether a card that comes may rest, limit.
const REQUEST: usize = 7;
/// net/if.h `LINK_STATE_DOWN` and `LINK_STATE_UP`.
const LINK_DOWN: u8 = 1;
const LINK_UP: u8 = 2;

/// The cards of one program.
pub(crate) struct Cards {
    pub(crate) cards: Vec<Card>,
    ask: Fd,
    answer: Fd,
}

impl Cards {
    /// Starts the process that stays outside; to be called before the program enters its jail. `None`: no cards.
    pub(crate) fn begin(program: &Program, jail: &Jail) -> Result<Option<Self>, (Errno, String)> {
        if program.cards.is_empty() {
            return Ok(None);
        }
        let failed = |errno| (errno, format!("no process to look after network cards ({errno})"));
        let (asked, ask) = io::pipe().map_err(failed)?;
        let (answer, answers) = io::pipe().map_err(failed)?;
        match process::fork().map_err(failed)? {
            process::Forked::Child => {
                drop((ask, answer));
                if process::die_with_parent().is_ok() {
                    serve(&asked, &answers, &program.cards, jail);
                }
                process::exit(0)
            }
            process::Forked::Parent(_) => Ok(Some(Self { cards: program.cards.clone(), ask, answer })),
        }
    }

    /// The card that something is done with; `Program::check` has refused others.
    pub(crate) fn card(&self, act: &Act) -> Option<&Card> {
        self.cards.get(act.card as usize)
    }

    /// Begins what the guest itself does. What the machine does has been asked for.
    pub(crate) fn start(&self, act: &Act, rest: bool) -> Result<(), Errno> {
        if seen_inside(act.deed) {
            return Ok(());
        }
        let [a, b, c, d] = act.limit_ms.to_le_bytes();
        io::write_all(self.ask.raw(), &[act.deed as u8, act.card as u8, u8::from(rest), a, b, c, d])
    }

    /// What has come of it, if anything: to be asked again until something has.
    pub(crate) fn outcome(&self, act: &Act, until: Deadline) -> Option<Outcome> {
        let Some(card) = self.card(act) else { return Some(Outcome::Failed("no such card".into())) };
        if !seen_inside(act.deed) {
            return self.answered();
        }
        let answer = match interface::list() {
            Ok(answer) => answer,
            Err(errno) => return Some(Outcome::Failed(format!("interfaces cannot be listed ({errno})"))),
        };
        let state = link_state(&answer, &card.interface);
        let noticed = match act.deed {
            Deed::LinkDown => state == Some(LINK_DOWN),
            Deed::LinkUp => state == Some(LINK_UP),
            _ => state.is_none(),
        };
        match noticed {
            true => Some(Outcome::Noticed),
            false => until.passed().then_some(Outcome::Unnoticed),
        }
    }

    /// The answer of the process outside, if there is one.
    fn answered(&self) -> Option<Outcome> {
        let mut answer = [PollFd::readable(self.answer.raw())];
        if io::poll(&mut answer, 0).is_err() || !answer.iter().any(|fd| fd.ready()) {
            return None;
        }
        let mut text = vec![0; 512];
        let outcome = match io::read(self.answer.raw(), &mut text) {
            Ok(len) => text.get(..len).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(match outcome.split_first() {
            Some((b'+', _)) => Outcome::Noticed,
            Some((b'?', _)) => Outcome::Unnoticed,
            Some((_, text)) => Outcome::Failed(String::from_utf8_lossy(text).to_string()),
            None => Outcome::Failed("the process that looks after network cards has died".into()),
        })
    }
}

/// Whether what is done is noticed in the program's own network stack.
fn seen_inside(deed: Deed) -> bool {
    matches!(deed, Deed::LinkDown | Deed::LinkUp | Deed::Unplug)
}

/// Serves the program until its end of the pipe is closed. An answer is one write, less than a pipe takes at once.
fn serve(asked: &Fd, answers: &Fd, cards: &[Card], jail: &Jail) {
    let mut request = [0; REQUEST];
    while io::read(asked.raw(), &mut request) == Ok(REQUEST) {
        let [deed, card, rest, limit @ ..] = request;
        let until = Deadline::after_ms(u32::from_le_bytes(limit));
        let deed = Deed::ALL.into_iter().find(|known| *known as u8 == deed);
        let outcome = match (deed, cards.get(usize::from(card))) {
            (Some(deed), Some(card)) => act(deed, card, jail, rest != 0, until),
            _ => Outcome::Failed("asked for nothing known".into()),
        };
        let mut answer = match outcome {
            Outcome::Noticed => Vec::from(*b"+"),
            Outcome::Unnoticed => Vec::from(*b"?"),
            Outcome::Failed(text) => [b"-", text.as_bytes()].concat(),
        };
        answer.truncate(500);
        if io::write_all(answers.raw(), &answer).is_err() {
            return;
        }
    }
}

fn act(deed: Deed, card: &Card, jail: &Jail, rest: bool, until: Deadline) -> Outcome {
    let selector = card.selector();
    let done = match deed {
        Deed::Detach => devctl(&["detach", &selector], until),
        Deed::Attach => devctl(&["attach", &selector], until),
        Deed::Reset => devctl(&["reset", "-d", &selector], until),
        _ => Outcome::Noticed,
    };
    match (deed, done) {
        (Deed::Plug | Deed::Attach | Deed::Reset, Outcome::Noticed) => arrive(card, jail, rest, until),
        (_, done) => done,
    }
}

/// Runs devctl(8).
fn devctl(arguments: &[&str], until: Deadline) -> Outcome {
    let argv: Vec<String> = ["/usr/sbin/devctl"].iter().chain(arguments).map(ToString::to_string).collect();
    let what = argv.join(" ");
    let mut command = match Command::start(&argv) {
        Ok(command) => command,
        Err(errno) => return Outcome::Failed(format!("`{what}` could not be started ({errno})")),
    };
    loop {
        match command.status() {
            Ok(None) if until.passed() => {
                command.kill().ok();
                return Outcome::Unnoticed;
            }
            Ok(None) => {}
            Ok(Some(0)) => return Outcome::Noticed,
            Ok(Some(status)) => {
                let said = command.finish(status).stderr;
                let said = String::from_utf8_lossy(&said);
                return Outcome::Failed(format!("`{what}` ended with {status}: {}", said.trim()));
            }
            Err(errno) => {
                return Outcome::Failed(format!("the end of `{what}` could not be learnt ({errno})"));
            }
        }
        let mut pipes = command.pipes();
        io::poll(&mut pipes, LOOK_MS).ok();
        command.read(pipes);
        if command.silent() {
            io::poll(&mut [], 1).ok();
        }
    }
}

/// Waits until a card's driver has taken it, and moves the interface into the jail. A driver that is still attaching makes
/// its interface first and is not ready for anything then.
fn arrive(card: &Card, jail: &Jail, rest: bool, until: Deadline) -> Outcome {
    let failed = |what: &str| {
        let what = String::from(what);
        move |errno: Errno| Outcome::Failed(format!("{what} ({errno})"))
    };
    let ready = || -> Result<bool, Outcome> {
        let answer = interface::list().map_err(failed("interfaces cannot be listed"))?;
        let there = from_iflist(&answer).iter().any(|interface| interface.name == card.interface);
        Ok(there && device::is_attached(&card.interface).map_err(failed("hw.bus cannot be read"))?)
    };
    loop {
        match ready() {
            Ok(true) => break,
            Ok(false) if until.passed() => return Outcome::Unnoticed,
            Ok(false) => {}
            Err(outcome) => return outcome,
        }
        io::poll(&mut [], LOOK_MS).ok();
    }
    // Some find their link later, and whether they have when they are moved would be chance.
    let rested = Deadline::after_ms(if rest { card.settle_ms } else { 0 });
    while !rested.passed() {
        io::poll(&mut [], rested.poll_ms()).ok();
    }
    let jid = match jail {
        Jail::Waiting(_, jid) => Ok(*jid),
        Jail::Fresh(name) => jail::get(name).map(|jid| jid as jail::Jid),
    };
    let moved = jid.and_then(|jid| {
        let ioctls = socket::open_for_ioctls()?;
        interface::move_to(&ioctls, &card.interface, jid)
    });
    match moved {
        Ok(()) => Outcome::Noticed,
        Err(errno) => {
            Outcome::Failed(format!("{} could not be moved into the jail ({errno})", card.interface))
        }
    }
}
