// SPDX-License-Identifier: BSD-2-Clause
//! `doctor --nics`: which network cards of QEMU's a kernel sees, found out by plugging each into a guest.

use std::time::Duration;

use nlproof_agent::{Act, Batch, Body, Deed, Privilege, Program, Record, SocketOptions, Step};

use super::args::{CellArgs, GuestArgs, ProjectArgs};
use super::exit::{CliError, ExitCode};
use super::out::{say, tell};
use super::project::Project;
use super::shell::guest_cell;
use super::targets::{Targets, lost, open_error, open_freebsd_shown};
use crate::targets::{Target as _, TargetError};
use crate::vector::{CARD_MODELS, CardModel, NeededCard};

/// What the card is called in the guest's program.
const NAME: &str = "nic";
/// How long a change of the link is looked for, in milliseconds: of drivers that look for themselves none was seen to take
/// longer.
const LINK_MS: u32 = 2000;
/// How long a card may take to come, in milliseconds. An e1000 was seen to take 11 s on a machine with ten times the work
/// that it can do, all others less than one.
const PLUG_MS: u32 = 30_000;
/// How long a card may take to go, in milliseconds.
const UNPLUG_MS: u32 = 20_000;
/// Steps of the program that are looked at afterwards.
const PLUG_STEP: u32 = 0;
const LINK_STEP: u32 = 4;
const UNPLUG_STEP: u32 = 5;
/// How long the agent may be silent: no step takes as long. A kernel that holds a card's driver for ever holds the agent too,
/// when it clears up.
const SILENCE: Duration = Duration::from_secs(45);
/// For a card and everything that is done with it, in milliseconds.
const LIMIT_MS: u32 = 240_000;

pub(super) fn main(project: &ProjectArgs, cells: &CellArgs, guest: &GuestArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?.with_kernels(&cells.kernel, &cells.release)?;
    let targets = Targets::new(guest, &project)?;
    let cell = guest_cell(&project, &targets, cells)?;
    let mut open = None;
    say!(
        "{:<15} {:<18} {:<10} {:<10} {:<10} {:<8} link is noticed",
        "model",
        "driver",
        "interface",
        "hot-plugs",
        "attaches",
        "media"
    );
    for model in in_turn() {
        let driver = model.driver.unwrap_or("none");
        let mut target = match open.take() {
            Some(target) => target,
            None => open_freebsd_shown(&targets, &cell).map_err(open_error)?,
        };
        target.bound_silence(SILENCE);
        let facts = target.facts();
        if let Some(lack) = facts.cards.lack(&NeededCard { model: *model }, facts.modules.as_deref()) {
            say!("{:<15} {driver:<18} {lack}", model.name);
            open = Some(target);
            continue;
        }
        tell!("{}: plugged in", model.name);
        let mut seen = Seen::default();
        let run = target.run(&Batch { programs: vec![program(model)] }, &mut |record| seen.hear(&record));
        match run {
            Ok(()) => {
                let interface = format!("{}{}", model.interface, model.first);
                say!("{:<15} {driver:<18} {interface:<10} {}", model.name, seen.words());
                open = Some(target);
            }
            Err(TargetError::Guest(loss)) => {
                say!(
                    "{:<15} {driver:<18} {}the guest is lost: {}",
                    model.name,
                    seen.before_loss(),
                    loss.fingerprint
                );
                tell!("{}", loss.text);
            }
            Err(error) => return Err(lost(error)),
        }
    }
    Ok(ExitCode::OK)
}

/// The models, those last that panic kernels: whoever waits has seen the others by then.
fn in_turn() -> impl Iterator<Item = &'static CardModel> {
    let panics = |model: &&CardModel| model.name == "vmxnet3";
    CARD_MODELS.iter().filter(move |model| !panics(model)).chain(CARD_MODELS.iter().filter(panics))
}

