// SPDX-License-Identifier: BSD-2-Clause
//! `kmod-src/probes.yaml`: the probes of the interface code, with what their arguments mean.

use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::file::{FileError, parse_yaml};

/// The table that this program was built with: its numbers are those of the core beside it.
const TEXT: &str = include_str!("../../../../kmod-src/probes.yaml");
const PATH: &str = "kmod-src/probes.yaml";

/// The probes, by number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Table {
    /// In the order of their numbers.
    pub probes: Vec<Probe>,
}

/// One probe. Its name tells it from others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Probe {
    /// Name of the probe in goldens and to DTrace.
    pub name: String,
    /// The event that fires it.
    pub about: String,
    /// What it opens or closes.
    #[serde(default)]
    pub span: Option<Span>,
    /// What it announces may sleep.
    #[serde(default)]
    pub sleeps: bool,
    /// Arguments of the probe in order.
    pub args: Vec<Arg>,
    /// Functions of the stock code that are passed at the same point.
    #[serde(default)]
    pub stock: Vec<Stock>,
    /// Why its firings are not compared with what stock code does.
    #[serde(default)]
    pub apart: Option<String>,
}

/// Spans nest within one thread.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    /// A span of that name begins.
    Opens(String),
    /// A span of that name ends.
    Closes(String),
}

/// One argument.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Arg {
    /// Name of the argument.
    pub name: String,
    /// Type of the argument, which implies its unit.
    #[serde(rename = "type")]
    pub kind: ArgType,
    /// What a golden shows of it.
    pub redaction: Redaction,
}

/// What an argument is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ArgType {
    /// One of the types below.
    Simple(Simple),
    /// One of these words, numbered from 0.
    Word(Vec<String>),
}

/// Types that many arguments share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Simple {
    /// `nlmsg_type`.
    Message,
    /// `nlmsg_flags` of the message that stands before it.
    NlmFlags,
    /// `nlmsg_seq`.
    Seq,
    /// `nlmsg_pid`.
    Port,
    /// A length.
    Bytes,
    /// An interface's index.
    Ifindex,
    /// At most 15 bytes, in two words.
    Name,
    /// An error's number, 0 for none.
    Errno,
    /// RTNLGRP_*.
    Group,
    /// IFF_*.
    IfFlags,
    /// An address in the kernel.
    Pointer,
    /// How many.
    Count,
    /// A number without a unit.
    Number,
}

/// What a golden shows of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Redaction {
    /// The value.
    Keep,
    /// `+0`: relative to the step's first sequence number.
    Relative,
    /// `$self` for the vector's own port.
    #[serde(rename = "self")]
    Own,
    /// `$lo10`.
    Interface,
    /// `p0` for the first value, `p0` again for the same.
    Rename,
    /// Nothing: it differs between kernels.
    Drop,
}

/// A function of the stock code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stock {
    /// Majors of FreeBSD that have it.
    pub releases: Vec<String>,
    /// Name of the function, as fbt shows it.
    pub function: String,
    /// Where it is probed.
    pub at: ProbePoint,
    /// Only in threads that are inside one of these spans; none: in all.
    #[serde(default)]
    pub of: Vec<String>,
    /// Only when called out of a function whose name begins so.
    #[serde(default)]
    pub by: Option<String>,
    /// Only when this D expression is not 0.
    #[serde(default)]
    pub when: Option<String>,
    /// Arguments as D expressions; of a name its address.
    pub values: std::collections::BTreeMap<String, String>,
}

/// Where a function is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbePoint {
    /// When it is entered.
    Entry,
    /// When it returns.
    Return,
}

impl Table {
    /// Parses a table, with the checks that serde cannot make.
    ///
    /// # Errors
    /// It does not parse, a name is there twice, arguments need more than five words, or `values` names an argument
    /// that the probe does not have.
    pub fn parse(text: &str) -> Result<Table, FileError> {
        let table: Table = parse_yaml(Path::new(PATH), text)?;
        let wrong = |what: String| FileError::whole(Path::new(PATH), what);
        for (number, probe) in table.probes.iter().enumerate() {
            if table.probes[..number].iter().any(|other| other.name == probe.name) {
                return Err(wrong(format!("the probe `{}` is there twice", probe.name)));
            }
            let words: usize = probe.args.iter().map(Arg::words).sum();
            if words > iface_core::WORDS {
                return Err(wrong(format!("the arguments of `{}` need {words} words", probe.name)));
            }
            for name in probe.stock.iter().flat_map(|stock| stock.values.keys()) {
                if !probe.args.iter().any(|arg| arg.name == *name) {
                    return Err(wrong(format!("`{}` has no argument `{name}`", probe.name)));
                }
            }
        }
        for probe in &table.probes {
            if probe.stock.is_empty() && probe.apart.is_none() {
                let name = &probe.name;
                return Err(wrong(format!(
                    "`{name}` has neither `stock` nor a reason why it stands `apart`"
                )));
            }
        }
        Ok(table)
    }

    /// The probe with that number.
    pub fn by_number(&self, number: u16) -> Option<&Probe> {
        self.probes.get(usize::from(number))
    }

    /// The probe with that name.
    pub fn by_name(&self, name: &str) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.name == name)
    }
}

impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Probe {}

