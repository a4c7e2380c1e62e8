// SPDX-License-Identifier: BSD-2-Clause
//! `bench trace`: what recording the probes costs.

use std::time::{Duration, Instant};

use iface_core::Profile;
use nlproof_base::counted;

use super::speed::{build, judge};
use super::{code, shown, verdict};
use crate::cli::args::{ProjectArgs, SpeedArgs, TraceBenchArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::out::{say, tell};
use crate::cli::project::Project;
use crate::cli::targets::{Targets, lost, open_error};
use crate::microbench::Dump;
use crate::stress;
use crate::targets::Target as _;

/// Interfaces that are dumped.
const INTERFACES: u32 = 1_000;
/// Probes a second that must be recorded.
const RECORDED: f64 = 100_000.0;

/// How much longer the ring may make a dump in a guest.
const LONGER: f64 = 1.10;
/// How often the ring is filled and read.
const ROUNDS: u32 = 10;

pub(super) fn main(project: &ProjectArgs, args: &TraceBenchArgs) -> Result<ExitCode, CliError> {
    let simulated = simulator(&args.speed)?;
    match &args.release {
        None => {
            say!("in a real kernel: not measured (--release)");
            Ok(simulated)
        }
        Some(release) => Ok(if guest(project, args, release)? { simulated } else { ExitCode::COMPARISON }),
    }
}

fn simulator(args: &SpeedArgs) -> Result<ExitCode, CliError> {
    let at_least = Duration::from_secs_f64(args.seconds);
    let new = || {
        Dump::new(Profile::R15, INTERFACES)
            .map_err(|errno| CliError::Usage(format!("the simulated kernel: {errno:?}")))
    };
    let (off, on) = (new()?, new()?);
    on.trace();
    let (mut times_off, mut times_on, mut probes) = (Vec::new(), Vec::new(), 0);
    let started = Instant::now();
    // By turns, so that whatever else this machine does meets both.
    while started.elapsed() < at_least || times_on.len() < 3 {
        times_off.push(timed(|| drop_value(off.ask())));
        times_on.push(timed(|| probes = on.ask_traced().1));
    }
    let (off, on) = (middle(&mut times_off), middle(&mut times_on));
    let rate = probes as f64 / on.as_secs_f64().max(f64::MIN_POSITIVE);
    let ratio = on.as_secs_f64() / off.as_secs_f64().max(f64::MIN_POSITIVE);
    say!(
        "a dump of {INTERFACES} interfaces of the simulated kernel, the middle of {}, {}",
        times_on.len(),
        build()
    );
    say!("{:<10} {:>12} {:>10} {:>16}", "probes", "us a dump", "records", "records/s");
    say!("{:<10} {:>12.1} {:>10} {:>16}", "off", off.as_secs_f64() * 1e6, 0, "-");
    let (kept, promise) = judge(rate >= RECORDED, &format!("at least {RECORDED:.0} a second"));
    say!("{:<10} {:>12.1} {probes:>10} {rate:>16.0}  {promise}", "recorded", on.as_secs_f64() * 1e6);
    say!("recorded / off: {ratio:.3}");
    Ok(code(kept))
}

/// Whether the module's ring keeps what is promised of it.
fn guest(project: &ProjectArgs, args: &TraceBenchArgs, release: &str) -> Result<bool, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.kernel, &[release.to_owned()])?;
    let release = project.subject(release);
    let release = release.as_str();
    let targets = Targets::new(&args.guest, &project)?.counting_instructions();
    interrupt::tasks();
    let mut guest =
        targets.open_module(release, &mut |stage, _| tell!("{release}: {stage}")).map_err(open_error)?;
    let cost = guest.trace_cost(INTERFACES, args.turns).map_err(lost)?;
    say!(
        "a dump of {INTERFACES} interfaces by the module in a guest of {release}, the middle of {}",
        counted(args.turns, "turn")
    );
    say!("{:<10} {:>12} {:>10} {:>16}", "probes", "instructions", "records", "");
    say!("{:<10} {:>12} {:>10}", "off", shown(stress::middle(&cost.off)), 0);
    say!("{:<10} {:>12} {:>10}", "recorded", shown(stress::middle(&cost.on)), cost.records);
    let ratio = cost.ratio();
    let cheap = ratio.is_some_and(|ratio| ratio <= LONGER);
    say!(
        "recorded / off: {}  [at most {LONGER:.2}: {}]",
        ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
        verdict(cheap)
    );
    let sustained = guest.trace_sustained(ROUNDS).map_err(lost)?;
    let rate = sustained.read as f64 / sustained.duration.as_secs_f64().max(f64::MIN_POSITIVE);
    let whole = sustained.dropped == 0 && rate >= RECORDED;
    say!(
        "{} dumps whose records the agent reads: {} read, {} dropped, {rate:.0} a second of the guest's clock  \
         [at least {RECORDED:.0} and none dropped: {}]",
        sustained.dumps,
        sustained.read,
        sustained.dropped,
        verdict(whole)
    );
    let finish = guest.finish();
    let in_words = finish.in_words();
    let failed: Vec<_> = cost.failed.iter().chain(&sustained.failed).chain(&in_words).collect();
    for failure in &failed {
        say!("FAILED: {failure}");
    }
    Ok(cheap && whole && failed.is_empty())
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn drop_value<T>(value: T) {
    std::hint::black_box(value);
}
