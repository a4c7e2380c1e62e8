// SPDX-License-Identifier: BSD-2-Clause
//! The module under load: loaded and unloaded while clients ask, asked while its mode is switched, and told of
//! interfaces that come and go. What the kernel has allocated before and after shows what is lost.

use std::time::{Duration, Instant};

use nlproof_agent::{Counted, NO_LIMIT_MS, Send, Step, Until};
use nlproof_base::counted;
use nlproof_wire::consts::{RTNLGRP_IPV4_IFADDR, RTNLGRP_LINK};

use super::requests::{
    add_address, count, create, delete_address, destroy, dump_addresses, dump_links, get_link,
    set_description, set_link,
};
use crate::targets::FreebsdTarget;
use crate::targets::TargetError;
use crate::targets::freebsd::host_stack::shell;
use crate::targets::freebsd::programs::Outcome;

/// A command that only looks.
pub(super) const LOOK: Duration = Duration::from_secs(60);
/// Limit for each round of a phase, under hardware virtualisation.
const ROUND: Duration = Duration::from_secs(2);
/// Limit for an attempt to unload, which the module gives up after ten seconds, and a load.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Sockets that ask at once.
const SOCKETS: u32 = 4;
/// How long a socket rests between two questions while the module is unloaded, which waits until every processor was
/// idle once.
const REST_MS: u32 = 20;
/// Switches the mode until it is killed, a dot each time. Starting a process takes longer than a switch: each makes three,
/// and leaves the mode as it is until the next one has started.
const SWITCHING: &str = "mode=net.netlink.nlproof.mode
while :; do
 sysctl -q $mode=observe $mode=replace $mode=observe > /dev/null || exit 1; echo -n ...
 sysctl -q $mode=replace $mode=observe $mode=replace > /dev/null || exit 1; echo -n ...
done";

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The module is unloaded and loaded this often, while four sockets ask for dumps, the lengths of which
    /// must not change. They rest between two questions, because the module's unloading waits until every
    /// processor was idle once.
    Loads(u32),
    /// This many attempts to unload while four sockets ask without a rest, one after another, and to load a
    /// second time. Each attempt ends, either way: unloaded, and loaded again, or refused and still answering.
    UnloadUnderLoad(u32),
    /// This many requests of eight kinds by four sockets, while the mode is switched. One of eight must be
    /// rejected, and two change an address, of which the group's listeners have to learn.
    Requests(u32),
    /// This many interfaces created and destroyed by four sockets, while the mode is switched.
    Interfaces(u32),
}

/// What became of a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseResult {
    /// The phase.
    pub phase: Phase,
    /// How long it took, on this host's clock.
    pub duration: Duration,
    /// What was counted, for people.
    pub output: String,
    /// Faults found.
    pub failed: Vec<String>,
}

