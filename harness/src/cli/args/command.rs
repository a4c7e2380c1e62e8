// SPDX-License-Identifier: BSD-2-Clause
//! The command line as a whole, and its commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::atf::AtfArgs;
use super::bench::BenchArgs;
use super::bisect::BisectArgs;
use super::export_vector::ExportArgs;
use super::fuzz::FuzzArgs;
use super::golden::{AcceptArgs, CoverageArgs, DiffArgs, ReviewArgs};
use super::guest::{ConsoleArgs, DoctorArgs, ShellArgs};
use super::image::ImageArgs;
use super::import::ImportArgs;
use super::kernel::KernelsArgs;
use super::kmod::KmodArgs;
use super::qualify::QualifyArgs;
use super::reduce::ReduceArgs;
use super::replay::ReplayArgs;
use super::report::{MatrixArgs, ReportArgs};
use super::run::{ReproArgs, RunArgs, ShowTraceArgs, TestMatrixArgs, WhatArgs};
use super::verify::{DecodeArgs, VerifyArgs};
use super::watch::WatchArgs;
use crate::cli::exit::ExitCode;

/// Tests the netlink interface code of FreeBSD kernels.
///
/// Vectors (tests/vectors) are sent to real kernels under QEMU and to the embedded simulator; what comes back
/// is compared with golden traces (tests/golden).
#[derive(Debug, Parser)]
#[command(name = "nlproof", version, after_help = ExitCode::help(), max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub(in crate::cli) project: ProjectArgs,
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

/// Where the vectors and goldens are.
#[derive(Debug, Args)]
pub(in crate::cli) struct ProjectArgs {
    /// Directory with matrix.yaml, vectors/ and golden/. Without it: $NLPROOF_TESTS; `tests` here or in a directory
    /// above; ../share/nlproof/tests beside the program.
    #[arg(long, global = true, env = "NLPROOF_TESTS", hide_env_values = true, value_name = "DIR")]
    pub(in crate::cli) tests: Option<PathBuf>,
}

