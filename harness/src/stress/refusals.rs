// SPDX-License-Identifier: BSD-2-Clause
//! Modules that must not load and unloads that must not happen: each is rejected with a reason, and the guest goes
//! on as before.

use std::time::Duration;

use super::requests::wait_while;
use crate::targets::FreebsdTarget;
use crate::targets::TargetError;
use crate::targets::freebsd::console::{console, console_since};
use crate::targets::freebsd::loaded_module::{EPOCH_WAIT, PLACE};

/// Limit for an upload of some 300 kB, or for a few commands. An unload may take ten seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// Sysctl that selects the fault of a module built with faults ([`Attempt::wants_faults`], kmod-src/shim/fault.c).
const FAULT: &str = "net.netlink.nlproof.fault";

/// Sysctl with the number of the module's stays in the network epoch.
const EPOCHS: &str = "net.netlink.nlproof.epochs";

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// A module whose headers were those of the next major.
    OtherMajor,
    /// A module whose headers were of a later version of this major than the kernel.
    OtherHeaders,
    /// A module that needs a netlink that the image does not have.
    NoNetlink,
    /// The module under another name while it is loaded.
    Second,
    /// An unload after another module has taken over the handler of messages.
    AnotherAfter,
    /// An unload while a handler does not return, for longer than the module waits.
    NeverReturns,
    /// An unload while a dump is being answered: it has to wait.
    DuringDump,
    /// A wait for the network epoch while a handler stays in it: `epoch_wait` must not return.
    InEpoch,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What was tried.
    pub attempt: Attempt,
    /// The console's lines about it.
    pub reason: String,
    /// Faults found.
    pub failed: Vec<String>,
}

