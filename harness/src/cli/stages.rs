// SPDX-License-Identifier: BSD-2-Clause
//! The progress of work on an image: a bar for a person, a line a stage for a log.

use indicatif::{ProgressBar, ProgressStyle};

use super::out::{is_watched, progress_target, tell};
use crate::targets::BytesProgress;

/// Runs the work, which tells its stages, and shows them on standard error.
pub(super) fn with_stages<T>(work: impl FnOnce(&mut dyn FnMut(&str, Option<BytesProgress>)) -> T) -> T {
    let bar = ProgressBar::with_draw_target(Some(0), progress_target());
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {elapsed:>4} {msg} [{bar:24}] {bytes}/{total_bytes}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    let live = is_watched();
    // Archives are extracted side by side and take turns: a log gets one line a stage.
    let mut shown = Vec::new();
    let result = work(&mut |stage, bytes| {
        if !live && !shown.iter().any(|other| other == stage) {
            tell!("{stage}");
            shown.push(stage.to_owned());
        }
        let BytesProgress { done, total } = bytes.unwrap_or(BytesProgress { done: 0, total: 0 });
        bar.set_message(stage.to_owned());
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    result
}
