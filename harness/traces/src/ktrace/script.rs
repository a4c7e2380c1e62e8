// SPDX-License-Identifier: BSD-2-Clause
//! The D programs that follow a kernel: one made of the table, for the points that stock code passes or for the module's
//! SDT probes, and the user's own probes behind it.
//!
//! Each probe's line is `k TIME CPU THREAD VNET PROBE CALLER ARG...`: time in nanoseconds of DTrace's clock, the
//! network stack and arguments in hexadecimal, `PROBE` the probe's number in the table and that of its function there
//! (`4.0`), `-` for an unknown argument. The line of a user's probe is `u TIME CPU THREAD VNET WHICH NAME ARG0 ARG1`;
//! the end of a network stack is `d TIME CPU THREAD VNET`. `begin` and `end` stand around all of them.
//!
//! Nothing is kept between probes, because thread-local variables find no room in a kernel with one processor that was
//! built for a thousand (`dtrace_dstate_init` divides the room by MAXCPU). The reader of the lines keeps the state.

use std::fmt::Write as _;

use super::table::{ArgType, Probe, ProbePoint, Simple, Stock, table};

/// Number of fields that every line has before its own.
const WHERE: &str = "timestamp, cpu, tid, (uint64_t)curthread->td_vnet";

/// The code whose points the program follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Stock code's of that major, by fbt.
    Stock(u32),
    /// The module's, by SDT.
    Module,
}

/// A D program, one clause a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The program.
    pub text: String,
    /// The user's probes, in order; each has a line of its own at the end.
    own: Vec<String>,
    /// The line of the first of them, from 1.
    own_from: usize,
}

impl Script {
    /// The program for these points, and for the user's own probes (`fbt::nlmsg_*:entry`, a predicate behind it if need
    /// be).
    pub fn new(followed: Followed, own: &[String]) -> Script {
        let mut text = String::from(
            "#pragma D option quiet\n#pragma D option temporal\n#pragma D option bufsize=4m\n#pragma D option \
             switchrate=50hz\nBEGIN { printf(\"begin\\n\"); }\nfbt::vnet_destroy:entry { printf(\"d %d %d %d %x\\n\", timestamp, cpu, tid, \
             (uint64_t)arg0); }\n",
        );
        match followed {
            Followed::Stock(major) => {
                let major = major.to_string();
                for (number, probe) in table().probes.iter().enumerate() {
                    // The place among all, whatever the release.
                    let stocks = probe.stock.iter().enumerate();
                    for (place, stock) in stocks.filter(|(_, stock)| stock.releases.contains(&major)) {
                        text.push_str(&fbt(&format!("{number}.{place}"), probe, stock));
                    }
                }
            }
            Followed::Module => {
                for (number, probe) in table().probes.iter().enumerate() {
                    text.push_str(&sdt(number, probe));
                }
            }
        }
        let own_from = text.lines().count() + 1;
        for (number, probe) in own.iter().enumerate() {
            writeln!(
                text,
                "{probe} {{ printf(\"u %d %d %d %x {number} %s:%s:%s:%s %x %x\\n\", {WHERE}, probeprov, probemod, \
                 probefunc, probename, (uint64_t)arg0, (uint64_t)arg1); }}"
            )
            .ok();
        }
        text.push_str("END { printf(\"end\\n\"); }\n");
        Script { text, own: own.to_vec(), own_from }
    }

    /// Which of the user's probes dtrace(1) complains of, by the line that it names.
    pub fn blamed(&self, complaint: &str) -> Option<&str> {
        let line: usize = complaint
            .split("line ")
            .skip(1)
            .filter_map(|rest| rest.split(|other: char| !other.is_ascii_digit()).next()?.parse().ok())
            .next()?;
        let own = self.own.get(line.checked_sub(self.own_from)?);
        own.map(String::as_str).filter(|_| complaint.contains("nlproof.d"))
    }
}

