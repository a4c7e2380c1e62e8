// SPDX-License-Identifier: BSD-2-Clause
//! What commands print on standard output, and their messages on standard error.

pub(super) use crate::out::{
    Stderr, Stdout, is_shown, is_watched, progress_target, say, say_text, tell, tell_text,
};
