// SPDX-License-Identifier: BSD-2-Clause
//! The phases of endurance: what a guest does in each, in parts.

use nlproof_agent::{NO_LIMIT_MS, Send, Step, Until};
use nlproof_wire::consts::{RTNLGRP_IPV4_IFADDR, RTNLGRP_LINK};

use super::requests::{
    add_address, count, create, delete_address, destroy, dump_addresses, dump_links, get_link,
    set_description, set_link,
};
use crate::targets::freebsd::host_stack::shell;

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
    pub(super) fn part(self) -> u32 {
        match self {
            Phase::Loads(_) => 4,
            Phase::UnloadUnderLoad(_) => 5,
            Phase::Requests(_) => 128,
            Phase::Interfaces(_) => 20,
        }
    }

    /// The rounds of each part.
    pub(super) fn parts(self) -> impl Iterator<Item = u32> {
        let (rounds, part) = (self.rounds(), self.part());
        (0..rounds.div_ceil(part)).map(move |number| part.min(rounds - number * part))
    }

    /// The rounds that are done after each [`Step::Count`], in their order.
    pub(super) fn done_after(self) -> impl Iterator<Item = u32> {
        let prepared = usize::from(matches!(self, Phase::Requests(_)));
        let sums = self.parts().scan(0, |sum, part| {
            *sum += part;
            Some(*sum)
        });
        std::iter::repeat_n(0, prepared).chain(sums)
    }

    /// The guest's work, and the groups whose events are counted meanwhile.
    pub(super) fn steps(self) -> (Vec<Step>, Vec<u32>) {
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
}

/// Requests of [`mixed`].
pub(super) const KINDS: u32 = 8;

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

#[cfg(test)]
mod tests {
    use super::*;

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
