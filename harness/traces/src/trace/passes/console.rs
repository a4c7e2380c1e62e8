// SPDX-License-Identifier: BSD-2-Clause
//! The pass that sets apart what the kernel printed: these lines are shown and kept, and not compared.
//!
//! The lines do not name their network stack, a task of the kernel may print late for the vector before, and two
//! releases word them differently without answering differently. Complaints on the console fail a cell in another way
//! (`targets::Finish`).

use super::super::item::{Kind, Trace};

/// Moves the lines out of what is compared.
pub(super) fn set_apart(trace: &mut Trace) {
    let of_console = |kind: &Kind| matches!(kind, Kind::Console(_));
    let (lines, items) =
        std::mem::take(&mut trace.items).into_iter().partition(|item| of_console(&item.kind));
    trace.items = items;
    trace.console.lines = lines;
}

#[cfg(test)]
mod tests {
    use nlproof_agent::ConsoleLine;

    use super::super::testing::{replies, with};
    use super::*;
    use crate::trace::{Item, Val};

    #[test]
    fn the_text_is_the_same_with_and_without_lines() {
        let mut quiet = replies(vec![with("mtu", Val::Num(1500)), with("mtu", Val::Num(1501))]);
        let text = b"lo10: link state changed to UP".to_vec();
        let line = ConsoleLine { priority: Some(6), text, cut: 0, whole: true };
        let mut loud = quiet.clone();
        for (place, step) in [(0, None), (2, Some(0)), (3, Some(1))] {
            loud.items.insert(place, Item { step, t_ns: 7, kind: Kind::Console(line.clone()) });
        }
        assert_ne!(loud.to_text(), quiet.to_text());
        set_apart(&mut quiet);
        set_apart(&mut loud);
        assert_eq!(loud.to_text(), quiet.to_text());
        assert_eq!((quiet.console.lines.len(), loud.console.lines.len()), (0, 3));
    }
}
