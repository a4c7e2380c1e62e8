// SPDX-License-Identifier: BSD-2-Clause
//! The module in the guest: loaded before the first vector, looked at and unloaded after the last one.

use std::collections::BTreeMap;
use std::time::Duration;

use nlproof_agent::{Batch, Body, Program, Record, Step};

use super::connection::{Link, open_failure};
use super::console::{complaints, console, console_since};
use super::host_stack::in_host_stack;
use super::module::{NAME, Prepared};
use crate::guest::{ExecOutput, Ssh, SshError};
use crate::targets::Finish;
use crate::targets::OpenError;
use crate::vm::{Vm, Wait};

/// Where the module is put in the guest.
pub(crate) const PLACE: &str = "/tmp/nlproof_iface.ko";
/// Limit for an upload of some 300 kB, or for one command. Unloading waits up to ten seconds for handlers by itself.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// Settings below `net.netlink.nlproof` (kmod-src/shim); all others are counters.
const SETTINGS: [&str; 3] = ["mode", "trace", "epoch_wait"];
/// Sysctl that returns when every thread has left the network epoch and deferred calls are done (kmod-src/shim).
pub(crate) const EPOCH_WAIT: &str = "net.netlink.nlproof.epoch_wait=1";

/// A loaded module.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Loaded {
    /// Verification rejected it.
    unverified: bool,
    /// The interfaces whose arrival it announced while the kernel started, if the loader loaded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arrivals: Option<String>,
}

/// Interfaces that arrive in every guest before the network's protocols are there.
const EARLY: [&str; 2] = ["lo0", "vtnet0"];

/// Looks at a module that the loader loaded: it answers, and has announced the arrival of the first interfaces.
pub(super) async fn loaded_by_loader(module: &Prepared, ssh: &Ssh, vm: &mut Vm) -> Result<Loaded, OpenError> {
    let mut run = async |command: &str| run(ssh, vm, command).await.map_err(|error| open_failure(error, vm));
    let listed = run(&format!("kldstat -q -n {NAME}")).await?;
    let mode = run("sysctl -n net.netlink.nlproof.mode").await?;
    let arrivals = run("sysctl -n net.netlink.nlproof.arrivals").await?;
    let said = console_since(vm, 0);
    let failed = |what: String| {
        let why = said.lines().rfind(|line| line.contains(NAME) || line.contains("link_elf"));
        let why = why.map_or("nothing about it", str::trim);
        Err(OpenError::Load(format!("{what}; the console says: {why}")))
    };
    if !listed.status.is_success() {
        return failed(format!("the loader did not load {NAME}"));
    }
    let mode = words(&mode.stdout);
    if mode != "replace" {
        return failed(format!("net.netlink.nlproof.mode is {mode:?} and not \"replace\""));
    }
    let arrivals = words(&arrivals.stdout);
    match missing_arrival(&arrivals) {
        Some(name) => {
            failed(format!("the module did not announce the arrival of {name}, only of: {arrivals}"))
        }
        None => Ok(Loaded { unverified: !module.report.accepted, arrivals: Some(arrivals) }),
    }
}

/// The first of [`EARLY`] that is not among these names.
fn missing_arrival(arrivals: &str) -> Option<&'static str> {
    EARLY.into_iter().find(|name| !arrivals.split_whitespace().any(|arrived| arrived == *name))
}

/// Uploads the module and loads it.
pub(super) async fn load(module: &Prepared, ssh: &Ssh, vm: &mut Vm) -> Result<Loaded, OpenError> {
    let wait = Wait::new("the module's upload", LIMIT);
    ssh.upload(&module.bytes, PLACE, &wait, vm).await.map_err(|error| open_failure(error, vm))?;
    let loaded = Loaded { unverified: !module.report.accepted, arrivals: None };
    let console_from = console(vm).len();
    let mut run = async |command: &str| run(ssh, vm, command).await.map_err(|error| open_failure(error, vm));
    let load = run(&format!("kldload {PLACE}")).await?;
    let listed = run(&format!("kldstat -q -n {NAME}")).await?;
    let mode = run("sysctl -n net.netlink.nlproof.mode").await?;
    let said = console_since(vm, console_from);
    let failed = |what: String| {
        let why = said.lines().rfind(|line| line.contains(NAME) || line.contains("link_elf"));
        Err(OpenError::Load(match why {
            Some(why) => format!("{what}; the console says: {}", why.trim()),
            None => format!("{what}; the console says nothing about it"),
        }))
    };
    if !load.status.is_success() {
        return failed(format!("kldload ended with {}: {}", load.status, words(&load.stderr)));
    }
    if !listed.status.is_success() {
        return failed(format!("kldload succeeded, but kldstat does not list {NAME}"));
    }
    match words(&mode.stdout).as_str() {
        "replace" => match complaints(&said).next() {
            None => Ok(loaded),
            Some(line) => failed(format!("the kernel complains of it: {}", line.trim())),
        },
        other => failed(format!("net.netlink.nlproof.mode is {other:?} and not \"replace\"")),
    }
}

