// SPDX-License-Identifier: BSD-2-Clause
//! The command that runs FreeBSD's own tests.

use std::path::PathBuf;

use clap::Args;

use super::cells::CellArgs;
use super::guest::GuestArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct AtfArgs {
    /// What to run, by its path below /usr/tests: a directory (sys/net), a test program (sys/net/if_clone_test), or one case of
    /// it (sys/net/if_clone_test:epair_ipv4_up_stress) [default: sys/netlink sys/net sbin/ifconfig sys/netinet
    /// sys/netinet6].
    #[arg(value_name = "PROGRAM")]
    pub(in crate::cli) programs: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
    /// List the selected test programs and what they need, by the Kyuafiles of tests.txz, and start nothing.
    #[arg(long)]
    pub(in crate::cli) list: bool,
    /// Print every case and what differs as JSON, and nothing else.
    #[arg(long, conflicts_with = "list")]
    pub(in crate::cli) json: bool,
    /// Add the result to report.json, junit.xml and report.html of this directory, which are made if they are not there. The
    /// consoles of the guests are kept in atf/ below it.
    #[arg(long, value_name = "DIR", conflicts_with = "list")]
    pub(in crate::cli) report_dir: Option<PathBuf>,
}