impl Phase {
    /// Name of the phase in reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Loads(_) => "loads",
            Phase::UnloadUnderLoad(_) => "busy",
            Phase::Requests(_) => "requests",
            Phase::Interfaces(_) => "interfaces",
        }
    }

    /// How many rounds it has.
    pub fn rounds(self) -> u32 {
        let (Phase::Loads(rounds)
        | Phase::UnloadUnderLoad(rounds)
        | Phase::Requests(rounds)
        | Phase::Interfaces(rounds)) = self;
        rounds
    }

    /// Rounds of one part of a phase; a part takes less than a second. The agent reports a part when it has ended: a
    /// guest that is silent for some seconds is looked at, which is more work for it, and one that is silent for
    /// minutes counts as hung.
    fn part(self) -> u32 {
        match self {
            Phase::Loads(_) => 4,
            Phase::UnloadUnderLoad(_) => 5,
            Phase::Requests(_) => 128,
            Phase::Interfaces(_) => 20,
        }
    }

    /// The rounds of each part.
    fn parts(self) -> impl Iterator<Item = u32> {
        let (rounds, part) = (self.rounds(), self.part());
        (0..rounds.div_ceil(part)).map(move |number| part.min(rounds - number * part))
    }

    /// The rounds that are done after each [`Step::Count`], in their order.
    fn done_after(self) -> impl Iterator<Item = u32> {
        let prepared = usize::from(matches!(self, Phase::Requests(_)));
        let sums = self.parts().scan(0, |sum, part| {
            *sum += part;
            Some(*sum)
        });
        std::iter::repeat_n(0, prepared).chain(sums)
    }

    /// The guest's work, and the groups whose events are counted meanwhile.
    fn steps(self) -> (Vec<Step>, Vec<u32>) {
        let each = |rounds: u32, requests: u32| Until::Requests(rounds.div_ceil(SOCKETS) * requests);
        match self {
            Phase::Loads(_) => {
                let part = |rounds| {
                    let loop_of = format!(
                        "i=0; while [ $i -lt {rounds} ]; do kldunload nlproof_iface || exit 1; \
                         kldload /tmp/nlproof_iface.ko || exit 2; i=$((i + 1)); done"
                    );
                    count(lanes(dumps), Until::Command, shell(&loop_of), REST_MS)
                };
                (self.parts().map(part).collect(), vec![])
            }
            Phase::UnloadUnderLoad(_) => {
                let part = |rounds| count(lanes(dumps), Until::Command, shell(&busy(rounds)), 0);
                (self.parts().map(part).collect(), vec![])
            }
            Phase::Requests(_) => {
                let own = || (0..SOCKETS).map(interface);
                let made = own().map(|name| create(&name)).collect::<Vec<_>>();
                let gone = own().map(|name| destroy(&name)).collect::<Vec<_>>();
                let all = Until::Requests(SOCKETS);
                let part = |rounds: u32| {
                    let until = Until::Requests(rounds.div_ceil(SOCKETS).next_multiple_of(KINDS));
                    count(lanes(mixed), until, shell(SWITCHING), 0)
                };
                let mut steps = vec![count(vec![made], all, Vec::new(), 0)];
                steps.extend(self.parts().map(part));
                steps.extend([replace(), count(vec![gone], all, Vec::new(), 0)]);
                (steps, vec![RTNLGRP_IPV4_IFADDR])
            }
            Phase::Interfaces(_) => {
                let come_and_go = |socket| vec![create(&interface(socket)), destroy(&interface(socket))];
                let part = |rounds| count(lanes(come_and_go), each(rounds, 2), shell(SWITCHING), 0);
                let steps = self.parts().map(part).chain([replace()]).collect();
                (steps, vec![RTNLGRP_LINK])
            }
        }
    }

    /// Checks of the counts.
    fn judge(self, outcome: &Outcome) -> Vec<String> {
        let mut wrong = Vec::new();
        let counted = self.main(outcome);
        let mut expect = |what: &str, wanted: u64, had: u64| {
            if wanted != had {
                wrong.push(format!("{what}: {had} instead of {wanted}"));
            }
        };
        let asked = counted.asked;
        // A few rounds are over before the switcher has had its turn.
        if matches!(self, Phase::Requests(_) | Phase::Interfaces(_)) && self.rounds() > self.part() {
            expect("phases without a switch of the mode", 0, u64::from(outcome.output.is_empty()));
        }
        match self {
            Phase::Loads(_) | Phase::UnloadUnderLoad(_) => {
                expect("refusals", 0, counted.errors);
                expect("answers of another length", 0, counted.uneven);
            }
            Phase::Requests(_) => {
                let kinds = u64::from(KINDS);
                expect("refusals", asked / kinds, counted.errors);
                // Every row of requests gives an address and takes it away. 14.0 announces each once, and 15.1 one of
                // them twice.
                let rows = (asked / kinds).max(1);
                expect("events beyond the same number for each address", 0, counted.events % rows);
                expect(
                    "events fewer than two for each address",
                    0,
                    (rows * 2).saturating_sub(counted.events),
                );
            }
            Phase::Interfaces(_) => {
                expect("refusals", 0, counted.errors);
                // Two requests a round; every round has the same events.
                expect(
                    "events beyond the same number for each interface",
                    0,
                    counted.events % (asked / 2).max(1),
                );
                expect("rounds without an event", 0, u64::from(counted.events == 0));
            }
        }
        wrong
    }

    /// The counts under load, without those of the preparation.
    fn main(self, outcome: &Outcome) -> Counted {
        let prepared = usize::from(matches!(self, Phase::Requests(_)));
        let parts = outcome.counted.iter().skip(prepared).take(self.parts().count());
        parts.fold(Counted::default(), |sum, part| Counted {
            asked: sum.asked + part.asked,
            answered: sum.answered + part.answered,
            errors: sum.errors + part.errors,
            messages: sum.messages + part.messages,
            bytes: sum.bytes + part.bytes,
            events: sum.events + part.events,
            uneven: sum.uneven + part.uneven,
            ticks: sum.ticks + part.ticks,
        })
    }

    /// For people.
    fn summary(self, outcome: &Outcome) -> String {
        let Counted { answered, errors, messages, bytes, events, .. } = self.main(outcome);
        let beside = match self {
            Phase::Loads(_) => String::new(),
            Phase::UnloadUnderLoad(_) => format!(", {}", unloads(&outcome.output)),
            Phase::Requests(_) | Phase::Interfaces(_) => {
                let switched = counted(outcome.output.len(), "time");
                format!(", {errors} refused, {}, mode switched {switched}", counted(events, "event"))
            }
        };
        let [answered, messages, bytes] = [(answered, "request"), (messages, "message"), (bytes, "byte")]
            .map(|(number, noun)| counted(number, noun));
        format!("{answered} answered by {messages}, {bytes}{beside}")
    }
}

