// SPDX-License-Identifier: BSD-2-Clause
//! Running vectors against an open target: programs out, records in, one normalised trace a vector.

use std::time::Duration;

use nlproof_agent::{Batch, Body, Privilege, Program, Record, Setting, Step};

use crate::file::FileError;
use crate::ktrace::{self, DtraceLog, Followed, KernelTrace, Violation};
use crate::targets::{Facts, Target, TargetError};
use crate::trace::{RawLine, Trace, normalise};
use crate::vector::{Vector, compile, judge_races, seqs_of};

/// One vector that has run.
pub struct VectorRun<'a> {
    /// The vector.
    pub vector: &'a Vector,
    /// Records of the vector, as they came.
    pub records: Vec<Record>,
    /// The normalised trace.
    pub trace: Trace,
    /// The normalised kernel trace.
    pub kernel: KernelTrace,
    /// DTrace's records, as they came.
    heard: KernelTrace,
    /// Rules that the kernel trace breaks.
    pub violations: Vec<Violation>,
    /// From the first record to the last, on the guest's clock.
    pub duration: Duration,
}

/// Why a vector does not apply to a target, if so.
pub fn mismatch(vector: &Vector, facts: &Facts) -> Option<String> {
    if !vector.needs.os.contains(&facts.os) {
        let wanted: Vec<_> = vector.needs.os.iter().map(ToString::to_string).collect();
        return Some(format!("is for {}", wanted.join(" or ")));
    }
    if let Some(command) = vector.commands().find(|argv| !facts.commands.run(argv)) {
        return Some(format!("runs `{}`, which this target cannot", command.join(" ")));
    }
    let lack = |card| facts.cards.lack(card, facts.modules.as_deref());
    if let Some(lack) = vector.needs.hardware.iter().find_map(lack) {
        return Some(lack);
    }
    let needed = vector.needs.processors;
    if needed > 1 && facts.processors.is_none_or(|there| there < needed) {
        return Some(format!("needs a guest with {needed} processors (--cpus {needed})"));
    }
    let absent = |setting: &&Setting| !facts.settings.contains(&setting.name);
    if let Some(Setting { name, .. }) = vector.needs.sysctl.iter().find(absent) {
        return Some(match facts.kernel {
            Some(_) => format!("needs the setting {name}, which this kernel does not have"),
            None => format!("needs the setting {name}, which only a FreeBSD kernel has"),
        });
    }
    let loaded = facts.modules.as_ref()?;
    let missing = vector.needs.modules.iter().find(|module| !loaded.contains(module))?;
    Some(format!("needs the kernel module {missing}, which is not loaded"))
}

