// SPDX-License-Identifier: BSD-2-Clause
//! `set_modmetadata_set`: what the module is called, what it depends on, in which versions
//! (`sys/module.h`; 24-byte records `{ int version, int type, void *data, char *cval }`).

use nlproof_base::counted;
use object::elf;

use crate::check::Check;
use crate::facts::Facts;
use crate::kernel::version_with;
use crate::report::Finding;

/// `MDT_STRUCT_VERSION`.
const STRUCT_VERSION: u32 = 1;
const MDT_DEPEND: u32 = 1;
const MDT_MODULE: u32 = 2;
const MDT_VERSION: u32 = 3;
const MDT_PNP_INFO: u32 = 4;
/// Text of the row if there is no metadata.
pub(crate) const NO_SETS: &str = "no set";
/// The linker set.
const SET: &str = "set_modmetadata_set";

pub(crate) fn modmeta(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let module = facts.module;
    let sets: Vec<usize> =
        (0..module.sections.len()).filter(|&index| module.sections[index].name == SET).collect();
    if sets.len() != 1 {
        if facts.policy.metadata {
            let what = format!("is there {}; the loader reads exactly one", counted(sets.len(), "time"));
            findings.push(
                Finding::error(Check::Modmeta, SET, what)
                    .help("DECLARE_MODULE in the C shim; `metadata: false` for a plain object"),
            );
        }
        return (
            "no metadata".to_owned(),
            if sets.is_empty() { NO_SETS.to_owned() } else { counted(sets.len(), "set").to_string() },
        );
    }
    let set = sets[0];
    let (mut modules, mut depends, mut versions) = (Vec::new(), Vec::new(), 0);
    // What is in the file: SHT_NOBITS may claim any size, and has no pointers.
    let contents = module.sections[set].data.len() as u64;
    let entries = contents / 8;
    if contents != entries * 8 || contents != module.sections[set].size {
        findings.push(Finding::error(Check::Modmeta, SET, "is not a whole number of pointers in the file"));
    }
    for entry in 0..entries {
        let at = entry * 8;
        let bad = |what: &str| Finding::error(Check::Modmeta, SET, format!("has a record {entry} {what}"));
        let Some((home, record)) = pointer(facts, set, at) else {
            findings.push(bad("that points nowhere"));
            continue;
        };
        let section = &module.sections[home];
        let (version, kind) = (section.u32_at(record), section.u32_at(record.saturating_add(4)));
        let (Some(version), Some(kind)) = (version, kind) else {
            findings.push(bad("that lies outside its section"));
            continue;
        };
        if version != STRUCT_VERSION {
            findings.push(bad(&format!("of structure version {version}; {STRUCT_VERSION} is known")));
            continue;
        }
        let label =
            pointer(facts, home, record.saturating_add(16)).and_then(|(home, at)| text(facts, home, at));
        match (kind, label) {
            (MDT_MODULE, Some(label)) => modules.push(label),
            (MDT_MODULE, None) => findings.push(bad("of a module without a name")),
            (MDT_VERSION, _) => versions += 1,
            (MDT_PNP_INFO, _) => {}
            (MDT_DEPEND, Some(label)) => {
                let range = pointer(facts, home, record.saturating_add(8)).and_then(|(home, at)| {
                    let section = &module.sections[home];
                    let word = |place: u64| section.u32_at(at.saturating_add(place)).map(|word| word as i32);
                    Some((word(0)?, word(4)?, word(8)?))
                });
                match range {
                    Some(range) => depends.push((label, range)),
                    None => findings.push(bad("of a dependency without a range")),
                }
            }
            (MDT_DEPEND, None) => findings.push(bad("of a dependency without a name")),
            (other, _) => findings.push(bad(&format!("of type {other}, which is not known"))),
        }
    }
    // A file that only versions itself (a library of functions) has no MDT_MODULE and loads all the same.
    if modules.is_empty() && versions == 0 {
        findings.push(
            Finding::error(Check::Modmeta, SET, "names no module").help("DECLARE_MODULE in the C shim"),
        );
    }
    judge(facts, &depends, findings);
    let depends: Vec<String> =
        depends.iter().map(|(name, (low, _, high))| format!("{name} {low}..{high}")).collect();
    (
        modules.join(" "),
        if depends.is_empty() {
            "no dependencies".to_owned()
        } else {
            format!("depends on {}", depends.join(", "))
        },
    )
}

fn judge(facts: &Facts<'_>, depends: &[(String, (i32, i32, i32))], findings: &mut Vec<Finding>) {
    let kernel = version_with(facts.policy, facts.kernel);
    for (name, (low, preferred, high)) in depends {
        let (low, preferred, high) = (*low, *preferred, *high);
        if !(low <= preferred && preferred <= high) {
            let what = format!(
                "is depended on with the range {low}..{high} and {preferred} preferred, which is no order"
            );
            findings.push(Finding::error(Check::Modmeta, &**name, what));
        }
        if name == "kernel"
            && let Some(version) = kernel
            && !(low..=high).contains(&version)
        {
            let what = format!("has __FreeBSD_version {version}; the module wants {low}..{high}");
            findings.push(
                Finding::error(Check::Modmeta, &**name, what)
                    .cause("kldload would refuse the module")
                    .help("build it against the sources of that kernel"),
            );
        }
    }
    if !depends.iter().any(|(name, _)| name == "kernel") {
        findings.push(
            Finding::warning(Check::Modmeta, SET, "does not say which kernel the module is for")
                .help("MODULE_DEPEND(module, kernel, ...), which DECLARE_MODULE adds"),
        );
    }
}

/// The 64-bit pointer at `offset` of `section`, by its relocation.
fn pointer(facts: &Facts<'_>, section: usize, offset: u64) -> Option<(usize, u64)> {
    let reloc = facts.module.reloc_at(section, offset).filter(|reloc| reloc.kind == elf::R_X86_64_64.0)?;
    let (home, at) = facts.module.points_to(reloc)?;
    (at < facts.module.sections.get(home)?.size).then_some((home, at))
}

/// A short C string.
fn text(facts: &Facts<'_>, section: usize, offset: u64) -> Option<String> {
    let data = facts.module.sections.get(section)?.data.get(usize::try_from(offset).ok()?..)?;
    let data = data.get(..data.len().min(256))?;
    let end = data.iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8_lossy(&data[..end]).into_owned())
}
