// SPDX-License-Identifier: BSD-2-Clause
//! A build's output, line by line: how far it is, and what went wrong.

/// Lines of a complaint that are shown.
const SHOWN: usize = 12;

/// Objects of the kernel between two of which something is shown.
const EVERY: usize = 100;

/// What a line says of how far the build is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A new stage, such as `stage 3.1: building everything`.
    Stage(String),
    /// A tool of the build is begun: the directory that it is in.
    Tool(String),
    /// A directory of modules is begun.
    Directory(String),
    /// Another file of the kernel itself is compiled.
    Object,
    /// The kernel is put together, which takes one processor a minute.
    Link,
}

/// Listens to make(1).
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// Directories of modules that were begun.
    pub(super) directories: usize,
    /// Files of the kernel itself that were compiled.
    pub(super) objects: usize,
    /// The compiler's first complaint, with what follows it.
    complaint: Vec<String>,
    /// The last lines, for a build that ends without a complaint that is known: up to where make(1) first gave up, or the
    /// end.
    last: Vec<String>,
    gave_up: bool,
    pub(super) disk_is_full: bool,
}

impl Follower {
    /// Hears a line: what there is to show.
    pub(super) fn hear(&mut self, line: &str) -> Option<Heard> {
        self.disk_is_full |= line.contains("No space left on device");
        if !self.complaint.is_empty() {
            if self.complaint.len() < SHOWN {
                self.complaint.push(line.to_owned());
            }
        } else if is_complaint(line) {
            self.complaint.push(line.to_owned());
        }
        if !self.gave_up {
            self.last.push(line.to_owned());
            if self.last.len() > SHOWN {
                self.last.remove(0);
            }
            // What follows is who else gives up because of it.
            self.gave_up = gives_up(line);
        }
        if let Some(stage) = line.strip_prefix(">>> ") {
            return Some(Heard::Stage(stage.to_owned()));
        }
        if line.starts_with("linking kernel") {
            return Some(Heard::Link);
        }
        if compiles_for_the_kernel(line) {
            self.objects += 1;
            return (self.objects % EVERY == 1).then_some(Heard::Object);
        }
        let (name, targets) = line.strip_prefix("===> ")?.split_once(" (")?;
        match targets {
            "all)" => {
                self.directories += 1;
                Some(Heard::Directory(name.to_owned()))
            }
            _ if targets.starts_with("obj,") => Some(Heard::Tool(name.to_owned())),
            _ => None,
        }
    }

    /// The reason of the failure: the compiler's words, else the last lines of the log.
    pub(super) fn complaint(&self) -> String {
        let lines = if self.complaint.is_empty() { &self.last } else { &self.complaint };
        lines.iter().map(|line| format!("  | {line}\n")).collect::<String>().trim_end().to_owned()
    }
}

/// make(1)'s words for a command that failed.
fn gives_up(line: &str) -> bool {
    line.starts_with("*** [") || line.starts_with("*** Error code") || line.contains("make: stopped in ")
}

/// Whether the line calls the compiler for a file of the kernel, not of a module or a tool.
fn compiles_for_the_kernel(line: &str) -> bool {
    line.contains(" -c ") && line.contains(" -D_KERNEL ") && !line.contains(" -DKLD_MODULE")
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
        for (line, heard) in [
            (">>> stage 3: cross tools", Some(Heard::Stage("stage 3: cross tools".into()))),
            ("===> usr.bin/yacc (obj,all,install)", Some(Heard::Tool("usr.bin/yacc".into()))),
            ("===> if_epair (all)", Some(Heard::Directory("if_epair".into()))),
            ("===> if_epair (depend)", None),
            ("cc -c -O2 x.c", None),
            ("cc -c -D_KERNEL -DKLD_MODULE x.c", None),
            ("cc -c -O2 -D_KERNEL iface.c", Some(Heard::Object)),
            ("cc -c -O2 -D_KERNEL neigh.c", None),
            ("linking kernel.full", Some(Heard::Link)),
        ] {
            assert_eq!(follower.hear(line), heard, "{line}");
        }
        assert_eq!((follower.directories, follower.objects), (1, 2));
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
        follower.hear("*** [x.o] Error code 1");
        follower.hear("Traceback (most recent call last):");
        assert!(follower.disk_is_full);
        let said = follower.complaint();
        assert!(
            !said.contains("line 8\n")
                && said.ends_with("No space left on device\n  | *** [x.o] Error code 1"),
            "{said}"
        );
    }
}
