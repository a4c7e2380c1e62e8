// SPDX-License-Identifier: BSD-2-Clause
//! What the VM tests share: a guest of one sector, and a look at what a VM leaves behind.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nlproof::vm::{
    AcceleratorKind, BootSector, DiskWrites, Patience, Then, Tools, Vm, VmConfig, VmError, Wait,
};

/// Enough for a machine that is busy with other things; nothing here waits for it to pass.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// QEMU, or the word that the test was skipped.
pub(crate) fn tools(test: &str) -> Option<Tools> {
    match Tools::find(env!("CARGO_BIN_EXE_nlproof")) {
        Ok(tools) => Some(tools),
        Err(error) => {
            say(&format!("skipped: {test}: {error}"));
            None
        }
    }
}

/// Writes a line past libtest's capture, which hides what a passing test prints.
#[allow(clippy::disallowed_methods, reason = "libtest captures what the macros print")]
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").expect("standard error");
}

/// A guest that prints a text, on a disk of its own.
pub(crate) struct TinyGuest {
    dir: tempfile::TempDir,
    pub(crate) config: VmConfig,
}

impl TinyGuest {
    pub(crate) fn new(text: &str, then: Then) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let disk = dir.path().join("guest.raw");
        let sector = BootSector::assemble(text.as_bytes(), then).expect("a text that fits");
        sector.write_disk(&disk).expect("a disk image");
        let mut config = VmConfig::default();
        config.memory_mib(16).raw_disk(disk, DiskWrites::Discard);
        Self { dir, config }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn start(&self, tools: &Tools) -> Result<Vm, VmError> {
        Vm::start(&self.config, AcceleratorKind::Tcg, tools, &Patience::default()).await
    }
}

pub(crate) fn wait(name: &'static str) -> Wait {
    Wait::new(name, LIMIT)
}

/// Processes whose command line names this directory: supervisor and QEMU of one VM.
pub(crate) fn processes_of(run_dir: &Path) -> Vec<PathBuf> {
    let needle = run_dir.to_str().expect("a run directory with a plain name").as_bytes();
    let entries = fs::read_dir("/proc").expect("/proc");
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            fs::read(path.join("cmdline")).is_ok_and(|line| line.windows(needle.len()).any(|w| w == needle))
        })
        .collect()
}

/// Nothing of this VM is left, at once or after a moment.
pub(crate) fn assert_gone(run_dir: &Path) {
    let until = Instant::now() + LIMIT;
    while run_dir.exists() || !processes_of(run_dir).is_empty() {
        assert!(
            Instant::now() < until,
            "left behind: {run_dir:?} exists: {}, processes {:?}",
            run_dir.exists(),
            processes_of(run_dir)
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
