// SPDX-License-Identifier: BSD-2-Clause
//! Any bytes as a kernel module.

use std::sync::LazyLock;

use nlproof_verify::{Check, KernelSymbols, ObjectBytes, Policy, Report, Resource, Shared, Verdict};

/// A kernel with what the kept inputs import.
static KERNEL: LazyLock<KernelSymbols> = LazyLock::new(|| {
    KernelSymbols::from_globals(
        ["if_up", "if_down", "panic", "malloc", "free", "__stack_chk_guard"],
        Some(1_400_507),
    )
});

/// What a report may take for one byte of the file, and for no byte: work and memory are bounded by the
/// length of the input.
const REPORT_BYTES: (usize, usize) = (4096, 64 * 1024);

/// Verifies the bytes with and without metadata asked for, and reads them as a kernel.
///
/// # Panics
/// The verifier panics, says two things at once, differs the second time, or writes more than the input
/// could be worth.
pub fn verify(data: &[u8]) {
    let strict = report(data, &Policy::default(), Some(&KERNEL));
    let plain = Policy {
        metadata: false,
        traced: ["*".to_owned()].into(),
        balance: vec![resource()],
        abi: vec![shared()],
        ..Policy::default()
    };
    let again = report(data, &plain, None);
    assert_eq!(strict.stats, again.stats, "what is counted depends on the bytes alone");
    assert_eq!(strict.to_json(), report(data, &Policy::default(), Some(&KERNEL)).to_json());
    if let Ok(mut symbols) = KernelSymbols::from_elf(data) {
        let _types = symbols.add_layouts(data, &plain);
        assert!(symbols.len() <= data.len());
        report(data, &plain, Some(&symbols));
    }
}

/// The structure of the kept inputs with debug information, in C, in Rust and in the kernel.
fn shared() -> Shared {
    let name = |text: &str| Some(text.to_owned());
    Shared {
        c: name("request"),
        rust: name("m::Request"),
        kernel: name("request"),
        size: Some(16),
        ..Shared::default()
    }
}

/// Imports of the kept inputs as a lock, so that paths are followed.
fn resource() -> Resource {
    Resource {
        resource: "lock".to_owned(),
        acquire: ["if_up".to_owned()].into(),
        acquire_or_null: ["malloc".to_owned()].into(),
        acquire_or_zero: ["sx_try_slock_".to_owned()].into(),
        release: ["if_down".to_owned(), "free".to_owned()].into(),
    }
}

fn report(data: &[u8], policy: &Policy, kernel: Option<&KernelSymbols>) -> Report {
    let report = nlproof_verify::verify(&ObjectBytes { name: "fuzz.ko", bytes: data }, policy, kernel);
    let (text, json) = (report.to_string(), report.to_json());
    let limit = REPORT_BYTES.0 * data.len() + REPORT_BYTES.1;
    assert!(
        text.len().max(json.len()) <= limit,
        "{} and {} bytes of report for {}",
        text.len(),
        json.len(),
        data.len()
    );
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "a control character reaches the terminal");
    assert!(report.stats.insns <= data.len(), "{} instructions of {} bytes", report.stats.insns, data.len());
    assert_eq!(report.accepted, report.counts().0 == 0);
    assert_eq!(report.checks.len(), Check::ALL.len(), "a check is missing from the table");
    let rejected = report.checks.iter().any(|row| matches!(row.verdict, Verdict::Reject));
    assert_eq!(report.accepted, !rejected);
    report
}