impl Probe {
    /// The functions that stand for it in that major.
    pub fn stock_of<'a>(&'a self, major: &'a str) -> impl Iterator<Item = &'a Stock> {
        self.stock.iter().filter(move |stock| stock.releases.iter().any(|release| release == major))
    }
}

/// `shim/probes.h`: the table as the module's C code has it.
#[cfg(test)]
fn header(table: &Table) -> String {
    let mut text = String::from(
        "/* SPDX-License-Identifier: BSD-2-Clause */\n/* Generated from kmod-src/probes.yaml: \
         NLPROOF_BLESS=1 cargo test -p nlproof --lib ktrace */\n#ifndef NLPROOF_PROBES_H\n#define NLPROOF_PROBES_H\n\n",
    );
    text.push_str(&format!("#define\tNLPROOF_PROBE_WORDS\t{}\n\n", iface_core::WORDS));
    let upper = |name: &str| name.to_uppercase().replace('-', "_");
    for (number, probe) in table.probes.iter().enumerate() {
        text.push_str(&format!("#define\tNLPROOF_{}\t{number}\n", upper(&probe.name)));
    }
    text.push_str("\n/* Number, name, and the name as SDT wants it. */\n#define\tNLPROOF_PROBES(_probe)");
    for probe in &table.probes {
        let name = &probe.name;
        text.push_str(&format!(
            " \\\n\t_probe(NLPROOF_{}, \"{name}\", {})",
            upper(name),
            name.replace('-', "__")
        ));
    }
    text.push_str("\n\n#endif\n");
    text
}

impl Arg {
    /// How many words it takes.
    pub fn words(&self) -> usize {
        if self.kind == ArgType::Simple(Simple::Name) { 2 } else { 1 }
    }
}

/// The table of the core that this program is built with.
///
/// # Panics
/// The file that was compiled in is no table; a test would have said so.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| match Table::parse(TEXT) {
        Ok(table) => table,
        Err(error) => panic!("{error}"),
    })
}

#[cfg(test)]
mod tests {
    use iface_core::{Change, CloneOp, Happening};

    use super::*;

    /// The Rust type of an argument in core, by its type in the table.
    fn rust_types(kind: &ArgType) -> &'static [&'static str] {
        match kind {
            ArgType::Simple(Simple::Message | Simple::NlmFlags) => &["u16"],
            ArgType::Simple(Simple::Errno) => &["i32"],
            ArgType::Simple(Simple::Number) => &["u32", "i32"],
            ArgType::Simple(Simple::Pointer) => &["u64"],
            ArgType::Simple(Simple::Name) => &["Name"],
            ArgType::Simple(_) => &["u32"],
            ArgType::Word(words) if *words == CloneOp::NAMES => &["CloneOp"],
            ArgType::Word(words) if *words == Change::NAMES => &["Change"],
            ArgType::Word(words) if *words == Happening::NAMES => &["Happening"],
            ArgType::Word(_) => &[],
        }
    }

    #[test]
    fn core_fires_what_the_table_says() {
        let core = iface_core::Probe::TABLE;
        let names = |core: &[(&'static str, _)]| core.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(core), table().probes.iter().map(|probe| probe.name.as_str()).collect::<Vec<_>>());
        for ((name, args), probe) in core.iter().zip(&table().probes) {
            assert_eq!(args.len(), probe.args.len(), "{name}");
            for ((field, rust), arg) in args.iter().zip(&probe.args) {
                assert_eq!(*field, arg.name, "{name}");
                assert!(rust_types(&arg.kind).contains(rust), "{name} {field}: {rust} for {:?}", arg.kind);
            }
        }
    }

    #[test]
    fn the_modules_header_is_generated_from_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kmod-src/shim/probes.h");
        let header = header(table());
        if std::env::var_os("NLPROOF_BLESS").is_some() {
            std::fs::write(&path, &header).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == header, "probes.h is stale: NLPROOF_BLESS=1 cargo test -p nlproof --lib ktrace");
    }

    #[test]
    fn every_span_is_opened_and_closed() {
        let spans = |opens: bool| {
            let mut names: Vec<_> = table()
                .probes
                .iter()
                .filter_map(|probe| match probe.span.as_ref()? {
                    Span::Opens(name) if opens => Some(name.as_str()),
                    Span::Closes(name) if !opens => Some(name.as_str()),
                    _ => None,
                })
                .collect();
            names.sort_unstable();
            names
        };
        assert_eq!(spans(true), spans(false));
    }

    #[test]
    fn tables_that_cannot_be_meant_are_refused() {
        let probe = "probes:\n- {name: a, about: x, args: [{name: n, type: name, redaction: keep}";
        let cases = [
            (format!("{probe}]}}\n- {{name: a, about: y, args: []}}\n"), "`a` is there twice"),
            (
                format!(
                    "{probe}, {{name: m, type: name, redaction: keep}}, {{name: o, type: name, redaction: keep}}]}}\n"
                ),
                "need 6 words",
            ),
            (
                format!(
                    "{probe}], stock: [{{releases: ['14'], function: f, at: entry, values: {{z: '0'}}}}]}}\n"
                ),
                "has no argument `z`",
            ),
            (probe.replace("keep", "kep") + "]}\n", "kep"),
            (probe.to_owned() + "]}\n", "neither `stock` nor a reason"),
        ];
        for (text, expected) in cases {
            let error = Table::parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
