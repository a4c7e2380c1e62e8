// SPDX-License-Identifier: BSD-2-Clause
//! What ends a try of a download, so that another one may do better.

use std::io;

use nlproof_base::counted;

/// What ends a try of a download, so that another one may do better.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The request failed.
    #[error(transparent)]
    Request(#[from] Box<ureq::Error>),
    /// The connection failed.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The server is silent.
    #[error("the server says nothing")]
    Silent,
    /// The connection ended before its answer.
    #[error("the connection ended")]
    Ended,
    /// The connection ended early.
    #[error("the connection ended after {have} of {total} bytes")]
    Short {
        /// Bytes that came.
        have: u64,
        /// Bytes that the server promised.
        total: u64,
    },
    /// The connection of a small text ended early, after this many bytes.
    #[error("the connection ended after {}", counted(*.0, "byte"))]
    ShortText(usize),
    /// No answer as HTTP has them.
    #[error("data before its head")]
    NoHead,
    /// The answer is another range.
    #[error("asked for the bytes from {have} on, the server sends others ({from:?})")]
    OtherRange {
        /// The first byte that was asked for.
        have: u64,
        /// The first byte that the server sends, if it says so.
        from: Option<u64>,
    },
    /// The file is shorter than what came of it.
    #[error("the server has no byte {0}")]
    NoByte(u64),
    /// The server cannot answer now: its status and what that means.
    #[error("the server says {0}")]
    NotNow(String),
}