impl Loaded {
    /// Reads the counters, unloads the module, and returns the faults found. Through the agent: an ssh
    /// connection costs an emulated guest most of a second.
    pub(super) async fn finish(&self, link: &mut Link, vm: &mut Vm) -> Finish {
        let mut finish = Finish { unverified: self.unverified, ..Finish::default() };
        let [left, sysctl, kldstat, unload] = match last_commands(link, vm).await {
            Ok(ended) => ended,
            Err(error) => {
                finish.complaints.push(format!("the module could not be asked: {error}"));
                return finish;
            }
        };
        finish.counters = counters(&words(&sysctl.stdout));
        let kldstat = words(&kldstat.stdout).lines().last().unwrap_or_default().trim().to_owned();
        finish.lines.push(("kldstat".into(), kldstat));
        if let Some(arrivals) = &self.arrivals {
            finish.lines.push(("announced before the protocols".into(), arrivals.clone()));
        }
        finish.complaints.extend(wrong_counters(&finish.counters));
        if left.status != 0 {
            let (status, stderr) = (left.status, words(&left.stderr));
            finish.complaints.push(format!("the network epoch could not be waited for: {status}: {stderr}"));
        }
        if unload.status == 0 {
            finish.lines.push(("unload".into(), "succeeded".into()));
        } else {
            let (status, stderr) = (unload.status, words(&unload.stderr));
            finish.complaints.push(format!("kldunload ended with {status}: {stderr}"));
        }
        finish
    }
}

/// How a command ended.
struct Ended {
    status: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Waits until no thread of the guest is in the network epoch, asks the module for its counters and the kernel for
/// the module, and has it unloaded.
async fn last_commands(link: &mut Link, vm: &mut Vm) -> Result<[Ended; 4], String> {
    let commands = [
        ["/sbin/sysctl", EPOCH_WAIT].as_slice(),
        &["/sbin/sysctl", "net.netlink.nlproof"],
        &["/sbin/kldstat", "-n", NAME],
        &["/sbin/kldunload", NAME],
    ];
    let limit_ms = u32::try_from(LIMIT.as_millis()).unwrap_or(u32::MAX);
    let steps =
        commands.map(|argv| Step::Exec { argv: argv.iter().map(ToString::to_string).collect(), limit_ms });
    let program =
        Program { limit_ms: limit_ms.saturating_mul(4), ..in_host_stack("the module's end", steps.into()) };
    let (mut ended, mut failed) = (Vec::new(), None);
    let wait = Wait::new("the module's counters and its unloading", LIMIT * 4);
    let mut hear = |record: Record| match record.body {
        Body::Exec { status, stdout, stderr } => ended.push(Ended { status, stdout, stderr }),
        Body::Error { text, .. } => failed = Some(text),
        _ => {}
    };
    let run = link.run(&Batch { programs: vec![program] }, &wait, vm, &mut hear).await;
    match (run, failed) {
        (Err(error), _) => Err(error.to_string()),
        (Ok(()), Some(text)) => Err(text),
        (Ok(()), None) => {
            ended.try_into().map_err(|ended: Vec<_>| format!("{} of 4 commands ran", ended.len()))
        }
    }
}

pub(super) async fn run(ssh: &Ssh, vm: &mut Vm, command: &str) -> Result<ExecOutput, SshError> {
    ssh.run(command, &Wait::new(format!("the end of `{command}`"), LIMIT), vm).await
}

pub(crate) fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// `net.netlink.nlproof.requests: 12` and so on, by their last part; the settings are no counters.
pub(crate) fn counters(sysctl: &str) -> BTreeMap<String, u64> {
    sysctl
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let name = name.rsplit('.').next().filter(|name| !SETTINGS.contains(name))?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}

/// The fault of a reference that is still held: it keeps an interface for ever. Whether anybody asked the module is
/// looked at when all guests of a cell have ended ([`Finish::all_complaints`]).
fn wrong_counters(counters: &BTreeMap<String, u64>) -> Vec<String> {
    let mut wrong = Vec::new();
    if !counters.contains_key("requests") {
        wrong.push("the module does not count its requests".to_owned());
    }
    wrong.extend(held(counters));
    wrong
}

/// Counters that must be 0 when nobody asks the module.
pub(crate) fn held(counters: &BTreeMap<String, u64>) -> Vec<String> {
    let one = |name: &str, about: &str| match counters.get(name) {
        Some(0) => None,
        Some(held) => Some(format!("the module holds {held} {about}")),
        None => Some(format!("the module does not count its {about}")),
    };
    [one("references", "references to interfaces"), one("epochs", "stays in the network epoch")]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_their_last_part() {
        let counters = counters(
            "net.netlink.nlproof.requests: 12\nnet.netlink.nlproof.mode: replace\n\
            net.netlink.nlproof.trace: 1\n",
        );
        assert_eq!(counters, BTreeMap::from([("requests".to_owned(), 12)]));
    }

    #[test]
    fn an_interface_that_was_not_announced_is_missed_by_its_whole_name() {
        assert_eq!(missing_arrival("vtnet0 lo0"), None);
        assert_eq!(missing_arrival("vtnet0"), Some("lo0"));
        assert_eq!(missing_arrival("lo0 vtnet01"), Some("vtnet0"));
        assert_eq!(missing_arrival(""), Some("lo0"));
    }

    #[test]
    fn a_module_that_holds_something_or_does_not_count_is_complained_of() {
        let of = |text: &str| wrong_counters(&counters(text));
        assert_eq!(of("a.requests: 1\na.references: 0\na.epochs: 0\n"), [""; 0]);
        assert_eq!(
            of("a.requests: 1\na.references: 2\na.epochs: 1\n"),
            ["the module holds 2 references to interfaces", "the module holds 1 stays in the network epoch"]
        );
        assert_eq!(of("").len(), 3);
    }
}
