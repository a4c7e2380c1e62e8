// SPDX-License-Identifier: BSD-2-Clause
//! Network cards of a program. A driver's interface comes in the guest's own network stack, in which a process of the
//! program stays while the program itself is in its jail: it waits for the interface, moves it into the jail, and runs
//! devctl(8), which works outside jails only.
//!
//! No driver is asked for anything: the link is read from what the kernel keeps of it, the state of a device from
//! `hw.bus`.
//!
//! A card without hardware is an interface of a cloner: it is made, destroyed and given its faults inside the jail.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use nlproof_agent::interfaces::link_state;
use nlproof_agent::{Act, Card, Deed, Fault, Program};

use crate::card_acts::Outcome;
use crate::command::Command;
use crate::isolate::Jail;
use crate::sys::clock::Deadline;
use crate::sys::io::{self, Fd, PollFd};
use crate::sys::{Errno, device, errno, interface, jail, process, socket, sysctl};

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
    /// The pipes to the process outside; `None`: no card is hardware.
    outside: Option<Outside>,
}

struct Outside {
    ask: Fd,
    answer: Fd,
}

impl Cards {
    /// Starts the process that stays outside; to be called before the program enters its jail. `None`: no cards.
    pub(crate) fn begin(program: &Program, jail: &Jail) -> Result<Option<Self>, (Errno, String)> {
        let cards = program.cards.clone();
        if cards.is_empty() {
            return Ok(None);
        }
        if !cards.iter().any(Card::is_hardware) {
            return Ok(Some(Self { cards, outside: None }));
        }
        cards.iter().filter(|card| card.is_hardware()).try_for_each(wait_for_its_place)?;
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
            process::Forked::Parent(_) => Ok(Some(Self { cards, outside: Some(Outside { ask, answer }) })),
        }
    }

    /// The card that something is done with; `Program::check` has refused others.
    pub(crate) fn card(&self, act: &Act) -> Option<&Card> {
        self.cards.get(act.card as usize)
    }

    /// Begins what the guest itself does. What the machine does has been asked for.
    pub(crate) fn start(&self, act: &Act, rest: bool) -> Result<(), Errno> {
        if self.is_seen_inside(act) {
            return Ok(());
        }
        let Some(outside) = &self.outside else { return Ok(()) };
        let deed = Deed::ALL.iter().position(|deed| *deed == act.deed).unwrap_or(usize::MAX) as u8;
        let [a, b, c, d] = act.limit_ms.to_le_bytes();
        io::write_all(outside.ask.raw(), &[deed, act.card as u8, u8::from(rest), a, b, c, d])
    }

    /// Whether what is done is done and noticed in the program's own network stack.
    fn is_seen_inside(&self, act: &Act) -> bool {
        let is_hardware = self.card(act).is_some_and(Card::is_hardware);
        !is_hardware || matches!(act.deed, Deed::LinkDown | Deed::LinkUp | Deed::Rest)
    }

    /// What has come of it, if anything: to be asked again until something has.
    pub(crate) fn outcome(&self, act: &Act, until: Deadline) -> Option<Outcome> {
        let Some(card) = self.card(act) else { return Some(Outcome::Failed("no such card".into())) };
        if !card.is_hardware() {
            return Some(without_hardware(card, act.deed));
        }
        if !self.is_seen_inside(act) {
            return self.answered();
        }
        let answer = match interface::list() {
            Ok(answer) => answer,
            Err(errno) => return Some(Outcome::Failed(format!("interfaces cannot be listed ({errno})"))),
        };
        let wanted = if act.deed == Deed::LinkDown { LINK_DOWN } else { LINK_UP };
        match link_state(&answer, &card.interface) == Some(wanted) {
            true => Some(Outcome::Noticed),
            false => until.passed().then_some(Outcome::Unnoticed),
        }
    }

    /// The answer of the process outside, if there is one.
    fn answered(&self) -> Option<Outcome> {
        let outside = self.outside.as_ref()?;
        let mut answer = [PollFd::readable(outside.answer.raw())];
        if io::poll(&mut answer, 0).is_err() || !answer.iter().any(|fd| fd.ready()) {
            return None;
        }
        let mut text = vec![0; 512];
        let outcome = match io::read(outside.answer.raw(), &mut text) {
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

/// Does something with an interface of a cloner.
fn without_hardware(card: &Card, deed: Deed) -> Outcome {
    let done = match deed {
        Deed::Plug => {
            socket::open_for_ioctls().and_then(|socket| interface::create(&socket, &card.interface))
        }
        Deed::Unplug => {
            match socket::open_for_ioctls().and_then(|socket| interface::destroy(&socket, &card.interface)) {
                // The program has done so itself.
                Err(errno::ENXIO) => Ok(()),
                done => done,
            }
        }
        Deed::Fault(fault) => set(fault),
        _ => Err(errno::EINVAL),
    };
    match done {
        Ok(()) => Outcome::Noticed,
        Err(errno) => Outcome::Failed(format!("{}: {} could not be had ({errno})", card.name, deed.name())),
    }
}

/// Gives a fault to the driver's interfaces in this network stack.
fn set(fault: Fault) -> Result<(), Errno> {
    let (name, value) = fault.setting();
    sysctl::set(&format!("net.link.faultnic.{name}"), value.as_bytes())
}

/// Serves the program until its end of the pipe is closed. An answer is one write, less than a pipe takes at once.
fn serve(asked: &Fd, answers: &Fd, cards: &[Card], jail: &Jail) {
    let mut request = [0; REQUEST];
    while io::read(asked.raw(), &mut request) == Ok(REQUEST) {
        let [deed, card, rest, limit @ ..] = request;
        let until = Deadline::after_ms(u32::from_le_bytes(limit));
        let deed = Deed::ALL.get(usize::from(deed)).copied();
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
        (Deed::Unplug, _) => leave(card, until),
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

/// What failed, for a kernel's number.
fn failed(what: &'static str) -> impl Fn(Errno) -> Outcome {
    move |errno| Outcome::Failed(format!("{what} ({errno})"))
}

/// Waits until the place of a card is empty: a program that died has left its own cards there, which the machine pulls.
fn wait_for_its_place(card: &Card) -> Result<(), (Errno, String)> {
    let limit_ms = Deed::Unplug.limit_ms();
    match leave(card, Deadline::after_ms(limit_ms)) {
        Outcome::Noticed => Ok(()),
        Outcome::Unnoticed => {
            let text =
                format!("the card of an earlier vector is in the place of {} after {limit_ms} ms", card.name);
            Err((errno::EBUSY, text))
        }
        Outcome::Failed(text) => Err((Errno(0), text)),
    }
}

/// Waits until a card is gone, and its slot is empty for the kernel too: it lets the machine eject the card and looks which
/// slots are empty only then. A card that comes in between is taken for the old one and never attached
/// (`acpi_pci_device_notify_handler` and `pci_rescan_method`). A driver says whatever it says before its device is gone.
fn leave(card: &Card, until: Deadline) -> Outcome {
    let is_there = || match card.is_usb() {
        true => device::state(&card.device).map(|state| state.is_some()),
        // The device of the driver is that in the slot, or below it.
        false => device::is_at(&card.selector()),
    };
    loop {
        match is_there() {
            Ok(false) => return Outcome::Noticed,
            Ok(true) if until.passed() => return Outcome::Unnoticed,
            Ok(true) => {}
            Err(errno) => return failed("hw.bus cannot be read")(errno),
        }
        io::poll(&mut [], LOOK_MS).ok();
    }
}

/// Whether the interface of a USB device is whole. A process of the driver's makes it when the device is attached already;
/// `net.ue.N.%parent` comes last (sys/dev/usb/net/usb_ethernet.c) and tells the device.
fn is_made(card: &Card) -> bool {
    let unit = card.interface.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parent = [0; 64];
    let told = sysctl::read(&format!("net.ue.{unit}.%parent"), &mut parent);
    let name = told.ok().and_then(|len| parent.get(..len)?.split(|byte| *byte == 0).next());
    name == Some(card.device.as_bytes())
}

/// Waits until a card's driver has taken it, and moves the interface into the jail. A driver that is still attaching makes
/// its interface first and is not ready for anything then.
fn arrive(card: &Card, jail: &Jail, rest: bool, until: Deadline) -> Outcome {
    let link = || -> Result<Option<u8>, Outcome> {
        let answer = interface::list().map_err(failed("interfaces cannot be listed"))?;
        Ok(link_state(&answer, &card.interface))
    };
    let ready = || -> Result<bool, Outcome> {
        let state = device::state(&card.device).map_err(failed("hw.bus cannot be read"))?;
        Ok(state == Some(device::ATTACHED) && link()?.is_some() && (!card.is_usb() || is_made(card)))
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
    // Some find their link later, and whether they have when they are moved would be chance. That it is up is the last that
    // they find; of those that do not say so nothing is known but how long any was seen to take.
    let rested = Deadline::after_ms(if rest { card.settle_ms } else { 0 });
    while !rested.passed() {
        match link() {
            Ok(Some(LINK_UP)) => break,
            Ok(_) => {}
            Err(outcome) => return outcome,
        }
        io::poll(&mut [], LOOK_MS).ok();
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
