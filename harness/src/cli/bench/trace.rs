// SPDX-License-Identifier: BSD-2-Clause
//! `bench trace`: what it costs to hear of the probes.

use std::time::{Duration, Instant};

use iface_core::Profile;

use super::speed::{build, judge};
use crate::bench::Dump;
use crate::cli::args::SpeedArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::say;

/// Interfaces that are dumped.
const INTERFACES: u32 = 1_000;
/// Probes a second that must be recorded.
const RECORDED: f64 = 100_000.0;

pub(super) fn main(args: &SpeedArgs) -> Result<ExitCode, CliError> {
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
    say!("in a real kernel: not measured (no cell of this build has been traced there yet)");
    Ok(if kept { ExitCode::OK } else { ExitCode::COMPARISON })
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
