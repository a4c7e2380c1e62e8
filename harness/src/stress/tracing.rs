// SPDX-License-Identifier: BSD-2-Clause
//! The cost of recording the module's probes in a real kernel, and how many a second the ring takes.

use std::time::Duration;

use nlproof_agent::{NO_LIMIT_MS, Step, Until};
use nlproof_base::counted;

use super::requests::{count, create, dump_links};
use super::speed::ratio;
use crate::targets::FreebsdTarget;
use crate::targets::TargetError;
use crate::targets::freebsd::host_stack::shell;

/// Limit for all turns, under TCG and beside other work.
const LIMIT: Duration = Duration::from_secs(300);
/// Throws away what is in the ring.
const EMPTY: &str = "sysctl -b net.netlink.nlproof.records > /dev/null";
/// Dumps of a thousand interfaces between two looks into the ring, of 32,768 records: some 20,000.
const DUMPS_AT_ONCE: u32 = 20;
/// Bytes of a record.
const RECORD: u64 = nlproof_agent::ring::RECORD_LEN as u64;

/// The cost of dumps with and without the ring.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceCost {
    /// Ticks of a dump with the ring off, for each turn.
    pub off: Vec<u64>,
    /// The same with the ring on.
    pub on: Vec<u64>,
    /// Probes that one dump records.
    pub records: u64,
    /// Faults found.
    pub failed: Vec<String>,
}

/// Records of dumps that follow one another without a rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sustained {
    /// Dumps that were asked for.
    pub dumps: u32,
    /// From the first record to the last, by the guest's clock; reading is in it.
    pub duration: Duration,
    /// Records that were read.
    pub read: u64,
    /// Records that found no room.
    pub dropped: u64,
    /// What is not as it has to be.
    pub failed: Vec<String>,
}

impl TraceCost {
    /// Ticks with the ring over those without: of the middle turn of each.
    pub fn ratio(&self) -> Option<f64> {
        ratio(&self.off, &self.on)
    }
}

impl FreebsdTarget {
    /// Dumps interfaces, in turn with the ring off and on. The first call makes `interfaces` of them.
    ///
    /// # Errors
    /// The guest was lost.
    pub fn trace_cost(&mut self, interfaces: u32, turns: u32) -> Result<TraceCost, TargetError> {
        let exec = |script: String| Step::Exec { argv: shell(&script), limit_ms: NO_LIMIT_MS };
        let ask = || count(vec![vec![dump_links()]], Until::Requests(1), Vec::new(), 0);
        let made: Vec<_> = (1..=interfaces).map(|number| create(&format!("lo{number}"))).collect();
        let mut steps = vec![count(vec![made], Until::Requests(interfaces), Vec::new(), 0)];
        for _ in 0..turns {
            for on in [0, 1] {
                // The first answer finds caches cold, and the ring is empty for the one that counts.
                steps.extend([exec(format!("sysctl net.netlink.nlproof.trace={on} > /dev/null")), ask()]);
                steps.extend([exec(EMPTY.to_owned()), ask()]);
            }
            steps.push(exec("sysctl -b net.netlink.nlproof.records | wc -c".to_owned()));
        }
        steps.push(exec("sysctl net.netlink.nlproof.trace=0 > /dev/null".to_owned()));
        let outcome = self.in_host_stack("dumps with and without probes", steps, Vec::new(), LIMIT)?;
        let mut cost = TraceCost { failed: outcome.failed, ..TraceCost::default() };
        for turn in outcome.counted.get(1..).unwrap_or_default().chunks_exact(4) {
            let [_, off, _, on] = turn else { continue };
            cost.off.push(off.ticks);
            cost.on.push(on.ticks);
        }
        let records: Vec<u64> = numbers(&outcome.output).map(|bytes| bytes / RECORD).collect();
        cost.records = records.first().copied().unwrap_or_default();
        if cost.on.len() < turns as usize || records.len() < turns as usize {
            cost.failed.push(format!("only {} of {} came to the end", cost.on.len(), counted(turns, "turn")));
        }
        if records.iter().any(|other| *other != cost.records || *other == 0) {
            cost.failed.push(format!("dumps recorded different numbers of probes, or none: {records:?}"));
        }
        Ok(cost)
    }

    /// Dumps what interfaces there are, `rounds` times so many that they fill a good part of the ring; the agent reads
    /// it after each round.
    ///
    /// # Errors
    /// The guest was lost.
    pub fn trace_sustained(&mut self, rounds: u32) -> Result<Sustained, TargetError> {
        let round = || count(vec![vec![dump_links()]], Until::Requests(DUMPS_AT_ONCE), Vec::new(), 0);
        let steps = (0..rounds).map(|_| round()).collect();
        let outcome = self.in_host_stack_traced("dumps whose probes are read", steps, LIMIT)?;
        let traced = outcome.traced;
        let mut sustained = Sustained {
            dumps: rounds * DUMPS_AT_ONCE,
            read: traced.read,
            dropped: traced.lost.unwrap_or(0),
            duration: Duration::from_nanos(traced.last_ns.saturating_sub(traced.first_ns.unwrap_or(0))),
            failed: outcome.failed,
        };
        if traced.lost.is_none() {
            sustained.failed.push("the kernel was not traced".into());
        }
        Ok(sustained)
    }
}

/// The numbers that commands printed, a line each.
fn numbers(output: &str) -> impl Iterator<Item = u64> {
    output.lines().filter_map(|line| line.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_the_middle_turns() {
        let cost =
            |off: &[u64], on: &[u64]| TraceCost { off: off.into(), on: on.into(), ..TraceCost::default() };
        assert_eq!(cost(&[100, 900, 100], &[110, 105, 110]).ratio(), Some(1.1));
        assert_eq!(cost(&[], &[]).ratio(), None);
        assert_eq!(cost(&[0], &[1]).ratio(), None);
    }

    #[test]
    fn what_commands_say_is_read_by_lines() {
        assert_eq!(numbers("   640\n64\nno number\n").collect::<Vec<_>>(), [640, 64]);
    }
}
