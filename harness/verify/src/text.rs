// SPDX-License-Identifier: BSD-2-Clause
//! A report as text: the verdict, the table of checks, each rejection with its path, the largest
//! functions, one line of statistics.

use std::fmt;

use crate::policy::demangle;
use crate::report::{Report, Severity, Verdict};

/// How many functions the table shows.
const TOP: usize = 5;
/// How many findings of one check are shown in full.
const SHOWN: usize = 10;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Waived => "waived",
            Self::Reject => "REJECT",
            Self::NotRun => "not run",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (errors, waived, warnings) = self.counts();
        let verdict = if self.accepted { "ACCEPTED" } else { "REJECTED" };
        let s = if errors == 1 { "" } else { "s" };
        writeln!(
            f,
            "{}  amd64 FreeBSD  {verdict}: {errors} error{s}, {waived} waived, {warnings} warnings\n",
            clean(&self.module)
        )?;
        self.table(f)?;
        self.details(f)?;
        if !self.functions.is_empty() {
            writeln!(
                f,
                "\n  {:<40} {:>7} {:>7} {:>6} {:>9} {:>7}  traceable",
                "function (top by chain)", "frame", "chain", "calls", "indirect", "insns"
            )?;
        }
        for row in self.functions.iter().take(TOP) {
            let frame = row.frame.map_or("?".to_owned(), |frame| frame.to_string());
            let traceable = if row.traceable { "yes" } else { "no" };
            writeln!(
                f,
                "  {:<40} {frame:>7} {:>7} {:>6} {:>9} {:>7}  {traceable}",
                clean(&row.name),
                row.chain,
                row.calls,
                row.indirect,
                row.insns
            )?;
        }
        let stats = &self.stats;
        writeln!(
            f,
            "\nverified {} functions, {} insns, {} relocs, {} imports",
            stats.functions, stats.insns, stats.relocs, stats.imports
        )
    }
}

impl Report {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<10} {:<8} {:<32} detail", "check", "verdict", "subject")?;
        for row in &self.checks {
            let subject = clean(&demangle(&row.subject));
            writeln!(f, "  {:<10} {:<8} {subject:<32} {}", row.check, row.verdict, clean(&row.detail))?;
        }
        Ok(())
    }

    fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        let mut check = None;
        for finding in self.findings.iter().filter(|finding| finding.waived.is_none()) {
            if check != Some(finding.check) {
                (check, shown) = (Some(finding.check), 0);
            }
            shown += 1;
            if shown == SHOWN + 1 {
                let all = self
                    .findings
                    .iter()
                    .filter(|other| other.check == finding.check && other.waived.is_none());
                writeln!(f, "\n{}: {} more of these", finding.check, all.count() - SHOWN)?;
            }
            if shown > SHOWN {
                continue;
            }
            let level = if finding.severity == Severity::Error { "error" } else { "warning" };
            writeln!(
                f,
                "\n{level}[{}]: `{}` {}",
                finding.check,
                clean(&demangle(&finding.subject)),
                clean(&finding.what)
            )?;
            for (number, step) in finding.path.iter().enumerate() {
                let place = format!("{}+{:#x}", clean(&step.function), step.offset);
                write!(f, "  {number}: {place:<44} {}", clean(&step.text))?;
                match step.stack {
                    Some((own, sum)) => writeln!(f, "  [+{own} = {sum}]")?,
                    None => writeln!(f)?,
                }
            }
            if let Some(cause) = &finding.cause {
                writeln!(f, "  cause: {}", clean(cause))?;
            }
            if let Some(help) = &finding.help {
                writeln!(f, "  help:  {}", clean(help))?;
            }
        }
        Ok(())
    }
}

/// Names come from the file: control characters must not reach a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