/// Plugs the card, asks ifconfig(8) for it, takes the link away and pulls the card.
fn program(model: &CardModel) -> Program {
    let card = model.alone(NAME);
    let argv = ["/sbin/ifconfig", &card.interface].map(str::to_owned).to_vec();
    let up = ["/sbin/ifconfig", &card.interface, "up"].map(str::to_owned).to_vec();
    let act = |deed: Deed, limit_ms, unnoticed| Step::Hardware(Act { card: 0, deed, limit_ms, unnoticed });
    Program {
        id: 0,
        name: model.name.to_owned(),
        privilege: Privilege::Root,
        socket: SocketOptions::default(),
        groups: Vec::new(),
        cards: vec![card],
        settings: vec![],
        steps: vec![
            act(Deed::Plug, PLUG_MS, true),
            Step::Exec { argv: up, limit_ms: 10_000 },
            // Some lose their link when they come up, and have it again soon; some never say that they have one.
            act(Deed::Rest, model.settle_ms.saturating_mul(2), true),
            Step::Exec { argv, limit_ms: 10_000 },
            act(Deed::LinkDown, LINK_MS, true),
            act(Deed::Unplug, UNPLUG_MS, true),
        ],
        limit_ms: LIMIT_MS,
        kernel_trace: false,
    }
}

/// What was seen of one card.
#[derive(Debug, Default)]
struct Seen {
    /// Steps in which the kernel did not notice.
    unnoticed: Vec<u32>,
    /// What ifconfig(8) printed.
    output: String,
    failed: Option<String>,
}

impl Seen {
    fn hear(&mut self, record: &Record) {
        match &record.body {
            Body::Unnoticed { .. } => self.unnoticed.extend(record.in_step()),
            Body::Exec { stdout, .. } => self.output.push_str(&String::from_utf8_lossy(stdout)),
            Body::Error { text, .. } => self.failed = self.failed.take().or(Some(text.clone())),
            _ => {}
        }
    }

    /// The columns behind the interface.
    fn words(&self) -> String {
        if let Some(text) = &self.failed {
            return format!("failed: {text}");
        }
        if self.unnoticed.contains(&PLUG_STEP) {
            return format!("not noticed within {} s", PLUG_MS / 1000);
        }
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let status = self.output.lines().find_map(|line| line.trim().strip_prefix("status: "));
        let media = if self.output.contains("media: ") { status.unwrap_or("no status") } else { "none" };
        format!(
            "{:<10} {:<10} {media:<8} {}{}",
            "yes",
            yes(!self.output.is_empty()),
            yes(!self.unnoticed.contains(&LINK_STEP)),
            if self.unnoticed.contains(&UNPLUG_STEP) { format!("; {}", not_let_go()) } else { String::new() }
        )
    }

    /// What is told before the loss of a guest.
    fn before_loss(&self) -> String {
        let held = self.unnoticed.contains(&UNPLUG_STEP);
        if held { format!("{}, and ", not_let_go()) } else { String::new() }
    }
}

fn not_let_go() -> String {
    format!("its driver does not let it go within {} s", UNPLUG_MS / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bodies: &[(u32, Body)]) -> String {
        let mut seen = Seen::default();
        for (step, body) in bodies {
            seen.hear(&Record { program: 0, step: *step, t_ns: 0, body: body.clone() });
        }
        seen.words().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_seen_of_a_card_is_told() {
        let unnoticed = |step| (step, Body::Unnoticed { wait: String::new(), limit_ms: 1, foreknown: true });
        let output = |text: &str| (3, Body::Exec { status: 0, stdout: text.into(), stderr: vec![] });
        let full = output("em0: flags\n\tmedia: Ethernet autoselect\n\tstatus: active\n");
        assert_eq!(seen(std::slice::from_ref(&full)), "yes yes active yes");
        assert_eq!(seen(&[full, unnoticed(4)]), "yes yes active no");
        assert_eq!(seen(&[output("em0: flags\n")]), "yes yes none yes");
        let held = seen(&[output("em0: flags\n"), unnoticed(5)]);
        assert_eq!(held, "yes yes none yes; its driver does not let it go within 20 s");
        assert_eq!(seen(&[unnoticed(0)]), "not noticed within 30 s");
    }

    #[test]
    fn a_guest_that_is_lost_with_a_driver_that_lets_nothing_go_says_both() {
        assert_eq!(Seen::default().before_loss(), "");
        let held = Seen { unnoticed: vec![UNPLUG_STEP], ..Seen::default() };
        assert_eq!(held.before_loss(), "its driver does not let it go within 20 s, and ");
    }

    #[test]
    fn every_model_has_a_program_that_the_agent_takes() {
        for model in CARD_MODELS {
            assert_eq!(program(model).check(), Ok(()), "{}", model.name);
        }
    }
}