/// Requests of [`mixed`].
const KINDS: u32 = 8;

/// Interface of one socket.
fn interface(socket: u32) -> String {
    format!("lo10{socket}")
}

/// One of each kind.
fn mixed(socket: u32) -> Vec<Send> {
    let name = interface(socket);
    let inet = [10, 200, u8::try_from(socket).unwrap_or_default(), 1];
    vec![
        dump_links(),
        get_link(&name),
        set_link(&name, true, 9000),
        add_address(&name, inet),
        dump_addresses(),
        set_description(&name, "under load"),
        delete_address(&name, inet),
        get_link("nlproof-absent"),
    ]
}

fn dumps(_socket: u32) -> Vec<Send> {
    vec![dump_links(), dump_addresses(), get_link("lo0")]
}

fn lanes(of: impl Fn(u32) -> Vec<Send>) -> Vec<Vec<Send>> {
    (0..SOCKETS).map(of).collect()
}

/// Restores the mode after the switching, which may have stopped in either.
fn replace() -> Step {
    Step::Exec {
        argv: shell("sysctl -q net.netlink.nlproof.mode=replace > /dev/null"),
        limit_ms: NO_LIMIT_MS,
    }
}

fn busy(rounds: u32) -> String {
    format!(
        "node=net.netlink.nlproof; i=0; unloaded=0; refused=0
while [ $i -lt {rounds} ]; do
 said=$(kldload /tmp/nlproof_iface.ko 2>&1) && echo a second load succeeded >&2
 case $said in *'already loaded'*) ;; *) echo $said >&2;; esac
 if said=$(kldunload nlproof_iface 2>&1); then unloaded=$((unloaded + 1)); kldload /tmp/nlproof_iface.ko
 else refused=$((refused + 1)); case $said in *busy*) ;; *) echo $said >&2;; esac
  had=$(sysctl -n $node.requests); ifconfig lo0 > /dev/null; [ $(sysctl -n $node.requests) -gt $had ] || echo refused, but no longer answering >&2; fi
 i=$((i + 1)); done
echo $unloaded $refused"
    )
}

/// The sum of what each part of [`busy`] says.
fn unloads(output: &str) -> String {
    let words = |line: &str| -> Option<(u32, u32)> {
        let (unloaded, refused) = line.split_once(' ')?;
        Some((unloaded.parse().ok()?, refused.parse().ok()?))
    };
    let add = |sum: (u32, u32), part: (u32, u32)| (sum.0 + part.0, sum.1 + part.1);
    let (unloaded, refused) = output.lines().filter_map(words).fold((0, 0), add);
    format!("unloaded {}, refused {}", counted(unloaded, "time"), counted(refused, "time"))
}