/// A kind of file that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaKind {
    /// A vector, tests/vectors/**/*.yaml.
    Vector,
    /// The cells, tests/matrix.yaml.
    Matrix,
    /// Releases and their mirrors, tests/releases.yaml.
    Releases,
    /// The module's deviations, tests/divergences.yaml.
    Divergences,
    /// The rows that vectors have to reach, tests/inventory.yaml.
    Inventory,
    /// The policy for a kernel module, for `verify --policy`.
    Policy,
    /// The report of a run, report.json, which nlproof writes.
    Report,
    /// Blocks of a kernel that no vector reaches, tests/unreached.
    Unreached,
    /// What a qualification found, qualification.json, which nlproof writes.
    Qualification,
    /// What went into a qualification, inputs.json, which nlproof writes.
    Inputs,
    /// The in-toto Statement about a qualification, statement.json, which nlproof writes and signs.
    Statement,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Run the vectors in every cell of the matrix that can run here.
    ///
    /// Cells that cannot run are listed as `not run`, with the reason and the command that would make them run.
    TestMatrix(TestMatrixArgs),
    /// Run one vector in one cell and show the decoded conversation.
    ///
    /// Without --target and --release the cell is the simulator's of the newest branch that was observed on a real
    /// kernel.
    Run(RunArgs),
    /// Show the way that a vector's requests and events take through the kernel, beside the messages.
    ///
    /// Without --target and --release the cell is the one that `run` takes.
    ///
    /// `--module stock,rust` shows both implementations of one release beside each other: dtrace(1) follows the
    /// stock code, and the probes that both can tell are compared. Exit code 100: they differ.
    Trace(ShowTraceArgs),
    /// Find the commit that changed a kernel's answer to a vector, by git bisect in a worktree of its own.
    ///
    /// Commits that do not build or boot are skipped. An interrupted search continues when the same command is given
    /// again.
    Bisect(BisectArgs),
    /// Run a vector again in the cell in which it failed, and keep the guest for a look.
    Repro(ReproArgs),
    /// Live through a recorded run again, to the same instruction, and look at the guest there or earlier.
    ///
    /// `run VECTOR --record DIR` and `repro REPORT#N --record` record. Each replay boots the guest anew, which takes as long
    /// as it did, and is held against the recording: its instruction, what the guest printed. Exit code 100: a replay was
    /// another one.
    Replay(ReplayArgs),
    /// Log in to a guest of the matrix; it is started for this and gone afterwards.
    Shell(ShellArgs),
    /// Show the log of a guest's console, if a run kept it.
    Console(ConsoleArgs),
    /// Record goldens for review, as `.trace.new` files beside the goldens.
    Record(WhatArgs),
    /// Show what has been recorded and not yet accepted, as differences from the goldens that hold.
    Review(ReviewArgs),
    /// Accept recorded goldens.
    Accept(AcceptArgs),
    /// Show what differs on the wire between two cells, by their goldens or by asking both now.
    ///
    /// The first lines tell which observation each side is. Predictions are shown as such. Exit code 0: compared,
    /// whether something differs or not (see --exit-code). 104: nothing was compared, because both sides are one
    /// observation, or one side has none.
    Diff(DiffArgs),
    /// Show the cells of the matrix, and the arguments that select each.
    Matrix(MatrixArgs),
    /// Show, annotate and join the reports of runs.
    Report(ReportArgs),
    /// Compare one kernel with another one, and write a page for deciding and a signed bundle of the evidence.
    ///
    /// Runs what is missing, or takes reports of earlier runs. Each difference on the wire is declared by the two profiles,
    /// allowed by tests/divergences.yaml, or unexplained. Exit code 0: nothing is unexplained. 100: something is.
    Qualify(Box<QualifyArgs>),
    /// Run FreeBSD's own tests (tests.txz of the release) in guests, with the release's own code and with the module.
    ///
    /// Each case is run as its Kyuafile and its program say. What becomes of it is compared case by case; what stock code does
    /// not pass either is no difference. A case that needs a program or another thing that the guest does not have is not run,
    /// and says so. Without --release the guests are those of the newest release here that has tests.txz. Exit code 100: a case
    /// ends otherwise with the module; or, of one cell alone, a case fails. 103: a guest was lost in one, or its kernel
    /// complains. 104: nothing ran, or not all.
    Atf(AtfArgs),
    /// Show which messages, attributes, flags, errors and events of tests/inventory.yaml the vectors reach.
    ///
    /// A row counts in a profile only where a golden of that profile holds it. Exit code 100: a row has no
    /// vector, or a gap of the inventory has one.
    Coverage(CoverageArgs),
    /// Look for faults that nobody wrote a vector for: make requests, run them in guests, and keep what is wrong as vectors.
    ///
    /// Requests come from the schema and from changing vectors; what reaches a new block of the kernel or gets a new shape of
    /// answer is kept and changed further. Wrong is: a guest that is lost, a complaint on the console, a broken rule of the
    /// kernel trace, a malformed answer, one without an end, one that is another the second time, and what stock code, module
    /// and simulator answer otherwise. The same seed makes the same requests. Exit code 100: something is wrong that was not
    /// known.
    Fuzz(FuzzArgs),
    /// Decode netlink messages from hex, dumps, arrays of C and Rust, truss(1), kdump(1), strace(1), captures of nlmon.
    ///
    /// Exit code 100: they are not well-formed; they are decoded all the same, and the place of the fault is shown.
    Decode(DecodeArgs),
    /// Make a vector of netlink messages that somebody reports: from all that `decode` reads.
    ///
    /// The vector sends the very bytes that were sent, by names where there is a name and raw where there is none. Sequence
    /// numbers and port ids are those of the run, and interfaces whose names are known are named; each is told, and what was
    /// left out of the file too.
    Import(ImportArgs),
    /// Run any program in a guest, and show what it says on its netlink sockets and hears, with the multicast events.
    ///
    /// The program runs unchanged in a network stack of its own; the kernel's ktrace(2) follows it and all that it starts,
    /// static and setuid ones too. `--as-vector ID` makes a vector of it. `--module stock,rust` runs it with both and shows the
    /// first difference (exit code 100). Without --release the guest is one of the newest release that was observed. Exits as
    /// the program does; 124: it was ended after --timeout; 103: not all of it was seen.
    Watch(WatchArgs),
    /// Make a vector small while what it shows stays: fewer steps, messages, attributes, bytes and rounds, smaller numbers,
    /// shorter names.
    ///
    /// Each try has a network stack of its own; one that panics the kernel costs a restore. A try of which nobody can say what
    /// it shows does not count as one that shows it. Interrupted, the same command goes on where it was.
    Reduce(ReduceArgs),
    /// Write a vector as one C program for FreeBSD, or as a shell script, for a bug tracker.
    ///
    /// The program sends the same bytes, prints what comes, and exits with 1 if that is not what the golden shows: types of
    /// messages, errors, attributes whose value is the same in every run, types of events, exit statuses. Without --target and
    /// --release the golden is that of the newest release that was observed.
    Export(ExportArgs),
    /// Verify a FreeBSD kernel module before anything is loaded, or the test vectors before anything is sent.
    ///
    /// Exit code 102: the module, or a vector, is rejected.
    Verify(VerifyArgs),
    /// Build the Rust-backed kernel module.
    Kmod(KmodArgs),
    /// Build kernels from source trees; list and remove their objects.
    Kernel(KernelsArgs),
    /// Measure nlproof's own parts, or put the module under load in a real kernel.
    Bench(BenchArgs),
    /// Fetch releases; build, list and remove guest images.
    Image(ImageArgs),
    /// Show what this machine has, what it lacks, and the command that installs it; or which network cards a kernel sees.
    Doctor(DoctorArgs),
    /// Print the JSON Schema of a kind of file; editors use it to complete and check such files.
    ///
    /// The project's schemas are in tests/schemas; a file names its schema in its first line, such
    /// as `# yaml-language-server: $schema=../../schemas/vector.json`.
    Schema {
        /// The kind of file.
        kind: SchemaKind,
    },
    /// Print the completions of a shell.
    ///
    /// bash: into /usr/share/bash-completion/completions/nlproof; zsh: into a file _nlproof in a directory of $fpath; fish:
    /// into ~/.config/fish/completions/nlproof.fish.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write a man page for each command.
    Man {
        /// The directory, such as /usr/local/share/man/man1; it must exist.
        directory: PathBuf,
    },
    /// Hold a QEMU process and clean up behind it (used by nlproof itself).
    #[command(name = "__supervise", hide = true)]
    Supervise {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
}