/// Why running vectors ended early.
#[derive(Debug, thiserror::Error)]
pub enum VectorRunError {
    /// A vector does not compile for the target's ABI.
    #[error("{0}")]
    Vector(#[source] FileError),
    /// The target was lost.
    #[error("{0}")]
    Target(#[from] TargetError),
}

/// Runs the vectors in order; `on_end` gets each as it ends.
///
/// # Errors
/// A vector does not compile (nothing was sent then), or the target was lost: the vectors that `on_end` did
/// not get have no trace.
pub fn run_vectors<'a>(
    target: &mut dyn Target,
    vectors: &[&'a Vector],
    on_end: &mut dyn FnMut(VectorRun<'a>),
) -> Result<(), VectorRunError> {
    run_vectors_within(target, vectors, u32::MAX, on_end)
}

/// The same, but an answer that has not come after `reply_ms` milliseconds is not coming.
///
/// # Errors
/// As [`run_vectors`].
pub fn run_vectors_within<'a>(
    target: &mut dyn Target,
    vectors: &[&'a Vector],
    reply_ms: u32,
    on_end: &mut dyn FnMut(VectorRun<'a>),
) -> Result<(), VectorRunError> {
    let os = target.facts().os;
    let mut programs = Vec::new();
    for (id, vector) in (0..).zip(vectors) {
        let mut program = compile(vector, os, id).map_err(VectorRunError::Vector)?;
        for step in &mut program.steps {
            if let Step::Send(send) = step {
                send.limit_ms = send.limit_ms.min(reply_ms);
            }
        }
        programs.push(program);
    }
    let batch = Batch { programs };
    let mut records: Vec<Vec<Record>> = vectors.iter().map(|_| Vec::new()).collect();
    let mut on_record = |record: Record| {
        let index = record.program as usize;
        // A record of a program that was never asked for cannot be attributed to a vector.
        let found = (vectors.get(index), batch.programs.get(index), records.get_mut(index));
        let (Some(vector), Some(program), Some(records)) = found else { return };
        let ended = matches!(record.body, Body::End { .. });
        records.push(record);
        if ended {
            on_end(vector_run(vector, program, std::mem::take(records), os));
        }
    };
    target.run(&batch, &mut on_record)?;
    Ok(())
}

/// A vector's run made again from the records that a raw trace kept of it.
///
/// # Errors
/// The vector does not compile: it is not the one that ran.
pub fn reread(
    vector: &Vector,
    os: nlproof_wire::Os,
    records: Vec<Record>,
) -> Result<VectorRun<'_>, FileError> {
    let program = compile(vector, os, 0)?;
    Ok(vector_run(vector, &program, records, os))
}

impl VectorRun<'_> {
    /// Takes the output of dtrace(1): for stock code the kernel's part, for the module the user's own probes beside
    /// the ring's records. False if no request of the vector was heard, by which its part could be told from others'.
    ///
    /// Stock code passes fewer points than the rules are about: those that need others do not apply.
    pub fn follow(&mut self, log: &DtraceLog, followed: Followed) -> bool {
        let Some(mut heard) = log.of_program(&self.records, seqs_of) else { return false };
        self.heard = heard.clone();
        match followed {
            Followed::Stock(major) => {
                let whole = heard.lost == 0;
                self.violations =
                    if whole { ktrace::check_stock(&heard, &self.records, major) } else { Vec::new() };
                normalise_kernel(&mut heard, &self.records);
                self.kernel = heard;
            }
            Followed::Module => {
                // The threads have the numbers that the ring's records gave them.
                let raw = KernelTrace::from_records(&self.records);
                self.kernel = KernelTrace { own: heard.own, lost: raw.lost + heard.lost, ..raw };
                normalise_kernel(&mut self.kernel, &self.records);
            }
        }
        true
    }

    /// Notes that DTrace's records were lost with the guest.
    pub fn lose_kernel(&mut self) {
        self.kernel = KernelTrace { present: true, lost: 1, ..KernelTrace::default() };
        self.violations = Vec::new();
    }

    /// The raw trace: the records as they came, and what DTrace heard.
    pub fn raw_lines(&self) -> impl Iterator<Item = RawLine<'_>> {
        let vector = self.vector.id.as_str();
        let records = self.records.iter().map(move |record| RawLine::new(vector, record));
        let heard = self.heard.events.iter().map(move |event| RawLine::heard(vector, event));
        let lost = (self.heard.lost > 0).then(|| RawLine::lost(vector, self.heard.lost));
        let own = self.heard.own.iter().map(move |firing| RawLine::own(vector, firing));
        records.chain(heard).chain(own).chain(lost)
    }
}

fn normalise_kernel(trace: &mut KernelTrace, records: &[Record]) {
    ktrace::normalise(trace, &ktrace::Program::of(records), |step| seqs_of(step).start);
}

fn vector_run<'a>(
    vector: &'a Vector,
    program: &Program,
    records: Vec<Record>,
    os: nlproof_wire::Os,
) -> VectorRun<'a> {
    let mut trace = Trace::from_records(os, &records, vector.ordered);
    if vector.socket.event_buffer.is_some() {
        trace.expect_drops();
    }
    if vector.needs.privilege == Privilege::Jailed {
        trace.expect_no_socket();
    }
    normalise(&mut trace, |step| seqs_of(step).start);
    for (step, line) in judge_races(vector, &program.steps, os, &records) {
        trace.note(step, line);
    }
    let span = match (records.first(), records.last()) {
        (Some(first), Some(last)) => last.t_ns.saturating_sub(first.t_ns),
        _ => 0,
    };
    let mut kernel = KernelTrace::from_records(&records);
    let violations = if kernel.lost == 0 { ktrace::check(&kernel, &records) } else { Vec::new() };
    normalise_kernel(&mut kernel, &records);
    let heard = KernelTrace::default();
    VectorRun { vector, records, trace, kernel, heard, violations, duration: Duration::from_nanos(span) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nlproof_wire::Os;

    use super::*;
    use crate::targets::{Cards, Commands};
    use crate::vector::load_vector;

    fn vector(text: &str) -> Vector {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.yaml");
        std::fs::write(&path, text).unwrap();
        load_vector(Path::new("/"), &path).unwrap()
    }

    fn facts(os: Os, commands: Commands, modules: Option<Vec<String>>) -> Facts {
        let cards = Cards::Models(["e1000", "ne2k_pci", "usb-net", "qemu-xhci"].map(str::to_owned).to_vec());
        let settings = vec!["net.netlink.debug.nl_iface_debug_level".to_owned()];
        let (fallbacks, stacks, known) = (0, None, vec![]);
        let processors = Some(1);
        Facts { os, kernel: None, commands, cards, processors, modules, settings, fallbacks, stacks, known }
    }

    #[test]
    fn what_a_vector_needs_is_asked_for() {
        let epair = vector(
            "about: x\nneeds: {os: [freebsd], modules: [if_epair]}\nsteps:\n- exec: {argv: [/bin/true]}\n",
        );
        let all = Some(vec!["if_epair".to_owned()]);
        assert_eq!(mismatch(&epair, &facts(Os::FreeBsd, Commands::All, all.clone())), None);
        assert_eq!(mismatch(&epair, &facts(Os::FreeBsd, Commands::All, None)), None);
        let card = |model: &str| {
            let needs = format!("{{os: [freebsd], hardware: [{{nic: {model}, as: a}}]}}");
            vector(&format!("about: x\nneeds: {needs}\nsteps:\n- exec: {{argv: [/bin/true]}}\n"))
        };
        let lack = |model: &str, modules: &[&str]| {
            let modules = modules.iter().map(|module| (*module).to_owned()).collect();
            mismatch(&card(model), &facts(Os::FreeBsd, Commands::All, Some(modules)))
        };
        assert_eq!(lack("e1000", &["pci/em"]), None);
        assert!(lack("e1000", &[]).unwrap().contains("pci/em, which this kernel does not have"));
        assert!(lack("igb", &["pci/igb"]).unwrap().contains("this QEMU does not have"));
        assert!(lack("ne2k_pci", &["pci/ed"]).unwrap().contains("FreeBSD has no driver"));
        assert_eq!(lack("usb-net", &["uhub/urndis"]), None);
        assert!(lack("usb-net", &["if_axe"]).unwrap().contains("uhub/urndis of the kernel module if_urndis"));
        let without =
            Facts { cards: Cards::Models(vec!["usb-net".into()]), ..facts(Os::FreeBsd, Commands::All, None) };
        assert!(mismatch(&card("usb-net"), &without).unwrap().contains("USB controller qemu-xhci, which"));
        assert_eq!(lack("fault", &["nlproof_faultnic"]), None);
        assert!(lack("fault", &[]).unwrap().contains("nlproof_faultnic, which this kernel does not have"));
        let nothing = Facts { cards: Cards::None, ..facts(Os::FreeBsd, Commands::All, None) };
        assert!(mismatch(&card("e1000"), &nothing).unwrap().contains("only a guest under QEMU"));
        assert!(mismatch(&card("fault"), &nothing).unwrap().contains("only a FreeBSD guest has"));
        let two = vector("about: x\nneeds: {processors: 2}\nsteps:\n- exec: {argv: [/bin/true]}\n");
        let with = |processors| Facts { processors, ..facts(Os::FreeBsd, Commands::All, None) };
        assert_eq!(mismatch(&two, &with(Some(2))), None);
        for too_few in [None, Some(1)] {
            assert!(mismatch(&two, &with(too_few)).unwrap().contains("--cpus 2"));
        }
        let sysctl = |name: &str| {
            let needs = format!("{{os: [freebsd], sysctl: {{{name}: 9}}}}");
            vector(&format!("about: x\nneeds: {needs}\nsteps:\n- exec: {{argv: [/bin/true]}}\n"))
        };
        let lack = |name| mismatch(&sysctl(name), &facts(Os::FreeBsd, Commands::All, None));
        assert_eq!(lack("net.netlink.debug.nl_iface_debug_level"), None);
        assert!(lack("net.netlink.debug.none").unwrap().contains("only a FreeBSD kernel has"));
        let reason = |facts| mismatch(&epair, &facts).unwrap();
        assert_eq!(reason(facts(Os::Linux, Commands::All, None)), "is for FreeBSD");
        assert!(reason(facts(Os::FreeBsd, Commands::None, all)).contains("runs `/bin/true`"));
        assert!(reason(facts(Os::FreeBsd, Commands::All, Some(vec![]))).contains("if_epair"));
    }
}
