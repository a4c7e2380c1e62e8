// SPDX-License-Identifier: BSD-2-Clause
//! `bench wire`, `bench sim`, `bench verify`: measured numbers, and the limits promised for them.

use std::time::{Duration, Instant};

use iface_core::Profile;
use nlproof_verify::{ObjectBytes, Policy};

use super::{code, verdict};
use crate::cli::args::SpeedArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::say;
use crate::microbench::{self, Dump, Links, Rate, Shape, measure};

/// RTM_NEWLINK messages that the view layer reads in a second on one core, at least.
const DECODED: f64 = 2e6;
/// Longest time for a module of 10,000 instructions.
const TEN_THOUSAND: Duration = Duration::from_millis(100);
/// How much more time one instruction of the largest module may take than one of the module of 10,000. Its
/// data is a hundred times what a second-level cache holds; a quadratic part would give a factor of 100.
const GROWTH: f64 = 4.0;
/// Sizes of the synthetic modules, in instructions.
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

pub(super) fn wire(args: &SpeedArgs) -> Result<ExitCode, CliError> {
    let at_least = Duration::from_secs_f64(args.seconds);
    let links = Links::new().map_err(|errno| CliError::Usage(format!("the simulated kernel: {errno:?}")))?;
    let attributes: u64 = links.datagrams.iter().map(|datagram| microbench::view(datagram).attributes).sum();
    say!(
        "RTM_NEWLINK of a 15 kernel: {} bytes and {} attributes on average, one thread, {}",
        links.bytes as u64 / links.messages.max(1),
        attributes / links.messages.max(1),
        build()
    );
    let show = |name: &str, promise: &str, rate: Rate| {
        let (per_second, each) = (rate.per_second(), rate.nanoseconds());
        say!("{name:<8} {per_second:>12.0} messages/s  {each:>8.1} ns each  {promise}");
    };
    let every = |decode: &dyn Fn(&[u8])| {
        measure(at_least, || {
            links.datagrams.iter().for_each(|datagram| decode(std::hint::black_box(datagram)));
            links.messages
        })
    };
    let rate = every(&|datagram| drop_value(microbench::view(datagram)));
    let (kept, promise) = judge(rate.per_second() >= DECODED, &format!("at least {DECODED} messages/s"));
    show("view", &promise, rate);
    show("strict", "", every(&|datagram| drop_value(microbench::strict(datagram))));
    show("tree", "", every(&|datagram| drop_value(microbench::tree(datagram))));
    Ok(code(kept))
}

pub(super) fn sim(args: &SpeedArgs) -> Result<ExitCode, CliError> {
    let at_least = Duration::from_secs_f64(args.seconds);
    say!("RTM_GETLINK dumps of the simulated kernel, replies read, one thread, {}", build());
    say!("{:<8} {:>10} {:>14} {:>12}", "profile", "interfaces", "messages/s", "us each dump");
    for profile in Profile::ALL {
        for interfaces in [1, 40, 1_000] {
            let dump = Dump::new(profile, interfaces)
                .map_err(|errno| CliError::Usage(format!("the simulated kernel: {errno:?}")))?;
            let rate = measure(at_least, || dump.ask());
            say!(
                "{profile:<8} {interfaces:>10} {:>14.0} {:>12.1}",
                rate.per_second(),
                rate.nanoseconds() * f64::from(interfaces) / 1e3
            );
        }
    }
    Ok(ExitCode::OK)
}

/// `most`: how many instructions the largest module may have.
pub(super) fn verify(most: usize) -> Result<ExitCode, CliError> {
    say!(
        "synthetic modules verified and their reports written as text, best of three, one thread, {}",
        build()
    );
    say!("{:<10} {:>9} {:>11} {:>10} {:>9}", "shape", "insns", "bytes", "ms", "ns/insn");
    let mut kept = true;
    let sizes = || SIZES.into_iter().filter(|size| *size <= most);
    let largest = sizes().next_back().unwrap_or_default();
    for shape in Shape::ALL {
        let (mut ten_thousand, mut last) = (0.0, 0.0);
        for insns in sizes() {
            let bytes = shape
                .module(insns)
                .map_err(|error| CliError::Usage(format!("the synthetic module: {error}")))?;
            let rate = verified(shape, &bytes);
            let promise = if insns == 10_000 {
                ten_thousand = rate.nanoseconds();
                let (ok, text) = judge(rate.duration < TEN_THOUSAND, "below 100 ms");
                kept &= ok;
                text
            } else {
                String::new()
            };
            last = rate.nanoseconds();
            say!(
                "{:<10} {:>9} {:>11} {:>10.2} {last:>9.0}  {promise}",
                shape.name(),
                rate.count,
                bytes.len(),
                rate.duration.as_secs_f64() * 1e3
            );
        }
        let growth = if ten_thousand > 0.0 { last / ten_thousand } else { 0.0 };
        let (ok, text) = judge(growth <= GROWTH, &format!("linear: at most {GROWTH}"));
        kept &= ok;
        say!("{:<10} an instruction of {largest} takes {growth:.1} times one of 10000  {text}", shape.name());
    }
    Ok(code(kept))
}

/// Instructions, and the shortest of three times.
fn verified(shape: Shape, bytes: &[u8]) -> Rate {
    // The chain is longer than any stack; that is not what is measured.
    let policy = Policy { metadata: false, chain_bytes: u64::MAX, ..Policy::default() };
    let mut best: Option<Rate> = None;
    for _ in 0..3 {
        let start = Instant::now();
        let report = nlproof_verify::verify(&ObjectBytes { name: shape.name(), bytes }, &policy, None);
        std::hint::black_box(report.to_string());
        let rate = Rate { count: report.stats.insns as u64, duration: start.elapsed() };
        best = best.filter(|best| best.duration <= rate.duration).or(Some(rate));
    }
    best.unwrap_or(Rate { count: 0, duration: Duration::ZERO })
}

fn drop_value<T>(value: T) {
    std::hint::black_box(value);
}

/// Whether a limit counts as kept, and the text about it. An unoptimised build promises nothing.
pub(super) fn judge(kept: bool, promise: &str) -> (bool, String) {
    if cfg!(debug_assertions) {
        return (true, format!("[{promise}: not judged, unoptimised build]"));
    }
    (kept, format!("[{promise}: {}]", verdict(kept)))
}

/// How this program was compiled.
pub(super) fn build() -> &'static str {
    if cfg!(debug_assertions) { "UNOPTIMISED build: `cargo run --release`" } else { "optimised build" }
}