/// The clause for a function of stock code.
fn fbt(number: &str, probe: &Probe, stock: &Stock) -> String {
    let place = match stock.at {
        ProbePoint::Entry => "entry",
        ProbePoint::Return => "return",
    };
    // In parentheses: `/*` would begin a comment.
    let when = stock.when.as_ref().map_or(String::new(), |when| format!(" /({when})/"));
    let (mut formats, mut values) = (String::new(), String::new());
    if stock.by.is_some() {
        formats.push_str(" %a");
        values.push_str(", caller");
    } else {
        formats.push_str(" -");
    }
    for arg in &probe.args {
        match stock.values.get(&arg.name) {
            // All of its bytes, whatever stands behind the NUL: the kernel reads them in one piece too.
            Some(value) if arg.kind == ArgType::Simple(Simple::Name) => {
                formats.push_str(" %x %x");
                write!(
                    values,
                    ", *(uint64_t *)((uintptr_t)({value})), *(uint64_t *)((uintptr_t)({value}) + 8)"
                )
                .ok();
            }
            Some(value) => {
                formats.push_str(" %x");
                // Errors' numbers keep their sign.
                write!(values, ", (uint64_t)(int64_t)({value})").ok();
            }
            None => formats.push_str(" -"),
        }
    }
    format!(
        "fbt::{}:{place}{when} {{ printf(\"k %d %d %d %x {number}{formats}\\n\", {WHERE}{values}); }}\n",
        stock.function
    )
}

/// The clause for a probe of the module, all of whose arguments are words.
fn sdt(number: usize, probe: &Probe) -> String {
    let words: usize = probe.args.iter().map(super::table::Arg::words).sum();
    let formats = " %x".repeat(words);
    let values: String = (0..words).map(|word| format!(", (uint64_t)arg{word}")).collect();
    format!(
        "nlproof:::{} {{ printf(\"k %d %d %d %x {number}.- -{formats}\\n\", {WHERE}{values}); }}\n",
        probe.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_made_of_the_table() {
        let script = Script::new(Followed::Stock(14), &[]).text;
        assert!(script.contains("!= 19)/ { printf(\"k %d %d %d %x 0.0 - %x"), "{script}");
        assert!(script.contains("fbt::if_rele:entry { printf(\"k %d %d %d %x 16.0 %a %x %x"), "{script}");
        assert!(script.contains("fbt::ifunit_ref:return /(arg1 != 0)/ {"), "{script}");
        assert!(
            script.contains("*(uint64_t *)((uintptr_t)(arg0)), *(uint64_t *)((uintptr_t)(arg0) + 8)"),
            "{script}"
        );
        assert!(script.contains("fbt::rtnl_handle_ifevent:return {"), "{script}");
        let of_15 = Script::new(Followed::Stock(15), &[]).text;
        assert!(
            !of_15.contains("rtnl_handle_ifevent") && of_15.contains("fbt::rtnl_handle_ifattach:return {")
        );
        assert!(!Script::new(Followed::Stock(13), &[]).text.contains("fbt::rtnl"));
        let module = Script::new(Followed::Module, &[]).text;
        assert!(
            module.contains("nlproof:::request-in { printf(\"k %d %d %d %x 0.- - %x %x %x %x %x\\n\""),
            "{module}"
        );
        assert!(!module.contains("fbt::rtnl"));
    }

    #[test]
    fn a_complaint_is_about_the_probe_whose_line_it_names() {
        let own = ["fbt::x:entry".to_owned(), "fbt::y:entry /1".to_owned()];
        let script = Script::new(Followed::Stock(14), &own);
        let line = script.text.lines().position(|line| line.starts_with("fbt::y")).unwrap() + 1;
        let complaint =
            |line| format!("dtrace: failed to compile script /tmp/nlproof.d: line {line}: syntax error");
        assert_eq!(script.blamed(&complaint(line)), Some("fbt::y:entry /1"));
        assert_eq!(script.blamed(&complaint(line - 1)), Some("fbt::x:entry"));
        for other in
            [complaint(1), complaint(line + 1), "\"/usr/lib/dtrace/io.d\", line 76: x".into(), "x".into()]
        {
            assert_eq!(script.blamed(&other), None, "{other}");
        }
    }
}
