// SPDX-License-Identifier: BSD-2-Clause
//! The command line as clap parses it, a file for each kind of command.

mod atf;
mod bench;
mod bisect;
mod cells;
mod command;
mod export_image;
mod export_vector;
mod fuzz;
mod golden;
mod guest;
mod image;
mod import;
mod kernel;
mod kmod;
mod qualify;
mod reduce;
mod replay;
mod report;
mod run;
mod verify;
mod watch;

pub(super) use atf::AtfArgs;
pub(super) use bench::{
    BenchArgs, BenchCommand, GuestBenchArgs, KmodBenchArgs, KmodPart, ReportBenchArgs, SpeedArgs,
    TraceBenchArgs,
};
pub(super) use bisect::{BisectArgs, Until};
pub(super) use cells::{CellArgs, LoadArgs, TraceArgs, VectorArgs};
pub use command::Cli;
pub(super) use command::{Command, ProjectArgs, SchemaKind};
pub(super) use export_image::{CheckImageArgs, ExportModule, ImageExportArgs};
pub(super) use export_vector::ExportArgs;
pub(super) use fuzz::{CorpusArg, FuzzArgs};
pub(super) use golden::{AcceptArgs, BlocksArgs, CoverageArgs, DiffArgs, ReviewArgs};
pub(super) use guest::{AccelArg, ConsoleArgs, CopyArgs, GuestArgs, ShellArgs};
pub(super) use image::{FetchArgs, ImageArgs, ImageCommand};
pub(super) use import::ImportArgs;
pub(super) use kernel::{KernelArgs, KernelCommand, KernelsArgs, OwnArgs, SourceArgs};
pub(super) use kmod::{KmodArgs, KmodCommand};
pub(super) use qualify::{CheckArgs, QualifyArgs, QualifyCommand};
pub(super) use reduce::ReduceArgs;
pub(super) use replay::ReplayArgs;
pub(super) use report::{HtmlArgs, MatrixArgs, ReportArgs, ReportCommand, ServeArgs};
pub(super) use run::{ReproArgs, RunArgs, ShowTraceArgs, TestMatrixArgs, WhatArgs};
pub(super) use verify::{DecodeArgs, FormatArg, OsArg, VerifyArgs, VerifyCommand};
pub(super) use watch::WatchArgs;
