// SPDX-License-Identifier: BSD-2-Clause
//! A guest kernel's remains of some work: allocations, and stays in the network epoch.

use std::collections::BTreeMap;

use nlproof_base::counted;

use super::endurance::LOOK;
use super::requests::wait_while;
use crate::targets::FreebsdTarget;
use crate::targets::TargetError;
use crate::targets::freebsd::loaded_module::{EPOCH_WAIT, counters, held, words};

/// Allocations in use by malloc type (`malloc/ifnet`) and zone (`zone/256`): `vmstat -m` and `vmstat -z`.
pub type Memory = BTreeMap<String, u64>;

/// The network epoch when nobody asks the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Calls that were put off until every thread had left an epoch, and were made (`kern.epoch.stats.epoch_calls`), since
    /// the guest's boot.
    pub calls: u64,
    /// Faults found.
    pub failed: Vec<String>,
}

/// Waits, half a minute at most, and asks.
fn ask_epoch() -> String {
    let stays = "{ echo some thread does not leave the network epoch >&2; exit 1; }";
    format!(
        "sysctl {EPOCH_WAIT} > /dev/null 2> /tmp/epoch & wait=$!
{}
wait $wait || cat /tmp/epoch >&2
sysctl net.netlink.nlproof.references net.netlink.nlproof.epochs kern.epoch.stats.epoch_calls
",
        wait_while("kill -0 $wait 2> /dev/null", 300, stays)
    )
}

/// What [`ask_epoch`] says.
fn epoch(stdout: &str, stderr: &str) -> Epoch {
    let counters = counters(stdout);
    let mut failed: Vec<String> = stderr.lines().map(str::to_owned).collect();
    failed.extend(held(&counters));
    let calls = counters.get("epoch_calls").copied();
    if calls.is_none() {
        failed.push("the kernel does not count the calls that it put off (kern.epoch.stats)".to_owned());
    }
    Epoch { calls: calls.unwrap_or_default(), failed }
}

impl FreebsdTarget {
    /// Waits until every thread of the guest has left the network epoch and what was put off until then is done.
    ///
    /// # Errors
    /// The guest was lost.
    pub fn epoch(&mut self) -> Result<Epoch, TargetError> {
        let output = self.shell(&ask_epoch(), LOOK)?;
        Ok(epoch(&words(&output.stdout), &words(&output.stderr)))
    }

    /// Allocations of the guest's kernel now.
    ///
    /// # Errors
    /// The guest was lost, or does not tell.
    pub fn memory(&mut self) -> Result<Memory, TargetError> {
        let mut memory = Memory::new();
        for (option, kind) in [("-m", "malloc"), ("-z", "zone")] {
            let output = self.shell(&format!("vmstat --libxo json {option}\n"), LOOK)?;
            let value = serde_json::from_slice(&output.stdout)
                .map_err(|error| TargetError::Lost(format!("vmstat {option} says no JSON: {error}")))?;
            collect(&value, kind, &mut memory);
        }
        if memory.is_empty() {
            return Err(TargetError::Lost("vmstat lists no allocations".into()));
        }
        Ok(memory)
    }
}

/// Entries of vmstat(8): `type` and `in-use` for malloc, `name` and `used` for zones. Zones of one name add up.
fn collect(value: &serde_json::Value, kind: &str, memory: &mut Memory) {
    match value {
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, kind, memory)),
        serde_json::Value::Object(fields) => {
            let name = ["type", "name"].iter().find_map(|key| fields.get(*key)?.as_str());
            let used = ["in-use", "used"].iter().find_map(|key| fields.get(*key)?.as_u64());
            if let (Some(name), Some(used)) = (name, used) {
                *memory.entry(format!("{kind}/{}", name.trim())).or_default() += used;
            }
            fields.values().for_each(|value| collect(value, kind, memory));
        }
        _ => {}
    }
}

/// Growth of a malloc type that is tolerated after a phase of few rounds. 14.0-STABLE's own code keeps about ten
/// allocations of the type `routetbl` for each interface that once had an address (observed with `ifconfig` and no
/// module), and the phase of requests makes four.
const KEPT: u64 = 64;

/// Growth of malloc types over `rounds` rounds, as far as it can be a loss: one in ten rounds, and more
/// than [`KEPT`]. Zones are caches of all the kernel and are shown but not judged.
pub fn losses(before: &Memory, after: &Memory, rounds: u32) -> Vec<String> {
    let most = u64::from(rounds / 10).max(KEPT);
    let grown = |name: &String, after: u64| after.saturating_sub(before.get(name).copied().unwrap_or(0));
    after
        .iter()
        .filter(|(name, used)| name.starts_with("malloc/") && grown(name, **used) > most)
        .map(|(name, used)| format!("{name} grew by {} in {}", grown(name, *used), counted(rounds, "round")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vmstat_is_read_in_both_forms() {
        let mut memory = Memory::new();
        let malloc =
            r#"{"vmstat": {"malloc-statistics": {"memory": [{"type":"ifnet","in-use":7,"requests":9}]}}}"#;
        collect(&serde_json::from_str(malloc).unwrap(), "malloc", &mut memory);
        let zones = r#"{"zone": [{"name":"256","size":256,"used":5}, {"name":"256","used":6}]}"#;
        collect(&serde_json::from_str(zones).unwrap(), "zone", &mut memory);
        assert_eq!(memory, Memory::from([("malloc/ifnet".into(), 7), ("zone/256".into(), 11)]));
    }

    #[test]
    fn growth_with_the_rounds_is_a_loss_and_a_little_is_not() {
        let memory = |used| Memory::from([("malloc/ifnet".to_owned(), used), ("zone/256".to_owned(), used)]);
        assert_eq!(losses(&memory(10), &memory(74), 100), [""; 0]);
        assert_eq!(losses(&memory(10), &memory(110), 100), ["malloc/ifnet grew by 100 in 100 rounds"]);
        assert_eq!(losses(&memory(10), &memory(110), 1000), [""; 0]);
        assert_eq!(losses(&memory(110), &memory(10), 100), [""; 0]);
    }

    #[test]
    fn a_stay_that_does_not_end_is_told_and_so_is_what_is_not_counted() {
        let said = "net.netlink.nlproof.references: 0\nnet.netlink.nlproof.epochs: 0\n\
                    kern.epoch.stats.epoch_calls: 812";
        assert_eq!(epoch(said, ""), Epoch { calls: 812, failed: vec![] });
        let stays = epoch(&said.replace("epochs: 0", "epochs: 1"), "");
        assert_eq!(stays.failed, ["the module holds 1 stays in the network epoch"]);
        let hangs = epoch("", "some thread does not leave the network epoch");
        assert_eq!(hangs.failed.len(), 4);
        assert_eq!(hangs.failed[0], "some thread does not leave the network epoch");
        assert!(ask_epoch().contains("sysctl net.netlink.nlproof.epoch_wait=1 "));
    }
}
