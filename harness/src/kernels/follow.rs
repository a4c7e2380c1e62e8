// SPDX-License-Identifier: BSD-2-Clause
//! A build's output, line by line: how far it is, and what went wrong.

/// Lines of a complaint that are shown.
const SHOWN: usize = 12;

/// Listens to make(1).
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// Directories that were begun.
    pub(super) directories: usize,
    /// `stage 3.1: building everything`.
    pub(super) stage: String,
    /// The compiler's first complaint, with what follows it.
    complaint: Vec<String>,
    /// The last lines, for a build that fails without a known complaint.
    last: Vec<String>,
    pub(super) disk_is_full: bool,
}

impl Follower {
    /// Takes a line of the log; returns whether there is something new to show.
    pub(super) fn hear(&mut self, line: &str) -> bool {
        self.disk_is_full |= line.contains("No space left on device");
        if !self.complaint.is_empty() {
            if self.complaint.len() < SHOWN {
                self.complaint.push(line.to_owned());
            }
        } else if is_complaint(line) {
            self.complaint.push(line.to_owned());
        }
        self.last.push(line.to_owned());
        if self.last.len() > SHOWN {
            self.last.remove(0);
        }
        if let Some(stage) = line.strip_prefix(">>> ") {
            self.stage = stage.to_owned();
            return true;
        }
        let is_directory = line.starts_with("===> ") && line.ends_with(" (all)");
        self.directories += usize::from(is_directory);
        is_directory
    }

    /// The reason of the failure: the compiler's words, else the last lines of the log.
    pub(super) fn complaint(&self) -> String {
        let lines = if self.complaint.is_empty() { &self.last } else { &self.complaint };
        lines.iter().map(|line| format!("  | {line}\n")).collect::<String>().trim_end().to_owned()
    }
}

/// Words of clang, ld.lld and make(1).
fn is_complaint(line: &str) -> bool {
    [": error: ", ": fatal error: ", "ld.lld: error:", "make: don't know how", "config: "]
        .iter()
        .any(|words| line.contains(words))
        && !line.starts_with("***")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_stages_are_counted_and_the_first_error_is_kept_with_its_lines() {
        let mut follower = Follower::default();
        assert!(follower.hear(">>> stage 3.1: building everything"));
        assert!(follower.hear("===> if_epair (all)"));
        assert!(!follower.hear("===> if_epair (depend)"));
        assert!(!follower.hear("cc -c iface.c"));
        assert_eq!((follower.directories, follower.stage.as_str()), (1, "stage 3.1: building everything"));
        for line in
            ["/s/sys/netlink/route/iface.c:9:1: error: unknown type name 'x'", "    9 | x y;", "      | ^"]
        {
            follower.hear(line);
        }
        let said = follower.complaint();
        assert!(
            said.starts_with("  | /s/sys/netlink/route/iface.c:9:1: error:") && said.ends_with("| ^"),
            "{said}"
        );
    }

    #[test]
    fn without_an_error_that_is_known_the_last_lines_are_shown_and_a_full_disk_is_seen() {
        let mut follower = Follower::default();
        for n in 0..20 {
            follower.hear(&format!("line {n}"));
        }
        follower.hear("cc1: No space left on device");
        assert!(follower.disk_is_full);
        let said = follower.complaint();
        assert!(!said.contains("line 8\n") && said.ends_with("No space left on device"), "{said}");
    }
}
