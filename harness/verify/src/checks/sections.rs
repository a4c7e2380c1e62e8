// SPDX-License-Identifier: BSD-2-Clause
//! Section flags, page protections as `link_elf_protect` computes them, sections that do not belong.

use std::collections::BTreeMap;

use nlproof_base::counted;
use object::elf;

use crate::check::Check;
use crate::elf::Section;
use crate::facts::Facts;
use crate::report::Finding;

/// Bytes in a page of amd64.
const PAGE: u64 = 4096;

/// Permissions of a page, and the sections that ask for them.
#[derive(Debug, Default)]
struct Page {
    write: bool,
    exec: bool,
    sections: Vec<usize>,
}

/// The sections that the loader places one behind the other, with their offsets from the start of the
/// mapping (which is page-aligned). Sections for vnet and per-CPU data take space, but their contents live
/// elsewhere and they get no protection here.
fn layout<'f>(facts: &'f Facts<'_>) -> Vec<(usize, &'f Section<'f>, u64)> {
    let mut at = 0_u64;
    let mut placed = Vec::new();
    for (index, section) in facts.module.sections.iter().enumerate() {
        if section.size == 0 || !section.is_loaded() {
            continue;
        }
        at = at.checked_next_multiple_of(section.align).unwrap_or(u64::MAX);
        placed.push((index, section, at));
        at = at.saturating_add(section.size);
    }
    placed
}

pub(crate) fn wx(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    let sections = &facts.module.sections;
    let placed = layout(facts);
    let one_file = facts.module.is_one_file();
    // Only a section's first and last page can be shared, so two pages for each section are enough.
    let mut pages: BTreeMap<u64, Page> = BTreeMap::new();
    let mut loaded = 0_u64;
    for &(index, section, at) in &placed {
        if section.is_write() && section.is_exec() {
            findings.push(Finding::error(
                Check::Wx,
                &*section.name,
                "is a section that is writable and executable",
            ));
        }
        let last = at.saturating_add(section.size - 1);
        loaded = last / PAGE + 1;
        if section.name == "set_vnet" || section.name == "set_pcpu" || !one_file {
            continue;
        }
        let mut ends = vec![at / PAGE, last / PAGE];
        ends.dedup();
        for number in ends {
            let page = pages.entry(number).or_default();
            page.write |= section.is_write();
            page.exec |= section.is_exec();
            page.sections.push(index);
        }
    }
    for (number, page) in &pages {
        // A single section that is both was named above.
        let alone =
            page.sections.iter().any(|&index| sections[index].is_write() && sections[index].is_exec());
        if page.write && page.exec && !alone {
            let code = page.sections.iter().find(|&&index| sections[index].is_exec());
            let names: Vec<&str> = page.sections.iter().map(|&index| sections[index].name.as_str()).collect();
            let subject = code.map_or("", |&index| sections[index].name.as_str());
            findings.push(
                Finding::error(
                    Check::Wx,
                    subject,
                    format!("is on page {number} of the module, which is also writable"),
                )
                .cause(format!(
                    "the loader gives a shared page the union of protections: {}",
                    names.join(", ")
                ))
                .help(
                    "link with the kernel's conf/ldscript.kmod.amd64, which pads .text and .rodata to pages",
                ),
            );
        }
    }
    (
        counted(placed.len(), "section").to_string(),
        if one_file {
            format!("{}, protections as link_elf_protect gives them", counted(loaded, "page"))
        } else {
            "sections alone: an archive has no pages before it is linked".to_owned()
        },
    )
}

pub(crate) fn sections(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> (String, String) {
    for section in facts.module.sections.iter().filter(|section| section.size > 0) {
        let name = section.name.as_str();
        let error = |what: &str, help: &str| Finding::error(Check::Sections, name, what).help(help);
        let starts = |prefix: &str| {
            name == prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
        };
        if section.flags & elf::SHF_TLS.0 != 0 {
            findings.push(error(
                "is thread-local storage, which the kernel does not have",
                "use a global or per-CPU variable",
            ));
        } else if section.is_alloc()
            && ([elf::SHT_INIT_ARRAY.0, elf::SHT_FINI_ARRAY.0].contains(&section.kind)
                || starts(".init_array")
                || starts(".fini_array")
                || starts(".ctors")
                || starts(".dtors"))
        {
            findings.push(error(
                "holds constructors or destructors",
                "use SYSINIT or the module's event handler",
            ));
        } else if name == ".llvmbc" || section.is_alloc() && name == ".llvmcmd" {
            findings.push(error("is LLVM bitcode", "-C embed-bitcode=no, or objcopy -R .llvmbc -R .llvmcmd"));
        } else if section.is_alloc() && section.flags & elf::SHF_COMPRESSED.0 != 0 {
            findings.push(error(
                "is compressed, which the loader does not undo",
                "link without --compress-sections",
            ));
        } else if section.is_alloc() && name == ".eh_frame" {
            findings.push(
                Finding::warning(Check::Sections, name, "is loaded and never used")
                    .help("-C force-unwind-tables=no; clang: -fno-asynchronous-unwind-tables"),
            );
        }
    }
    let loaded =
        facts.module.sections.iter().filter(|section| section.is_alloc() && section.size > 0).count();
    (
        format!("{loaded} loaded"),
        format!("of {}", counted(facts.module.sections.len().saturating_sub(1), "section")),
    )
}
