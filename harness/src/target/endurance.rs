// SPDX-License-Identifier: BSD-2-Clause
//! The module under load: loaded and unloaded while clients ask, asked while its mode is switched, and told of
//! interfaces that come and go. What the kernel has allocated before and after shows what is lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::error::TargetError;
use super::freebsd::FreebsdTarget;

/// A command that only looks.
const LOOK: Duration = Duration::from_secs(60);
/// For each round of a phase, under hardware virtualisation.
const ROUND: Duration = Duration::from_secs(2);
/// For an attempt to unload, which the module gives up after ten seconds, and a load.
const ATTEMPT: Duration = Duration::from_secs(30);

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// So many times unloaded and loaded, while four clients run `ifconfig -a`, whose output must not change. They
    /// rest between two questions, because the module's unloading waits until every processor was idle once.
    Loads(u32),
    /// So many attempts to unload while four clients ask without a rest, one after another, and to load a second
    /// time. Each attempt ends, either way: unloaded, and loaded again, or refused and still answering.
    Busy(u32),
    /// So many messages by four clients, while the mode is switched.
    Requests(u32),
    /// So many interfaces created and destroyed by four clients.
    Interfaces(u32),
}

/// What became of a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseResult {
    /// The phase.
    pub phase: Phase,
    /// How long it took, on this host's clock.
    pub duration: Duration,
    /// What the guest counted.
    pub said: String,
    /// What failed there, at most some lines.
    pub failed: Vec<String>,
}

/// Allocations in use by malloc type (`malloc/ifnet`) and zone (`zone/256`): `vmstat -m` and `vmstat -z`.
pub type Memory = BTreeMap<String, u64>;

impl Phase {
    /// What it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Loads(_) => "loads",
            Phase::Busy(_) => "busy",
            Phase::Requests(_) => "requests",
            Phase::Interfaces(_) => "interfaces",
        }
    }

    /// How many rounds it has.
    pub fn rounds(self) -> u32 {
        let (Phase::Loads(rounds)
        | Phase::Busy(rounds)
        | Phase::Requests(rounds)
        | Phase::Interfaces(rounds)) = self;
        rounds
    }

    /// The guest's part of it, for `/bin/sh`. It prints what it counted; what failed goes to $bad.
    fn script(self) -> String {
        let rounds = self.rounds();
        let body = match self {
            Phase::Loads(_) => {
                "go=$dir/go; : > $go; ifconfig -a > $dir/all
client() { n=0; while [ -e $go ]; do ifconfig -a 2>> $bad | cmp -s - $dir/all || echo 'ifconfig -a: another answer' >> $bad; n=$((n + 1)); sleep 0.5; done; echo $n > $dir/n$1; }
for w in 1 2 3 4; do client $w & done
i=0; while [ $i -lt $rounds ]; do kldunload nlproof_iface 2>> $bad || echo unload $i >> $bad; kldload /tmp/nlproof_iface.ko 2>> $bad || echo load $i >> $bad; i=$((i + 1)); done
rm $go; wait
echo clients ran ifconfig -a $(($(cat $dir/n1) + $(cat $dir/n2) + $(cat $dir/n3) + $(cat $dir/n4))) times"
            }
            Phase::Busy(_) => {
                "go=$dir/go; : > $go; ifconfig -a > $dir/all; node=net.netlink.nlproof
client() { while [ -e $go ]; do ifconfig -a 2>> $bad | cmp -s - $dir/all || echo 'ifconfig -a: another answer' >> $bad; done; }
for w in 1 2 3 4; do client & done
i=0; unloaded=0; refused=0
while [ $i -lt $rounds ]; do
 kldload /tmp/nlproof_iface.ko 2> $dir/second && echo a second load succeeded >> $bad
 grep -q 'already loaded' $dir/second || cat $dir/second >> $bad
 if kldunload nlproof_iface 2> $dir/refusal; then unloaded=$((unloaded + 1)); kldload /tmp/nlproof_iface.ko 2>> $bad || echo load $i >> $bad
 else refused=$((refused + 1)); grep -q busy $dir/refusal || cat $dir/refusal >> $bad
  had=$(sysctl -n $node.requests); ifconfig lo0 > /dev/null 2>> $bad; [ $(sysctl -n $node.requests) -gt $had ] || echo refused, but no longer answering >> $bad; fi
 i=$((i + 1)); done
rm $go; wait
kldunload nlproof_iface 2>> $bad || echo unload at rest >> $bad; kldload /tmp/nlproof_iface.ko 2>> $bad || echo load at rest >> $bad
echo unloaded $unloaded times, refused $refused times"
            }
            Phase::Requests(_) => {
                "go=$dir/go; : > $go; ifconfig -a > $dir/all
client() { while [ -e $go ]; do ifconfig -a 2>> $bad | cmp -s - $dir/all || echo 'ifconfig -a: another answer' >> $bad; ifconfig lo0 > /dev/null 2>> $bad || echo 'ifconfig lo0' >> $bad; arp -an > /dev/null 2>> $bad || echo arp >> $bad; done; }
for w in 1 2 3 4; do client & done
node=net.netlink.nlproof; m=0
counted() { echo $(($(sysctl -n $node.requests) + $(sysctl -n $node.observed))); }
while [ $(counted) -lt $rounds ]; do for mode in observe replace; do sysctl -q $node.mode=$mode > /dev/null 2>> $bad || echo $mode >> $bad; m=$((m + 1)); done; done
rm $go; wait
echo mode switched $m times, requests $(sysctl -n $node.requests), observed $(sysctl -n $node.observed)"
            }
            Phase::Interfaces(_) => {
                "client() { i=0; while [ $i -lt $((rounds / 4 + 1)) ]; do ifconfig lo10$1 create 2>> $bad && ifconfig lo10$1 destroy 2>> $bad || echo lo10$1 >> $bad; i=$((i + 1)); done; }
for w in 1 2 3 4; do client $w & done
wait
echo interfaces left: $(ifconfig -l)"
            }
        };
        format!(
            "dir=/tmp/nlproof-endurance; rm -rf $dir; mkdir $dir; bad=$dir/bad; : > $bad; rounds={rounds}\n{body}\nhead -n 5 $bad >&2\n"
        )
    }
}