impl Attempt {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::OtherMajor,
        Self::OtherHeaders,
        Self::NoNetlink,
        Self::Second,
        Self::AnotherAfter,
        Self::NeverReturns,
        Self::DuringDump,
        Self::InEpoch,
    ];

    /// Name of the attempt in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::OtherMajor => "a module of another major",
            Self::OtherHeaders => "a module of other headers",
            Self::NoNetlink => "a module without its netlink",
            Self::Second => "a second load",
            Self::AnotherAfter => "an unload below another module",
            Self::NeverReturns => "an unload with a handler inside",
            Self::DuringDump => "an unload during a dump",
            Self::InEpoch => "a wait for an epoch with a stay",
        }
    }

    /// The required result.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::DuringDump | Self::InEpoch => "waited",
            _ => "refused",
        }
    }

    /// Whether it needs a module that was built to do something wrong ([`ModuleOptions::faults`](crate::targets::ModuleOptions)).
    pub fn wants_faults(self) -> bool {
        matches!(self, Self::AnotherAfter | Self::NeverReturns | Self::DuringDump | Self::InEpoch)
    }

    /// Text that the console must have.
    fn words(self) -> &'static str {
        match self {
            Self::OtherMajor | Self::OtherHeaders => "depends on kernel - not available or version mismatch",
            Self::NoNetlink => "depends on netlinq - not available or version mismatch",
            Self::Second => "already present in the KLD",
            Self::AnotherAfter => "not unloaded: another module has taken over after this one",
            Self::NeverReturns => "still loaded: for ten seconds 1 handlers did not return",
            Self::DuringDump | Self::InEpoch => "the stock code answers again",
        }
    }

    /// What the guest does. What it writes to its standard output is not as it has to be.
    ///
    /// A module's name can be loaded once only, and the kernel looks at that first: all but the second load are tried
    /// while ours is not there. What kldstat(8) lists must be the same to the byte before and after.
    fn script(self, place: &str) -> String {
        let refused = format!(
            "before=$(kldstat)
kldload {place} 2> /tmp/refusal && echo it was loaded
grep -q '{place}' /tmp/refusal || cat /tmp/refusal
[ \"$(kldstat)\" = \"$before\" ] || echo kldstat lists other files than before
ifconfig lo0 > /dev/null || echo ifconfig fails"
        );
        let answers = "had=$(sysctl -n net.netlink.nlproof.requests); ifconfig lo0 > /dev/null
[ $(sysctl -n net.netlink.nlproof.requests) -gt $had ] || echo the module does not answer
[ $(sysctl -n net.netlink.nlproof.mode) = replace ] || echo the mode has changed";
        let tried = match self {
            Self::Second => refused,
            Self::OtherMajor | Self::OtherHeaders | Self::NoNetlink => format!(
                "kldunload nlproof_iface 2>&1
{refused}
sysctl -n net.netlink.nlproof.requests > /dev/null 2>&1 && echo something of the module is left
kldload {PLACE} 2>&1"
            ),
            _ => self.unloads(place, answers),
        };
        format!("{tried}\n{answers}\nrm {place}\n")
    }

    /// The attempts with a module that has faults.
    fn unloads(self, place: &str, answers: &str) -> String {
        let name = place.rsplit('/').next().unwrap_or(place).trim_end_matches(".ko");
        let set = |fault: u32| {
            format!("sysctl -q {FAULT}={fault} > /dev/null || echo fault {fault} could not be set")
        };
        // The next dump, or the next stay in the epoch, hangs; a second one would not.
        let (wanted, come) = if self == Self::InEpoch { (4, 5) } else { (2, 3) };
        let hang = format!(
            "ifconfig -a > /tmp/whole
{}
ifconfig -a > /tmp/dump 2>&1 & dump=$!
{}",
            set(wanted),
            wait_while(&format!("[ $(sysctl -n {FAULT}) != {come} ]"), 100, "echo nothing hangs")
        );
        let dumped = "wait $dump || echo the dump failed\ncmp /tmp/whole /tmp/dump";
        let stays = format!(
            "before=$(kldstat)
kldunload {name} 2> /tmp/refusal && echo it was unloaded
grep -q busy /tmp/refusal || cat /tmp/refusal
[ \"$(kldstat)\" = \"$before\" ] || echo kldstat lists other files than before
{answers}"
        );
        let goes = format!("kldunload {name} 2>&1");
        let tried = match self {
            Self::AnotherAfter => format!("{}\n{stays}\n{}\n{goes}", set(1), set(0)),
            Self::NeverReturns => format!("{hang}\n{stays}\n{}\n{dumped}\n{goes}", set(0)),
            Self::InEpoch => format!(
                "{hang}
[ $(sysctl -n {EPOCHS}) = 1 ] || echo the stay is not counted
sysctl {EPOCH_WAIT} > /dev/null & wait=$!
sleep 2; kill -0 $wait 2> /dev/null || echo it did not wait
{}
{dumped}
wait $wait || echo the wait failed
[ $(sysctl -n {EPOCHS}) = 0 ] || echo the stay is counted after its end
{goes}",
                set(0)
            ),
            _ => format!(
                "{hang}
kldunload {name} 2>&1 & unload=$!
sleep 2; kill -0 $unload 2> /dev/null || echo it did not wait
{}
{dumped}
wait $unload || echo it was not unloaded",
                set(0)
            ),
        };
        format!("kldunload nlproof_iface 2>&1\nkldload {place} 2>&1\n{tried}\nkldload {PLACE} 2>&1")
    }

    /// The changed module; `None` if it lacks what has to be changed.
    fn module(self, module: &[u8]) -> Option<Vec<u8>> {
        match self {
            // No kernel has a module of this name.
            Self::NoNetlink => exchange(module, b"\0netlink\0", b"\0netlinq\0"),
            Self::OtherMajor | Self::OtherHeaders => {
                let (place, version) = kernel_dependency(module)?;
                let last = version / 100_000 * 100_000 + 99_999;
                let (from, to) = match self {
                    Self::OtherMajor => (last + 1, last + 100_000),
                    _ => (last, last),
                };
                let mut changed = module.to_vec();
                let words: Vec<u8> =
                    [from, from, to].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
                changed.get_mut(place..place + 12)?.copy_from_slice(&words);
                Some(changed)
            }
            _ => Some(module.to_vec()),
        }
    }
}

/// Where `struct mod_depend` of the kernel (sys/sys/module.h: lowest, preferred and highest version) is, and the
/// version: `MODULE_KERNEL_MAXVER` makes it recognisable.
fn kernel_dependency(module: &[u8]) -> Option<(usize, u32)> {
    (0..module.len().saturating_sub(11)).step_by(4).find_map(|place| {
        let word = |n: usize| -> Option<u32> {
            Some(u32::from_le_bytes(*module.get(place + 4 * n..)?.first_chunk()?))
        };
        let (lowest, preferred, highest) = (word(0)?, word(1)?, word(2)?);
        let is_it = (1_300_000..2_000_000).contains(&lowest)
            && preferred == lowest
            && highest == lowest / 100_000 * 100_000 + 99_999;
        is_it.then_some((place, lowest))
    })
}

fn exchange(bytes: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let mut changed = bytes.to_vec();
    let places: Vec<usize> =
        (0..bytes.len().saturating_sub(old.len())).filter(|place| bytes[*place..].starts_with(old)).collect();
    for place in &places {
        changed[*place..place + new.len()].copy_from_slice(new);
    }
    (!places.is_empty()).then_some(changed)
}

impl FreebsdTarget {
    /// Tests everything that must be rejected, in a guest in which the module is loaded and answers, before and
    /// afterwards. `module`: such a module, or one with faults for an attempt that [wants](Attempt::wants_faults) them.
    ///
    /// # Errors
    /// The guest was lost.
    pub fn try_refused(&mut self, attempt: Attempt, module: &[u8]) -> Result<Refused, TargetError> {
        let mut failed = Vec::new();
        let Some(bytes) = attempt.module(module) else {
            let failed = vec!["the module has nothing to exchange".to_owned()];
            return Ok(Refused { attempt, reason: String::new(), failed });
        };
        // The kernel would not look into a file whose name is loaded.
        let place = format!("/tmp/nlproof_{attempt:?}.ko").to_lowercase();
        self.upload("a module", &bytes, &place, LIMIT)?;
        let console_from = console(self.vm()).len();
        let script = attempt.script(&place);
        let output = self.shell(&script, LIMIT)?;
        failed.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned));
        let said = console_since(self.vm(), console_from);
        let reason =
            said.lines().find(|line| line.contains(attempt.words())).map(|line| line.trim().to_owned());
        if reason.is_none() {
            failed.push(format!("the console does not say \"{}\": {}", attempt.words(), said.trim()));
        }
        Ok(Refused { attempt, reason: reason.unwrap_or_default(), failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> Vec<u8> {
        let mut bytes = b"\x7fELF\0kernel\0netlink\0".to_vec();
        bytes.resize(24, 0);
        for word in [1_400_507_u32, 1_400_507, 1_499_999, 1, 1, 1] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn versions_and_names_are_exchanged_where_they_stand() {
        assert_eq!(kernel_dependency(&module()), Some((24, 1_400_507)));
        let versions = |attempt: Attempt| {
            let changed = attempt.module(&module()).unwrap();
            assert_eq!(changed.len(), module().len());
            kernel_dependency(&changed)
        };
        assert_eq!(versions(Attempt::OtherMajor), Some((24, 1_500_000)));
        assert_eq!(versions(Attempt::OtherHeaders), Some((24, 1_499_999)));
        assert!(Attempt::NoNetlink.module(&module()).unwrap().windows(7).any(|name| name == b"netlinq"));
        assert_eq!(Attempt::Second.module(&module()), Some(module()));
    }

    #[test]
    fn a_name_that_is_loaded_is_no_reason_but_for_a_second_load() {
        for attempt in Attempt::ALL {
            let script = attempt.script("/tmp/other.ko");
            let unloads = script.find("kldunload nlproof_iface");
            let tries = script.find("kldload /tmp/other.ko");
            assert!(tries.is_some(), "{script}");
            assert_eq!(unloads.is_some_and(|at| Some(at) < tries), attempt != Attempt::Second, "{script}");
        }
    }

    #[test]
    fn what_keeps_a_module_from_being_unloaded_is_taken_away_again() {
        for attempt in Attempt::ALL.into_iter().filter(|attempt| attempt.wants_faults()) {
            let script = attempt.script("/tmp/wrong.ko");
            let at = |words: &str| script.rfind(words).unwrap_or_else(|| panic!("{words}: {script}"));
            assert!(at("kldload /tmp/wrong.ko") < at("fault=0"), "{script}");
            assert!(at("fault=0") < at("kldload /tmp/nlproof_iface.ko"), "{script}");
            assert!(script.contains("kldunload wrong "), "{script}");
        }
    }

    #[test]
    fn a_file_without_them_is_not_passed_off_as_one() {
        assert_eq!(Attempt::OtherMajor.module(b"no module at all"), None);
        assert_eq!(Attempt::NoNetlink.module(b"no module at all"), None);
    }
}
