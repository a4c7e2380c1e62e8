// SPDX-License-Identifier: BSD-2-Clause
//! A VM as data.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskWrites, Seed};
use super::event_log::EventLog;

/// The port on 127.0.0.1 that leads to the guest's sshd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostPort {
    /// The host's kernel picks a free one when QEMU binds it: two VMs never clash.
    Any,
    /// A given port. A VM whose port is taken does not start.
    Fixed(u16),
}

/// The guest's memory as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryFile {
    /// The file; made where it is shared and there is none.
    pub path: PathBuf,
    /// Whether what the guest writes is in the file; otherwise the file stays as it is, and its pages are read
    /// when the guest touches them.
    pub shared: bool,
}

/// The port on which an agent that stayed listens in the guest.
pub const AGENT_PORT: u16 = 7013;

/// QEMU's log of the blocks of instructions that it translates, which it does when a block is about to run for the first
/// time. TCG only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslationLog {
    /// The file; QEMU begins it anew.
    pub path: PathBuf,
    /// Addresses in the guest that are logged: where each range begins and how many bytes it has.
    pub ranges: Vec<(u64, u64)>,
}

/// A virtual machine. Starts with 512 MiB, one CPU, no disk and no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmConfig {
    pub(super) memory_mib: u32,
    pub(super) cpus: u32,
    pub(super) disk: Option<Disk>,
    pub(super) kernel_disk: Option<PathBuf>,
    pub(super) seed: Option<Seed>,
    pub(super) ssh: Option<HostPort>,
    pub(super) debug_exit: bool,
    pub(super) serial_log: Option<PathBuf>,
    pub(super) textdump: Option<PathBuf>,
    pub(super) memory_file: Option<MemoryFile>,
    pub(super) instruction_clock: bool,
    pub(super) translation_log: Option<TranslationLog>,
    pub(super) event_log: Option<EventLog>,
}

impl Default for VmConfig {
    fn default() -> Self {
        Self {
            memory_mib: 512,
            cpus: 1,
            disk: None,
            kernel_disk: None,
            seed: None,
            ssh: None,
            debug_exit: false,
            serial_log: None,
            textdump: None,
            memory_file: None,
            instruction_clock: false,
            translation_log: None,
            event_log: None,
        }
    }
}

impl VmConfig {
    /// Memory in MiB.
    pub fn memory_mib(&mut self, mib: u32) -> &mut Self {
        self.memory_mib = mib;
        self
    }

    /// Number of virtual CPUs.
    pub fn cpus(&mut self, cpus: u32) -> &mut Self {
        self.cpus = cpus;
        self
    }

    /// A raw image as boot disk.
    pub fn raw_disk(&mut self, path: impl Into<PathBuf>, writes: DiskWrites) -> &mut Self {
        self.disk = Some(Disk { path: path.into(), format: "raw", writes });
        self
    }

    /// A qcow2 image as boot disk whose writes are kept or not.
    pub fn overlay_disk(&mut self, path: impl Into<PathBuf>, writes: DiskWrites) -> &mut Self {
        self.disk = Some(Disk { path: path.into(), format: "qcow2", writes });
        self
    }

    /// A raw image that nobody writes to, in a second virtio block device: the guest boots from it, and from the other
    /// disk only what that one's loader leaves to it.
    pub fn kernel_disk(&mut self, path: Option<PathBuf>) -> &mut Self {
        self.kernel_disk = path;
        self
    }

    /// The run's own disk, in a further virtio block device.
    pub fn seed(&mut self, seed: Seed) -> &mut Self {
        self.seed = Some(seed);
        self
    }

