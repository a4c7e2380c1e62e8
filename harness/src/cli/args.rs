// SPDX-License-Identifier: BSD-2-Clause
//! The command line as clap parses it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit::ExitCode;
use crate::matrix::{ModuleKind, Slice, TargetKind};

/// Proves that a FreeBSD kernel's netlink interface code behaves.
///
/// Vectors (tests/vectors) are sent to real kernels under QEMU and to the embedded simulator; what comes back
/// is compared with golden traces (tests/golden).
#[derive(Debug, Parser)]
#[command(name = "nlproof", version, after_help = ExitCode::HELP, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub(super) project: ProjectArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Where the vectors and goldens are.
#[derive(Debug, Args)]
pub(super) struct ProjectArgs {
    /// Directory with matrix.yaml, vectors/ and golden/ [default: `tests` here or in a directory above].
    #[arg(long, global = true, env = "NLPROOF_TESTS", hide_env_values = true, value_name = "DIR")]
    pub(super) tests: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the vectors in every cell of the matrix that can run here.
    ///
    /// Cells that cannot run are listed as `not run` with the reason and what would make them run.
    TestMatrix(TestMatrixArgs),
    /// Run one vector in one cell and show the decoded conversation.
    Run(RunArgs),
    /// Show the way that a vector's requests and events take through the kernel, beside what is said.
    Trace(ShowTraceArgs),
    /// Run a vector again in the cell in which it failed, and keep the guest for a look.
    Repro(ReproArgs),
    /// Log in to a guest of the matrix, started for it and gone afterwards.
    Shell(ShellArgs),
    /// Show the log of a guest's console that a run kept.
    Console(ConsoleArgs),
    /// Record goldens for review, as `.trace.new` files beside the goldens.
    Record(RecordArgs),
    /// Show what has been recorded and not yet accepted, as differences to the goldens that hold.
    Review(ReviewArgs),
    /// Accept recorded goldens.
    Accept(AcceptArgs),
    /// Show what differs on the wire between two cells, by their goldens.
    Diff(DiffArgs),
    /// Show the cells of the matrix and what selects each.
    Matrix(MatrixArgs),
    /// Show, annotate and join the reports of runs.
    Report(ReportArgs),
    /// Show which messages, attributes, flags, errors and events the vectors reach, against tests/inventory.yaml.
    ///
    /// A row counts in a profile only where a golden of that profile holds it. Exit code 100: a row has no
    /// vector, or one that the inventory calls a gap has.
    Coverage(CoverageArgs),
    /// Decode netlink messages from hex or from a file of bytes.
    Decode(DecodeArgs),
    /// Verify a FreeBSD kernel module before anything is loaded, or the test vectors before anything is sent.
    ///
    /// Exit code 102: the module, or a vector, is refused.
    Verify(VerifyArgs),
    /// Build the Rust-backed kernel module.
    Kmod(KmodArgs),
    /// Measure nlproof's own parts, or put the module under load in a real kernel.
    Bench(BenchArgs),
    /// Fetch releases; build, list and remove guest images.
    Image(ImageArgs),
    /// Show what this machine has, what it lacks, and the command that installs it.
    Doctor,
    /// Hold a QEMU process and clean up behind it (used by nlproof itself).
    #[command(name = "__supervise", hide = true)]
    Supervise {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
}

/// Which cells.
#[derive(Debug, Args)]
pub(super) struct CellArgs {
    /// Only cells of this target.
    #[arg(long, value_enum)]
    pub(super) target: Vec<TargetKind>,
    /// Only this release, branch (`14`) or, for the simulator, profile.
    #[arg(long, value_name = "RELEASE")]
    pub(super) release: Vec<String>,
    /// Only cells of this module.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(super) module: Vec<ModuleKind>,
}

/// Which vectors.
#[derive(Debug, Args)]
pub(super) struct VectorArgs {
    /// Only vectors of this suite (the first part of the id).
    #[arg(long)]
    pub(super) suite: Vec<String>,
    /// Only vectors whose id contains this, or the one whose id it is.
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Vec<String>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct TraceArgs {
    /// Compare only what is said: the kernel's part is neither traced nor checked.
    #[arg(long)]
    pub(super) no_kernel_trace: bool,
}

/// How guests are run.
#[derive(Debug, Clone, Args)]
pub(super) struct GuestArgs {
    /// How QEMU runs the guest; `auto` tries KVM by running a few instructions under it.
    #[arg(long, value_enum, default_value_t = AccelArg::Auto)]
    pub(super) accel: AccelArg,
    /// Boot every guest instead of restoring it from the state that was saved after an earlier boot.
    #[arg(long)]
    pub(super) cold: bool,
    /// Start guests with the release's own /etc/rc; without, a few lines do what a guest needs, and
    /// sooner.
    #[arg(long)]
    pub(super) stock_rc: bool,
    /// Virtual processors of each guest. With more than one, requests of several sockets really overlap; goldens
    /// are those of one.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(super) cpus: u32,
    /// Load the Rust-backed module even if verification rejects it; every report says so.
    #[arg(long)]
    pub(super) unverified: bool,
    /// Multiply every time limit by this, for slow machines.
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 1.0,
        env = "NLPROOF_TIMEOUT_FACTOR",
        hide_env_values = true
    )]
    pub(super) timeout_factor: f64,
}