impl FreebsdTarget {
    /// Runs a phase to its end. `on_part` is told how many rounds are done, each time that a part of it has ended.
    ///
    /// # Errors
    /// The guest was lost.
    pub fn endure(&mut self, phase: Phase, on_part: &mut dyn FnMut(u32)) -> Result<PhaseResult, TargetError> {
        let started = Instant::now();
        let round = match phase {
            Phase::UnloadUnderLoad(_) => ATTEMPT,
            Phase::Requests(_) => ROUND / 20,
            Phase::Loads(_) | Phase::Interfaces(_) => ROUND,
        };
        let (steps, groups) = phase.steps();
        let limit = LOOK + round.saturating_mul(phase.rounds());
        let mut done = phase.done_after();
        let outcome = self.in_host_stack_shown(phase.name(), steps, groups, limit, &mut || {
            if let Some(rounds) = done.next().filter(|rounds| *rounds > 0) {
                on_part(rounds);
            }
        })?;
        let duration = started.elapsed();
        let mut failed = phase.judge(&outcome);
        failed.extend(outcome.failed.iter().cloned());
        Ok(PhaseResult { phase, duration, output: phase.summary(&outcome), failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(phase: Phase, counted: Counted) -> Vec<String> {
        let counts = vec![counted; 3];
        phase.judge(&Outcome { counted: counts, output: "..".into(), ..Outcome::default() })
    }

    #[test]
    fn a_phase_is_held_against_what_its_requests_come_to() {
        let good = Counted { asked: 80, answered: 80, errors: 10, events: 20, ..Counted::default() };
        assert_eq!(counted(Phase::Requests(80), good), [""; 0]);
        assert_eq!(
            counted(Phase::Requests(80), Counted { errors: 11, events: 19, ..good }),
            [
                "refusals: 11 instead of 10",
                "events beyond the same number for each address: 9 instead of 0",
                "events fewer than two for each address: 1 instead of 0"
            ]
        );
        assert_eq!(counted(Phase::Requests(80), Counted { events: 30, ..good }), [""; 0]);
        let unswitched = |rounds| {
            let outcome = Outcome { counted: vec![good; 2], ..Outcome::default() };
            Phase::Requests(rounds).judge(&outcome)
        };
        assert_eq!(unswitched(400), ["phases without a switch of the mode: 1 instead of 0"]);
        assert_eq!(unswitched(64), [""; 0]);
        let loads = Counted { asked: 9, answered: 9, ..Counted::default() };
        assert_eq!(counted(Phase::Loads(3), loads), [""; 0]);
        assert_eq!(counted(Phase::Loads(3), Counted { errors: 1, uneven: 2, ..loads }).len(), 2);
        let interfaces = Counted { asked: 20, answered: 20, events: 30, ..Counted::default() };
        assert_eq!(counted(Phase::Interfaces(10), interfaces), [""; 0]);
        assert_eq!(counted(Phase::Interfaces(10), Counted { events: 31, ..interfaces }).len(), 1);
        assert_eq!(counted(Phase::Interfaces(10), Counted { events: 0, ..interfaces }).len(), 1);
    }

    #[test]
    fn parts_add_up() {
        let parts = |phase: Phase| phase.parts().collect::<Vec<_>>();
        assert_eq!(parts(Phase::Loads(10)), [4, 4, 2]);
        assert_eq!(parts(Phase::Requests(128)), [128]);
        assert_eq!(parts(Phase::UnloadUnderLoad(0)), [0; 0]);
        assert_eq!(Phase::Loads(10).done_after().collect::<Vec<_>>(), [4, 8, 10]);
        assert_eq!(Phase::Requests(200).done_after().collect::<Vec<_>>(), [0, 128, 200]);
        let part = Counted { asked: 8, answered: 8, errors: 1, events: 2, ..Counted::default() };
        let prepared = Counted { asked: 4, answered: 4, events: 7, ..Counted::default() };
        let outcome = Outcome { counted: vec![prepared, part, part, prepared], ..Outcome::default() };
        let sum = Phase::Requests(256).main(&outcome);
        assert_eq!((sum.asked, sum.errors, sum.events), (16, 2, 4));
        assert_eq!(unloads("3 1\n2 0\n"), "unloaded 5 times, refused 1 time");
    }

    #[test]
    fn phases_have_their_rounds() {
        let of = |phase: Phase| -> (u32, usize) {
            let (steps, _) = phase.steps();
            let counts = steps.iter().filter_map(|step| match step {
                Step::Count(count) => Some(count),
                _ => None,
            });
            let until = |count: &nlproof_agent::Count| match count.until {
                Until::Requests(requests) => requests,
                Until::Command => 0,
            };
            (counts.map(until).sum(), steps.len())
        };
        assert_eq!(of(Phase::Loads(12)), (0, 3));
        assert_eq!(of(Phase::Interfaces(10_000)), (5_000, 501));
        assert_eq!(of(Phase::Interfaces(21)), (12, 3));
        // 25,000 by each socket, and what makes and removes the interfaces.
        assert_eq!(of(Phase::Requests(100_000)), (25_000 + 8, 785));
        // In whole rows of the eight kinds.
        assert_eq!(of(Phase::Requests(129)), (32 + 8 + 8, 5));
        assert_eq!((Phase::Requests(3).name(), Phase::Requests(3).rounds()), ("requests", 3));
        assert!(busy(7).contains("-lt 7 ]"));
    }
}