impl FreebsdTarget {
    /// Runs a phase to its end.
    ///
    /// # Errors
    /// The guest was lost.
    pub fn endure(&mut self, phase: Phase) -> Result<PhaseResult, TargetError> {
        let started = Instant::now();
        let round = if matches!(phase, Phase::Busy(_)) { ATTEMPT } else { ROUND };
        let output = self.shell(&phase.script(), LOOK + round.saturating_mul(phase.rounds()))?;
        let lines = |bytes: &[u8]| -> Vec<String> {
            String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
        };
        let mut failed = lines(&output.stderr);
        if !output.status.is_success() {
            failed.push(format!("the guest's shell ended with {}", output.status));
        }
        Ok(PhaseResult { phase, duration: started.elapsed(), said: lines(&output.stdout).join("; "), failed })
    }

    /// What the guest's kernel has allocated now.
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

/// What a malloc type has more of after `rounds` rounds than before, as far as it can be a loss: one in ten
/// rounds. Zones are caches of all the kernel and are shown but not judged.
pub fn losses(before: &Memory, after: &Memory, rounds: u32) -> Vec<String> {
    let most = u64::from(rounds / 10).max(16);
    let grown = |name: &String, after: u64| after.saturating_sub(before.get(name).copied().unwrap_or(0));
    after
        .iter()
        .filter(|(name, used)| name.starts_with("malloc/") && grown(name, **used) > most)
        .map(|(name, used)| format!("{name} grew by {} in {rounds} rounds", grown(name, *used)))
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
        assert_eq!(losses(&memory(10), &memory(26), 100), [""; 0]);
        assert_eq!(losses(&memory(10), &memory(110), 100), ["malloc/ifnet grew by 100 in 100 rounds"]);
        assert_eq!(losses(&memory(110), &memory(10), 100), [""; 0]);
    }

    #[test]
    fn a_script_has_its_rounds() {
        assert!(Phase::Loads(12).script().contains("rounds=12\n"));
        assert!(Phase::Busy(7).script().contains("rounds=7\n"));
        assert_eq!((Phase::Requests(3).name(), Phase::Requests(3).rounds()), ("requests", 3));
    }
}
