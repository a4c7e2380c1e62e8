// SPDX-License-Identifier: BSD-2-Clause
//! A report as text: the verdict, the table of checks, each rejection with its path, the largest
//! functions, one line of statistics.

use std::fmt;

use nlproof_base::counted;

use crate::policy::demangle as demangled;
use crate::report::{Finding, Report, Row, Severity, Source, Verdict, counts};

/// How many functions the table shows.
const TOP: usize = 5;
/// How many findings of one check are shown in full.
const SHOWN: usize = 10;

/// How much a text says, and under which names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextStyle {
    /// Every finding, those that are waived too with the reason; every function.
    pub verbose: bool,
    /// Names as they stand in the file instead of demangled ones.
    pub raw_names: bool,
}

impl TextStyle {
    fn name(self, raw: &str) -> String {
        clean(&if self.raw_names { raw.to_owned() } else { demangled(raw) })
    }
}

/// A report in a style; see [`Report::text`].
struct Styled<'a>(&'a Report, TextStyle);

impl Report {
    /// The report for people; [`fmt::Display`] has the default style.
    pub fn text(&self, style: TextStyle) -> impl fmt::Display + '_ {
        Styled(self, style)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Waived => "waived",
            Self::Reject => "REJECT",
            Self::NotRun => "not run",
            Self::NotChecked => "not checked",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text(TextStyle::default()).fmt(f)
    }
}

impl fmt::Display for Styled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Styled(report, style) = *self;
        // Twelve digits tell modules apart; all of them are in the last line.
        let digest = report.sha256.get(..12).unwrap_or_default();
        verdict_line(
            f,
            &format!("{}  amd64 FreeBSD  sha256:{digest}…", report.module),
            report.accepted,
            &report.findings,
        )?;
        table(f, &report.checks, style)?;
        details(f, &report.findings, style)?;
        if !report.functions.is_empty() {
            writeln!(
                f,
                "\n  {:<40} {:>7} {:>7} {:>6} {:>9} {:>7}  traceable",
                if style.verbose { "function (by chain)" } else { "function (top by chain)" },
                "frame",
                "chain",
                "calls",
                "indirect",
                "insns"
            )?;
        }
        for row in report.functions.iter().take(if style.verbose { usize::MAX } else { TOP }) {
            let frame = row.frame.map_or("?".to_owned(), |frame| frame.to_string());
            let traceable = if row.traceable { "yes" } else { "no" };
            writeln!(
                f,
                "  {:<40} {frame:>7} {:>7} {:>6} {:>9} {:>7}  {traceable}",
                clean(if style.raw_names { &row.symbol } else { &row.name }),
                row.chain,
                row.calls,
                row.indirect,
                row.insns
            )?;
        }
        if let Some(why) = &report.without_lines {
            writeln!(f, "\npaths without source lines: {}", clean(why))?;
        }
        let stats = &report.stats;
        let [functions, insns, relocs, imports] = [
            (stats.functions, "function"),
            (stats.insns, "insn"),
            (stats.relocs, "reloc"),
            (stats.imports, "import"),
        ]
        .map(|(number, noun)| counted(number, noun));
        write!(f, "\nverified {functions}, {insns}, {relocs}, {imports}")?;
        elapsed(f, report.elapsed_micros)?;
        writeln!(f, "; sha256 {}", report.sha256)
    }
}

/// ` in 1.2 ms`, if it was measured.
///
/// # Errors
/// Those of the formatter.
pub fn elapsed(f: &mut fmt::Formatter<'_>, micros: Option<u64>) -> fmt::Result {
    match micros {
        Some(micros) => write!(f, " in {}.{} ms", micros / 1000, micros % 1000 / 100),
        None => Ok(()),
    }
}

/// The verdict: what was looked at, and how much is wrong with it.
///
/// # Errors
/// Those of the formatter.
pub fn verdict_line<C>(
    f: &mut fmt::Formatter<'_>,
    of: &str,
    accepted: bool,
    findings: &[Finding<C>],
) -> fmt::Result {
    let (errors, waived, warnings) = counts(findings);
    let verdict = if accepted { "ACCEPTED" } else { "REJECTED" };
    let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
    writeln!(f, "{}  {verdict}: {errors}, {waived} waived, {warnings}\n", clean(of))
}

