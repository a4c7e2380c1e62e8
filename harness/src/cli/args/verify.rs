// SPDX-License-Identifier: BSD-2-Clause
//! The commands that read messages and modules.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct DecodeArgs {
    /// Hex digits (spaces and line ends do not count), `@FILE`, or `-` for standard input; at most 16 MiB. A file holds hex, a
    /// hex dump, arrays of C or Rust, text of truss(1), kdump(1) or strace(1), a capture of Linux' nlmon (pcap, pcapng), or
    /// bytes.
    pub(in crate::cli) input: String,
    /// Whose numbers the messages use [default: those of the tool that wrote the file, or freebsd].
    #[arg(long, value_enum)]
    pub(in crate::cli) os: Option<OsArg>,
}

/// An ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OsArg {
    /// FreeBSD 13.2 and later.
    Freebsd,
    /// Linux.
    Linux,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct VerifyArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<VerifyCommand>,
    /// The module, an amd64 ELF file such as /boot/kernel/if_epair.ko; or an object (.o), or an archive of them (.a).
    pub(in crate::cli) module: Option<PathBuf>,
    /// The kernel that the module is meant for: its imports must be global there, and structures that the
    /// policy's `abi` table names must have the same layout.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) kernel: Option<PathBuf>,
    /// Allowed imports, budgets and waivers, in YAML.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) policy: Option<PathBuf>,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    pub(in crate::cli) format: FormatArg,
    /// Reject growth in imports, deepest stack and instructions against this file.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) baseline: Option<PathBuf>,
    /// Write imports, deepest stack and instructions of an accepted module to a file for --baseline.
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub(in crate::cli) write_baseline: Option<PathBuf>,
    /// Show every finding with its path, waived ones with the reason, and every function.
    #[arg(long)]
    pub(in crate::cli) verbose: bool,
    /// Show names as they stand in the file instead of demangled ones.
    #[arg(long)]
    pub(in crate::cli) raw_names: bool,
    /// Explain a check, and verify nothing.
    #[arg(long, value_name = "CHECK", conflicts_with = "module")]
    pub(in crate::cli) explain: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum VerifyCommand {
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
pub(in crate::cli) enum FormatArg {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For code hosts: SARIF 2.1.0.
    Sarif,
}
