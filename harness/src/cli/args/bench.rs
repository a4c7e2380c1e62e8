// SPDX-License-Identifier: BSD-2-Clause
//! `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::guest::GuestArgs;
use super::kernel::KernelArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BenchCommand {
    /// Build an image, boot it, restore its saved state many times, and run the vectors in the matrix's cells.
    ///
    /// Exit code 100: a limit of the table was exceeded; 103: a saved state could not be restored, or a cell
    /// lost its guest. The limits are for two processors without hardware virtualisation that are not shared.
    Guest(GuestBenchArgs),
    /// The module in a real kernel: under load, and its speed against the stock code's.
    ///
    /// Refusals: what must not load does not, the console says why, and nothing has changed.
    /// Endurance: load and unload it under traffic of four sockets, ask it and create and destroy interfaces while
    /// its mode is switched; no answer and no event may be missing, and after each phase what the kernel has
    /// allocated is compared with before. Speed: under QEMU's `-icount`, where the time stamp counter counts
    /// instructions, the stock code and the module answer the same questions in turn in one guest.
    ///
    /// Exit code 103: something failed, was lost, or the console complained; 100: a dump by the module costs more
    /// instructions than the stock code's.
    Kmod(KmodBenchArgs),
    /// Decode interface messages: through views, by the strict walk, into owned trees.
    ///
    /// Exit code 100: an optimised build decodes fewer than 2,000,000 messages a second through views.
    Wire(SpeedArgs),
    /// Dump 1, 40 and 1,000 interfaces of the simulated kernel, in every profile.
    Sim(SpeedArgs),
    /// Dump 1,000 interfaces with and without probes recorded, taking turns: in the simulator, and with --release in a
    /// guest, where the clock counts instructions.
    ///
    /// Exit code 100: an optimised build records fewer than 100,000 probes a second in the simulator; or in a guest the
    /// module's ring makes the dump more than 10 % longer, or loses a record of dumps that follow one another.
    Trace(TraceBenchArgs),
    /// Verify synthetic modules of 1,000 to 1,000,000 instructions.
    ///
    /// Exit code 100: an optimised build takes 100 ms or more for 10,000 instructions, or the time for one
    /// instruction grows with their number.
    Verify(VerifyBenchArgs),
    /// Make the page of a report, and show it in a headless browser: its size, and the time to its first paint.
    ///
    /// The browser is chromium; without it the paint is not measured, which is said. Exit code 100: the page of ten cells has
    /// more than 6 MB, or takes more than 1 s; a report of more cells may have so much more of both.
    Report(ReportBenchArgs),
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ReportBenchArgs {
    /// A report directory, or its report.json.
    pub(in crate::cli) report: PathBuf,
    /// How often a fresh browser shows it; the middle time counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(in crate::cli) turns: u32,
}

#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct VerifyBenchArgs {
    /// Leave out modules of more instructions than this.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    pub(in crate::cli) most: u32,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SpeedArgs {
    /// How long each row is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = positive_seconds)]
    pub(in crate::cli) seconds: f64,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct TraceBenchArgs {
    #[command(flatten)]
    pub(in crate::cli) speed: SpeedArgs,
    /// Measure the module in a guest of this release too, or of a branch's newest that is there.
    #[arg(long)]
    pub(in crate::cli) release: Option<String>,
    /// How often each side dumps in a guest; the middle one counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(in crate::cli) turns: u32,
    #[command(flatten)]
    pub(in crate::cli) kernel: KernelArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}

/// Up to an hour; what is not longer than nothing measures nothing.
fn positive_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("a number of seconds above 0 and up to 3600".into()),
    }
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct GuestBenchArgs {
    /// The release whose image, boots, restores and vectors are measured one by one; a branch (`14`) is the newest of
    /// it that is there.
    #[arg(long, default_value = "14.0-STABLE")]
    pub(in crate::cli) release: String,
    /// How often the saved state is restored.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) restores: u32,
    /// Number of vectors in the measured suite; the limits for cells are for the default.
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) vectors: u32,
    /// Only this release: the matrix is not run.
    #[arg(long)]
    pub(in crate::cli) no_matrix: bool,
    /// Show instead where the time goes: of restores, and of the vectors in one guest after the other, by suites.
    #[arg(long)]
    pub(in crate::cli) phases: bool,
    /// Print that as JSON.
    #[arg(long, requires = "phases")]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) kernel: KernelArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct KmodBenchArgs {
    /// The release's directory name, such as 14.0-STABLE, or a branch (`14`): the newest of it that is there.
    #[arg(long)]
    pub(in crate::cli) release: String,
    /// Only this part; all if it is not given.
    #[arg(long, value_enum)]
    pub(in crate::cli) part: Vec<KmodPart>,
    /// How often the module is unloaded and loaded.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(in crate::cli) loads: u32,
    /// Number of attempts to unload it while four clients ask without a rest.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(in crate::cli) busy: u32,
    /// How many requests it is asked, of eight kinds.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(in crate::cli) requests: u32,
    /// How many interfaces come and go.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(in crate::cli) interfaces: u32,
    /// Speed: dumps of a tenth of this many interfaces, and of all.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=19_999))]
    pub(in crate::cli) links: u32,
    /// Speed: dumps of this many addresses.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(in crate::cli) addresses: u32,
    /// Speed: how often each side answers; the middle one counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(in crate::cli) turns: u32,
    #[command(flatten)]
    pub(in crate::cli) kernel: KernelArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}

/// A part of `bench kmod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum KmodPart {
    /// Modules that must not load: of another major, for other headers, without its netlink, a second time.
    Refusals,
    /// Loads, requests and interfaces.
    Endurance,
    /// Instructions of an answer.
    Speed,
}
