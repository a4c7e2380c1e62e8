// SPDX-License-Identifier: BSD-2-Clause
//! The lint: a vector is what it says it is, or it is not sent.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use nlproof_agent::{Send, Step};
use nlproof_wire::Os;
use nlproof_wire::strict::{self, Fault, FaultKind, Options};

use super::check::VectorCheck;
use super::compile::compile;
use super::load::Vector;
use super::malformed::Malformation;
use super::place::{SourceFile, place};
use crate::file::{FileError, Position, nearest};

/// Everything wrong with a vector, for every system that it is for.
pub fn lint(vector: &Vector) -> Vec<FileError> {
    lint_by_check(vector).into_iter().map(|(_, error)| error).collect()
}

/// The same, with the check that each belongs to.
pub(super) fn lint_by_check(vector: &Vector) -> Vec<(VectorCheck, FileError)> {
    let file = SourceFile(&vector.path);
    let mut errors = Vec::new();
    for os in &vector.needs.os {
        match compile(vector, *os, 0) {
            Ok(program) => check_form(file, vector, *os, &program.steps, &mut errors),
            Err(error) => errors.push((VectorCheck::Program, error)),
        }
    }
    for (module, place) in vector.needs.modules.iter().zip(&vector.module_places) {
        if module.is_empty() || !module.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let error = file.error(*place, format!("`{module}` is no kernel module's name"));
            errors.push((VectorCheck::Needs, error));
        }
    }
    for (setting, place) in vector.needs.sysctl.iter().zip(&vector.sysctl_places) {
        let (error, help) = if !is_setting_of_netlink(&setting.name) {
            let error = file.error(*place, format!("`{}` is no setting below net.netlink", setting.name));
            (error, "no other is set: the guest and all its network stacks would have it")
        } else if vector.needs.os.contains(&Os::Linux) {
            let error = file.error(*place, "settings are for guests with a FreeBSD kernel");
            (error, "needs: {os: [freebsd]}")
        } else {
            continue;
        };
        errors.push((VectorCheck::Needs, error.help(help)));
    }
    // A vector for both systems has the same fault in both: one complaint is enough.
    errors.dedup();
    errors
}

/// The kernel modules that a vector needs and that no guest has loaded: it would run nowhere.
pub fn lint_modules(vector: &Vector, loaded: &[String]) -> Vec<FileError> {
    let named = vector.needs.modules.iter().zip(vector.module_places.iter().copied().map(Some));
    let named = named.map(|(module, place)| (module.as_str(), place));
    let drivers = vector.needs.hardware.iter().filter_map(|card| Some((card.model.module?, None)));
    let is_loaded = |module: &str| loaded.iter().any(|name| name == module);
    let missing = named.chain(drivers).filter(|(module, _)| !is_loaded(module));
    let error = |(module, place): (&str, Option<Position>)| {
        let what = format!("needs the kernel module {module}, which no guest has");
        let error = match place {
            Some(place) => FileError::at(&vector.path, place, what),
            None => FileError::whole(&vector.path, what),
        };
        // A driver's module is called after the interface, and people forget what stands before it.
        let whole = format!("if_{module}");
        let meant = loaded.iter().find(|name| **name == whole).map(String::as_str);
        let meant = meant.or_else(|| nearest(module, loaded.iter().map(String::as_str)));
        let remedy = format!("list it in matrix.yaml, `modules: [{module}, ...]`, or give --kmod {module}");
        error
            .help(meant.map_or(remedy.clone(), |meant| format!("did you mean `{meant}`? otherwise {remedy}")))
    };
    missing.map(error).collect()
}

/// Whether a setting concerns netlink alone.
fn is_setting_of_netlink(name: &str) -> bool {
    let parts = name.strip_prefix("net.netlink.").unwrap_or_default().split('.');
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    parts.into_iter().all(is_part)
}

/// The deviations from well-formedness that a vector's datagrams have, on the systems that it is for.
///
/// # Errors
/// The vector does not compile.
pub fn malformations(vector: &Vector) -> Result<BTreeSet<Malformation>, FileError> {
    let mut found = BTreeSet::new();
    for os in &vector.needs.os {
        for step in &compile(vector, *os, 0)?.steps {
            for send in sends_of(step) {
                strict::faults(*os, &send.data, Options { unknown: true }, &mut |fault| {
                    found.insert(malformation(&fault));
                    ControlFlow::Continue(())
                });
            }
        }
    }
    Ok(found)
}

fn sends_of(step: &Step) -> Vec<&Send> {
    match step {
        Step::Send(send) => vec![send],
        Step::Race(race) => {
            race.before.iter().chain(race.lanes.iter().flatten()).chain(&race.after).collect()
        }
        Step::Count(count) => count.lanes.iter().flatten().collect(),
        Step::Exec { .. } | Step::Watch(_) | Step::Wait { .. } | Step::Hardware(_) => vec![],
    }
}

/// The deviations that the bytes have must be those that the vector declares.
fn check_form(
    file: SourceFile<'_>,
    vector: &Vector,
    os: Os,
    steps: &[Step],
    errors: &mut Vec<(VectorCheck, FileError)>,
) {
    let mut found = BTreeSet::new();
    for (step, spanned) in steps.iter().zip(&vector.steps) {
        for send in sends_of(step) {
            strict::faults(os, &send.data, Options { unknown: true }, &mut |fault| {
                let malformation = malformation(&fault);
                found.insert(malformation);
                if !vector.malformed.contains(&malformation) {
                    let what = format!("the datagram is malformed ({malformation}): {fault}");
                    let help = format!("mend it, or declare `malformed: [{malformation}]`");
                    errors.push((VectorCheck::Form, file.error(place(spanned), what).help(help)));
                }
                ControlFlow::Continue(())
            });
        }
    }
    for declared in vector.malformed.difference(&found) {
        let what = format!("`{declared}` is declared, and no datagram has it");
        let error = file.error(vector.malformed_place, what).help("take it out, or make the datagram so");
        errors.push((VectorCheck::Declared, error));
    }
}

/// The word for a fault.
pub(super) fn malformation(fault: &Fault) -> Malformation {
    match fault.what {
        FaultKind::Message(_) | FaultKind::ShortEcho { .. } | FaultKind::Surplus { .. } => {
            Malformation::MessageLength
        }
        FaultKind::Attr(_) => Malformation::AttrLength,
        FaultKind::ShortHeader { .. } => Malformation::ShortHeader,
        FaultKind::AttrSize { .. } => Malformation::AttrSize,
        FaultKind::Unterminated => Malformation::Unterminated,
        FaultKind::PaddingMissing { .. } | FaultKind::PaddingNotZero { .. } => Malformation::Padding,
        FaultKind::UnknownMessage { .. } => Malformation::UnknownMessage,
        FaultKind::UnknownAttr { .. } => Malformation::UnknownAttr,
    }
}
