// SPDX-License-Identifier: BSD-2-Clause
//! The commands that turn what people have into vectors, and vectors into what people can send on.

use clap::Args;

use super::verify::OsArg;

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// The file, or `-` for standard input; at most 256 MiB. Hex, a hex dump, arrays of C or Rust, text of truss(1), kdump(1)
    /// or strace(1), the file that ktrace(1) writes, a capture of Linux' nlmon (pcap, pcapng), or the bytes of one datagram.
    pub(in crate::cli) file: String,
    /// Write the vector to tests/vectors/ID.yaml instead of standard output. A vector that is there stays.
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) as_vector: Option<String>,
    /// Whose numbers the messages use, and for which system the vector is [default: that of the tool that wrote the file, or
    /// freebsd].
    #[arg(long, value_enum)]
    pub(in crate::cli) os: Option<OsArg>,
}