    /// The same machine with its seed in a file: one that was bytes is written into this directory, for its owner alone.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn with_seed_in(&self, directory: &Path) -> io::Result<Self> {
        let mut config = self.clone();
        if let Some(Seed::Bytes(bytes)) = &self.seed {
            let path = directory.join("seed.raw");
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(bytes)?;
            config.seed = Some(Seed::File(path));
        }
        Ok(config)
    }

    /// The same machine, and what it writes to an overlay that stays goes into a copy of its own in this directory. QEMU
    /// would put another overlay over it (`snapshot=on`), and wait three times until that is on this machine's disk.
    ///
    /// # Errors
    /// The overlay cannot be copied.
    pub(super) fn with_overlay_in(&self, directory: &Path) -> io::Result<Self> {
        let mut config = self.clone();
        if let Some(disk) = config.disk.as_mut().filter(|disk| disk.is_shared_overlay()) {
            let path = directory.join("disk.qcow2");
            std::fs::copy(&disk.path, &path)?;
            *disk = Disk { path, writes: DiskWrites::Scratch, ..disk.clone() };
        }
        Ok(config)
    }

    /// A network card on QEMU's user network. The guest reaches nothing (`restrict=on`); the host reaches
    /// the guest's sshd at 10.0.2.15 through this port on 127.0.0.1, and an agent that stayed ([`AGENT_PORT`])
    /// through one that the host's kernel picks.
    pub fn ssh(&mut self, port: HostPort) -> &mut Self {
        self.ssh = Some(port);
        self
    }

    /// Adds isa-debug-exit at [`DEBUG_EXIT_PORT`](super::DEBUG_EXIT_PORT), which lets a guest choose QEMU's exit status.
    pub fn debug_exit(&mut self, on: bool) -> &mut Self {
        self.debug_exit = on;
        self
    }

    /// Appends the serial console to this file. Without it the log goes with the VM.
    pub fn serial_log(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.serial_log = Some(path.into());
        self
    }

    /// Appends to this file what a kernel says when it panics or stops in its debugger.
    pub fn textdump(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.textdump = Some(path.into());
        self
    }

    /// Keeps the guest's memory in a file.
    pub fn memory_file(&mut self, path: impl Into<PathBuf>, shared: bool) -> &mut Self {
        self.memory_file = Some(MemoryFile { path: path.into(), shared });
        self
    }

    /// Has the guest's clocks, the time stamp counter among them, advance by a nanosecond an instruction: what they
    /// measure is instructions. TCG only, and one CPU at a time.
    pub fn instruction_clock(&mut self, on: bool) -> &mut Self {
        self.instruction_clock = on;
        self
    }

    /// Has QEMU log which blocks of instructions it translates (`-d in_asm`). TCG only.
    pub fn translation_log(&mut self, log: TranslationLog) -> &mut Self {
        self.translation_log = Some(log);
        self
    }

    /// Has QEMU log everything that comes to the machine, or live through such a log. TCG and one CPU only. The network
    /// card is an e1000, because virtio's stands still in a replay.
    pub fn event_log(&mut self, log: EventLog) -> &mut Self {
        self.event_log = Some(log);
        self
    }

    /// The boot disk, if there is one.
    pub fn boot_disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// The guest's memory, if it is a file.
    pub fn kept_memory(&self) -> Option<&MemoryFile> {
        self.memory_file.as_ref()
    }

    /// Where the serial console is to be kept.
    pub fn kept_serial_log(&self) -> Option<&Path> {
        self.serial_log.as_deref()
    }

    /// Where a dying kernel's words are to be kept.
    pub fn kept_textdump(&self) -> Option<&Path> {
        self.textdump.as_deref()
    }

    /// Whether the guest has an ssh forward.
    pub fn ssh_port(&self) -> Option<HostPort> {
        self.ssh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_written_for_its_owner_alone_and_never_shown() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let mut config = VmConfig::default();
        config.seed(Seed::Bytes(b"private".to_vec()));
        assert!(!format!("{config:?}").contains("112"), "{config:?}");
        let written = config.with_seed_in(directory.path()).unwrap();
        let file = directory.path().join("seed.raw");
        assert_eq!(std::fs::read(&file).unwrap(), b"private");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(written.with_seed_in(directory.path()).unwrap(), written, "a file stays where it is");
    }

    #[test]
    fn each_machine_has_its_own_copy_of_an_overlay_that_stays() {
        let directory = tempfile::tempdir().unwrap();
        let overlay = directory.path().join("overlay.qcow2");
        std::fs::write(&overlay, "saved").unwrap();
        let run = tempfile::tempdir().unwrap();
        let mut config = VmConfig::default();
        config.overlay_disk(&overlay, DiskWrites::Discard);
        let own = config.with_overlay_in(run.path()).unwrap();
        let disk = own.boot_disk().unwrap();
        assert_eq!((disk.path.parent(), disk.writes), (Some(run.path()), DiskWrites::Scratch));
        assert_eq!(std::fs::read(&disk.path).unwrap(), b"saved");
        for other in [
            config.overlay_disk(&overlay, DiskWrites::Keep).clone(),
            config.raw_disk(&overlay, DiskWrites::Discard).clone(),
        ] {
            assert_eq!(other.with_overlay_in(run.path()).unwrap(), other);
        }
        assert!(
            config.overlay_disk("/nonexistent", DiskWrites::Discard).with_overlay_in(run.path()).is_err()
        );
    }
}
