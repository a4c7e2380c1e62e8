// SPDX-License-Identifier: BSD-2-Clause
//! A line for each module: `cargo run --release --example verdicts -- KERNEL MODULE...`; with one module, the
//! whole report. Every module may import from the kernel and from all the others given. The policy is the
//! default one, or the file in `$POLICY`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "prints for the developer who runs it")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use nlproof_verify::{KernelSymbols, ObjectBytes, Policy, Verdict, verify};

fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    match run(&paths) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(paths: &[String]) -> Result<(), String> {
    let read = |path: &String| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let (kernel, modules) = paths.split_first().ok_or("give a kernel and modules")?;
    let mut symbols =
        KernelSymbols::from_elf(&read(kernel)?).map_err(|error| format!("{kernel}: {error}"))?;
    for path in modules {
        symbols.add_elf(&read(path)?).map_err(|error| format!("{path}: {error}"))?;
    }
    let policy = match std::env::var("POLICY") {
        Ok(path) => Policy::parse(Path::new(&path), &String::from_utf8_lossy(&read(&path)?))
            .map_err(|error| error.to_string())?,
        Err(_) => Policy::default(),
    };
    println!("kernel {} with {} global symbols\n", symbols.version().unwrap_or(0), symbols.len());
    for path in modules {
        let bytes = read(path)?;
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        let start = Instant::now();
        let report = verify(&ObjectBytes { name: &name, bytes: &bytes }, &policy, Some(&symbols));
        let took = start.elapsed();
        if modules.len() == 1 {
            println!("{report}");
        }
        let rejected = report.checks.iter().filter(|row| row.verdict == Verdict::Reject);
        let reasons: Vec<String> = rejected
            .map(|row| {
                let count =
                    report.findings.iter().filter(|finding| finding.check == row.check && finding.rejects());
                format!("{} ×{}", row.check, count.count())
            })
            .collect();
        let verdict = if report.accepted { "accepted" } else { "rejected" };
        println!(
            "| {name} | {} | {} | {verdict} | {} | {took:.1?} |",
            report.stats.functions,
            report.stats.insns,
            reasons.join(", ")
        );
    }
    Ok(())
}