/// The accelerator wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AccelArg {
    /// KVM if it runs a guest, else TCG.
    Auto,
    /// KVM.
    Kvm,
    /// TCG, QEMU's own translation.
    Tcg,
}

#[derive(Debug, Args)]
pub(super) struct TestMatrixArgs {
    #[command(flatten)]
    pub(super) cells: CellArgs,
    #[command(flatten)]
    pub(super) vectors: VectorArgs,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
    #[command(flatten)]
    pub(super) trace: TraceArgs,
    /// List cells and vectors, and run nothing.
    #[arg(long)]
    pub(super) list: bool,
    /// Say what would run, and run nothing.
    #[arg(long, conflicts_with = "list")]
    pub(super) dry_run: bool,
    /// Run at most so many cells side by side [default: one a processor].
    #[arg(long, short, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Run one slice of the vectors: job K of N that share a run. A vector's slice does not depend on the
    /// other vectors. `report merge` joins the slices' reports.
    #[arg(long, value_name = "K/N")]
    pub(super) partition: Option<Slice>,
    /// Write report.json, junit.xml and the raw traces to this directory.
    #[arg(long, value_name = "DIR")]
    pub(super) report_dir: Option<PathBuf>,
    /// A cell that cannot run here is a failure.
    #[arg(long)]
    pub(super) require_all: bool,
    /// First download the releases of the selected cells that are not here and that tests/releases.yaml knows.
    #[arg(long)]
    pub(super) fetch: bool,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The vector's id, such as link/create-lo.
    pub(super) vector: String,
    #[command(flatten)]
    pub(super) cells: CellArgs,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
    #[command(flatten)]
    pub(super) trace: TraceArgs,
    /// Run on this machine's own Linux kernel, in a network namespace, to compare with FreeBSD.
    #[arg(long, conflicts_with_all = ["target", "release", "module"])]
    pub(super) linux: bool,
    /// Show every message's bytes too, and values as they came instead of normalised.
    #[arg(long)]
    pub(super) raw: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowTraceArgs {
    /// The vector's id, such as link/create-lo.
    pub(super) vector: String,
    #[command(flatten)]
    pub(super) cells: CellArgs,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
    /// Show only probes whose name matches (`request-*`, `nlproof:::event-*`); may be given more than once.
    #[arg(long, value_name = "PATTERN")]
    pub(super) probe: Vec<String>,
    /// Show how often each probe fired and how long each kind of span took, instead of the trace.
    #[arg(long)]
    pub(super) aggregate: bool,
    /// Print folded stacks with the nanoseconds spent in each, for flame graphs, instead of the trace.
    #[arg(long, conflicts_with = "aggregate")]
    pub(super) flame: bool,
    /// Also write the trace to this file in the trace event format, which ui.perfetto.dev opens.
    #[arg(long, value_name = "FILE")]
    pub(super) perfetto: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ReproArgs {
    /// `REPORT#N`, problem N of a report directory as `report show` numbers them, or a vector's id.
    #[arg(value_name = "REPORT#N|VECTOR")]
    pub(super) what: String,
    #[command(flatten)]
    pub(super) cells: CellArgs,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
    /// Show every message's bytes too, and values as they came instead of normalised.
    #[arg(long)]
    pub(super) raw: bool,
    /// Leave the guest up afterwards, until Ctrl-C, and print the command that logs in.
    #[arg(long)]
    pub(super) keep: bool,
    /// Open QEMU's gdb stub before the vector is sent, and print the command that attaches. Time limits are
    /// 1,000 times longer.
    #[arg(long)]
    pub(super) gdb: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShellArgs {
    #[command(flatten)]
    pub(super) cells: CellArgs,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
    /// Run this in the guest instead of a shell on the terminal, and exit as it does.
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ConsoleArgs {
    /// The report directory.
    pub(super) report: PathBuf,
    /// The cell, such as freebsd/14.0-STABLE/stock; not needed if only one kept a console.
    pub(super) cell: Option<String>,
    /// Only what kernels said when they panicked or stopped in their debugger: message, registers, backtrace; with a
    /// debugger in the kernel also its locks, processes and the stacks of all threads.
    #[arg(long)]
    pub(super) textdump: bool,
}

#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    #[command(flatten)]
    pub(super) cells: CellArgs,
    #[command(flatten)]
    pub(super) vectors: VectorArgs,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
    #[command(flatten)]
    pub(super) trace: TraceArgs,
}

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    /// Fail (exit 100) if anything awaits review: what CI asks.
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    /// `LAYER/VECTOR` or part of it, as `review` shows them.
    #[arg(required_unless_present = "all")]
    pub(super) goldens: Vec<String>,
    /// Accept everything that awaits review.
    #[arg(long, conflicts_with = "goldens")]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// A cell of the matrix (`freebsd/14.0-STABLE/stock`), or its release or profile (`14.0-STABLE`), or a branch (`14`):
    /// the newest release of it that is there, or else that the matrix has.
    pub(super) from: String,
    /// The other.
    pub(super) to: String,
    #[command(flatten)]
    pub(super) vectors: VectorArgs,
    /// Name every vector that shows a difference, not only the first three.
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    #[command(flatten)]
    pub(super) cells: CellArgs,
    /// As a job matrix for a CI system: {"include": [{"cell": ..., "args": ...}, ...]}, on one line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    pub(super) command: ReportCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Show a report as the run itself did, its problems numbered. Exits as the run did.
    Show {
        /// A report directory, or its report.json.
        report: PathBuf,
    },
    /// Print the problems of a report as GitHub Actions' workflow commands (`::error file=...`).
    Annotate {
        /// A report directory, or its report.json.
        report: PathBuf,
    },
    /// Join the reports of the jobs of one run: of some cells each, of slices, or both.
    ///
    /// Exits as one run of everything would; 104 if a slice or an expected cell has no report.
    Merge {
        /// Report directories, or their report.json.
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// Write the joined report.json, junit.xml, raw traces and consoles to this directory.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// What `matrix --json` wrote: each of its cells must be in a report.
        #[arg(long, value_name = "FILE")]
        expect: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct CoverageArgs {
    /// Only this profile (`14.0`); given alone, it must have goldens.
    #[arg(long, value_name = "PROFILE")]
    pub(super) profile: Vec<iface_core::Profile>,
    /// Show every row with the number of its vectors and one of them, not only what is missing.
    #[arg(long)]
    pub(super) rows: bool,
}

#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// Hex digits (spaces and line ends do not count), `@FILE` with bytes or hex, or `-` for standard input.
    pub(super) input: String,
    /// Whose numbers the messages use.
    #[arg(long, value_enum, default_value_t = OsArg::Freebsd)]
    pub(super) os: OsArg,
}

/// An ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OsArg {
    /// FreeBSD 13.2 and later.
    Freebsd,
    /// Linux.
    Linux,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct VerifyArgs {
    #[command(subcommand)]
    pub(super) command: Option<VerifyCommand>,
    /// The module, an amd64 ELF file such as /boot/kernel/if_epair.ko; or an object (.o), or an archive of them (.a).
    pub(super) module: Option<PathBuf>,
    /// The kernel that it is meant for: what it imports must be global there, and structures that the policy's
    /// `abi` table names must lie there as in the module.
    #[arg(long, value_name = "FILE")]
    pub(super) kernel: Option<PathBuf>,
    /// Allowed imports, budgets and waivers, in YAML.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    pub(super) format: FormatArg,
    /// Refuse growth in imports, deepest stack and instructions against this file.
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Write imports, deepest stack and instructions of an accepted module to a file for --baseline.
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub(super) write_baseline: Option<PathBuf>,
    /// Show every finding with its path, those that are waived with the reason, and every function.
    #[arg(long)]
    pub(super) verbose: bool,
    /// Show names as they stand in the file instead of demangled ones.
    #[arg(long)]
    pub(super) raw_names: bool,
    /// Say what a check is for, and verify nothing.
    #[arg(long, value_name = "CHECK", conflicts_with = "module")]
    pub(super) explain: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum VerifyCommand {
    /// Lint every vector: lengths, names, references, declared malformation.
    Vectors {
        /// The directory with the vectors; the project's own if it is absent.
        directory: Option<PathBuf>,
        /// How to print the report.
        #[arg(long, value_enum, default_value_t = FormatArg::Text)]
        format: FormatArg,
    },
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For code hosts: SARIF 2.1.0.
    Sarif,
}

#[derive(Debug, Args)]
pub(super) struct KmodArgs {
    #[command(subcommand)]
    pub(super) command: KmodCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum KmodCommand {
    /// Build nlproof_iface.ko for the kernel of a release, or find it in the cache, and verify it.
    ///
    /// Exit code 102: verification rejects it, and no file is written.
    ///
    /// The release directory needs src.txz; this machine needs clang, ld.lld and a rustc with its source
    /// (kmod-src/README.md names the packages).
    Build {
        /// The release's directory name, such as 14.0-STABLE, or a branch (`14`): the newest of it that is there.
        #[arg(long)]
        release: String,
        /// Copy the module to this file.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Hand the module out even if verification rejects it.
        #[arg(long)]
        unverified: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    pub(super) command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
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
    /// Exit code 103: something failed, was lost, or the console complained; 100: an answer of the module costs more
    /// instructions than the stock code's.
    Kmod(KmodBenchArgs),
    /// Decode interface messages: through views, by the strict walk, into owned trees.
    ///
    /// Exit code 100: an optimised build decodes fewer than 2,000,000 messages a second through views.
    Wire(SpeedArgs),
    /// Dump 1, 40 and 1,000 interfaces of the simulated kernel, in every profile.
    Sim(SpeedArgs),
    /// Dump 1,000 interfaces of the simulated kernel with and without its probes traced, taking turns.
    ///
    /// Says what tracing costs in the simulator; what it costs a real kernel is not measured yet. Exit code 100:
    /// an optimised build records fewer than 100,000 probes a second.
    Trace(SpeedArgs),
    /// Verify synthetic modules of 1,000 to 1,000,000 instructions.
    ///
    /// Exit code 100: an optimised build takes 100 ms or more for 10,000 instructions, or the time for one
    /// instruction grows with their number.
    Verify,
}

#[derive(Debug, Args)]
pub(super) struct SpeedArgs {
    /// How long each row is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = positive_seconds)]
    pub(super) seconds: f64,
}

/// Up to an hour; what is not longer than nothing measures nothing.
fn positive_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("a number of seconds above 0 and up to 3600".into()),
    }
}

#[derive(Debug, Clone, Args)]
pub(super) struct GuestBenchArgs {
    /// The release whose image, boots, restores and vectors are measured one by one; a branch (`14`) is the newest of
    /// it that is there.
    #[arg(long, default_value = "14.0-STABLE")]
    pub(super) release: String,
    /// How often the saved state is restored.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) restores: u32,
    /// How many vectors the measured suite has; the limits for cells are for so many.
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) vectors: u32,
    /// Only this release: the matrix is not run.
    #[arg(long)]
    pub(super) no_matrix: bool,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
}

#[derive(Debug, Clone, Args)]
pub(super) struct KmodBenchArgs {
    /// The release's directory name, such as 14.0-STABLE, or a branch (`14`): the newest of it that is there.
    #[arg(long)]
    pub(super) release: String,
    /// Only this part; all if it is not given.
    #[arg(long, value_enum)]
    pub(super) part: Vec<KmodPart>,
    /// How often the module is unloaded and loaded.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(super) loads: u32,
    /// How often unloading it is tried while four clients ask without a rest.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) busy: u32,
    /// How many requests it is asked, of eight kinds.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(super) requests: u32,
    /// How many interfaces come and go.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(super) interfaces: u32,
    /// Speed: dumps of a tenth and of all of so many interfaces.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=19_999))]
    pub(super) links: u32,
    /// Speed: dumps of so many addresses.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) addresses: u32,
    /// Speed: how often each side answers; the middle one counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) turns: u32,
    #[command(flatten)]
    pub(super) guest: GuestArgs,
}

/// What of `bench kmod` is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KmodPart {
    /// Modules that must not load: of another major, for other headers, without its netlink, a second time.
    Refusals,
    /// Loads, requests and interfaces.
    Endurance,
    /// Instructions of an answer.
    Speed,
}

#[derive(Debug, Args)]
pub(super) struct ImageArgs {
    #[command(subcommand)]
    pub(super) command: ImageCommand,
}

#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    /// Which: a name in tests/releases.yaml, or a branch (`14`), of which the newest release is meant.
    #[arg(long, required = true, value_name = "RELEASE")]
    pub(super) release: Vec<String>,
    /// Which distribution sets [default: base.txz,kernel.txz,src.txz].
    #[arg(long, value_name = "FILE", value_delimiter = ',', conflicts_with = "image")]
    pub(super) sets: Vec<String>,
    /// The ready VM image (BASIC-CI) instead of distribution sets.
    #[arg(long)]
    pub(super) image: bool,
    /// Ask this mirror first: a directory with one directory a release.
    #[arg(long, value_name = "URL", value_parser = mirror_address)]
    pub(super) mirror: Vec<String>,
    /// Ask for the MANIFEST even if the release is there: what a snapshot is made of changes.
    #[arg(long)]
    pub(super) refresh: bool,
    /// Pin what comes: write its digests and sizes to tests/releases.lock, whatever stood there.
    #[arg(long)]
    pub(super) lock: bool,
}

/// An address of http or https.
fn mirror_address(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(text.to_owned()),
        _ => Err("a mirror begins with https:// or http:// and a host".into()),
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ImageCommand {
    /// Download releases from the mirrors that tests/releases.yaml names.
    ///
    /// A download that was interrupted goes on where it ended; what is not what its MANIFEST or CHECKSUM file, or
    /// tests/releases.lock, says is refused and removed. Exit code 101: a release could not be fetched.
    Fetch(FetchArgs),
    /// Build the guest image of a release, or find it in the cache.
    ///
    /// A release is a directory with MANIFEST, base.txz and kernel.txz below $NLPROOF_DISTS or
    /// $XDG_CACHE_HOME/nlproof/dists; `image fetch` makes one.
    Build {
        /// The release's directory name, such as 14.0-STABLE, or a branch (`14`): the newest of it that is there.
        release: String,
        /// With the release's own /etc/rc.
        #[arg(long)]
        stock_rc: bool,
    },
    /// List the releases that are here, and the images in the cache: sizes, and what each was built from.
    List,
    /// Remove images from the cache.
    Rm {
        /// A release, or the beginning of a key as `image list` shows it.
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Remove the images whose release directory is gone or holds other archives now, saved guests that no run will
    /// ask for, and downloads that were interrupted a week ago or earlier.
    Gc {
        /// Also remove downloads that were interrupted lately, which `image fetch` would go on from.
        #[arg(long)]
        all: bool,
    },
}