/// The table of checks.
///
/// # Errors
/// Those of the formatter.
pub fn table<C: fmt::Display>(f: &mut fmt::Formatter<'_>, rows: &[Row<C>], style: TextStyle) -> fmt::Result {
    writeln!(f, "  {:<10} {:<11} {:<32} detail", "check", "verdict", "subject")?;
    for row in rows {
        let subject = style.name(&row.subject);
        writeln!(f, "  {:<10} {:<11} {subject:<32} {}", row.check, row.verdict, clean(&row.detail))?;
    }
    Ok(())
}

/// Each finding with its path, cause and help; those that are waived only in the verbose style.
///
/// # Errors
/// Those of the formatter.
pub fn details<C: fmt::Display + PartialEq + Copy>(
    f: &mut fmt::Formatter<'_>,
    findings: &[Finding<C>],
    style: TextStyle,
) -> fmt::Result {
    if style.verbose {
        return findings.iter().try_for_each(|finding| detail(f, finding, style));
    }
    let mut shown = 0;
    let mut check = None;
    for finding in findings.iter().filter(|finding| finding.waived.is_none()) {
        if check != Some(finding.check) {
            (check, shown) = (Some(finding.check), 0);
        }
        shown += 1;
        if shown == SHOWN + 1 {
            let all = findings.iter().filter(|other| other.check == finding.check && other.waived.is_none());
            writeln!(f, "\n{}: {} more of these", finding.check, all.count() - SHOWN)?;
        }
        if shown <= SHOWN {
            detail(f, finding, style)?;
        }
    }
    Ok(())
}

fn detail<C: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    finding: &Finding<C>,
    style: TextStyle,
) -> fmt::Result {
    let level = match finding.severity {
        _ if finding.waived.is_some() => "waived",
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    writeln!(f, "\n{level}[{}]: `{}` {}", finding.check, style.name(&finding.subject), clean(&finding.what))?;
    if let Some(source) = &finding.source {
        let column = source.column.map_or(String::new(), |column| format!(":{column}"));
        writeln!(f, "  at     {}:{}{column}", clean(&source.file), source.line)?;
    }
    let with_source = finding.path.iter().any(|step| step.source.is_some());
    for (number, step) in finding.path.iter().enumerate() {
        let (function, text) = match &step.raw {
            Some((function, text)) if style.raw_names => (function, text),
            _ => (&step.function, &step.text),
        };
        let place = format!("{}+{:#x}", clean(function), step.offset);
        write!(f, "  {number}: {place:<44} ")?;
        if with_source {
            let source = step.source.as_ref();
            let source = source.map(|source| format!("{}:{}", clean(file_name(source)), source.line));
            write!(f, "{:<20} ", source.as_deref().unwrap_or("?"))?;
        }
        write!(f, "{}", clean(text))?;
        match step.stack {
            Some((own, sum)) => writeln!(f, "  [+{own} = {sum}]")?,
            None => writeln!(f)?,
        }
        for inlined in &step.inlined {
            let call =
                inlined.call.as_ref().map(|call| format!(", called at {}:{}", file_name(call), call.line));
            let call = call.unwrap_or_default();
            writeln!(f, "       in {}, inlined{}", clean(&inlined.function), clean(&call))?;
        }
    }
    if let Some(cause) = &finding.cause {
        writeln!(f, "  cause: {}", clean(cause))?;
    }
    if let Some(help) = &finding.help {
        writeln!(f, "  help:  {}", clean(help))?;
    }
    if let Some(reason) = &finding.waived {
        writeln!(f, "  waived: {}", clean(reason))?;
    }
    Ok(())
}

fn file_name(source: &Source) -> &str {
    source.file.rsplit('/').next().unwrap_or_default()
}

/// Names come from the file: control characters must not reach a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
