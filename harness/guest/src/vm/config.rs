// SPDX-License-Identifier: BSD-2-Clause
//! A VM as data, and the QEMU command line that it becomes.

use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::accelerator_kind::AcceleratorKind;
use super::bootsector::DEBUG_EXIT_PORT;
use super::record::{CLOCK_SHIFT, EventLog, SWITCHED_ON};

/// What is said of a drive that is not written to.
const READ_ONLY: &str = ",readonly=on";

/// Fate of the guest's writes to its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskWrites {
    /// Lost when the VM ends; the image is opened read-only.
    Discard,
    /// Into an image that is this VM's alone and goes with it: nothing of it has to reach the disk of this machine.
    Scratch,
    /// Kept in the image.
    Keep,
}

/// A disk image, seen by the guest as its first virtio block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The image file.
    pub path: PathBuf,
    /// `raw` or `qcow2`: never guessed, a guest could write a header of its own.
    pub format: &'static str,
    /// What happens to writes.
    pub writes: DiskWrites,
}

impl Disk {
    /// Whether machines that run at once start from it, each with writes of its own. Only an overlay is small.
    pub(super) fn is_shared_overlay(&self) -> bool {
        self.format == "qcow2" && self.writes == DiskWrites::Discard
    }
}

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

/// The guest's side of QEMU's user network (QEMU's `-netdev user` defaults: network 10.0.2.0/24).
const GUEST_ADDRESS: &str = "10.0.2.15";
const SSH: u16 = 22;
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

/// A disk with what one run of a guest has for itself: keys, addresses. Nobody writes to it.
#[derive(Clone, PartialEq, Eq)]
pub enum Seed {
    /// Bytes of the disk, which are private: they are put into the machine's run directory and go with it.
    Bytes(Vec<u8>),
    /// A raw image that stays.
    File(PathBuf),
}

/// Never shows the keys.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// A virtual machine. Starts with 512 MiB, one CPU, no disk and no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmConfig {
    memory_mib: u32,
    cpus: u32,
    disk: Option<Disk>,
    kernel_disk: Option<PathBuf>,
    seed: Option<Seed>,
    ssh: Option<HostPort>,
    debug_exit: bool,
    serial_log: Option<PathBuf>,
    textdump: Option<PathBuf>,
    memory_file: Option<MemoryFile>,
    instruction_clock: bool,
    translation_log: Option<TranslationLog>,
    event_log: Option<EventLog>,
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

/// Paths that are known when a VM starts.
#[derive(Debug, Clone, Copy)]
pub struct CommandLine<'a> {
    /// The accelerator to use.
    pub accelerator: AcceleratorKind,
    /// Where somebody listens whom QEMU calls for QMP; at most 107 bytes. None: no QMP, and the guest runs at once.
    pub qmp_socket: Option<&'a Path>,
    /// Where the serial console is appended to.
    pub serial_log: &'a Path,
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

    /// A qcow2 image (an overlay that outlives the VM, or one with snapshots) as boot disk.
    pub fn qcow2_disk(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.disk = Some(Disk { path: path.into(), format: "qcow2", writes: DiskWrites::Keep });
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

    /// Adds isa-debug-exit at [`DEBUG_EXIT_PORT`], which lets a guest choose QEMU's exit status.
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

    /// QEMU's arguments.
    pub fn arguments(&self, line: CommandLine<'_>) -> Vec<OsString> {
        let mut args = Arguments::default();
        args.flag("-no-user-config").flag("-nodefaults").flag("-no-reboot");
        args.option("-display", "none").option("-vga", "none");
        match &self.memory_file {
            Some(file) => {
                args.option("-machine", "pc,memory-backend=ram0");
                let head = format!("memory-backend-file,id=ram0,size={}M,mem-path=", self.memory_mib);
                args.path_option(
                    "-object",
                    &head,
                    &file.path,
                    if file.shared { ",share=on" } else { ",share=off" },
                );
            }
            None => {
                args.option("-machine", "pc");
            }
        }
        match line.accelerator {
            AcceleratorKind::Kvm => args.option("-accel", "kvm").option("-cpu", "host"),
            AcceleratorKind::Tcg => args.option("-accel", "tcg"),
        };
        if self.instruction_clock {
            args.option("-icount", "shift=0");
        }
        if let Some(log) = &self.event_log {
            let head = format!("shift={CLOCK_SHIFT},rr={},rrfile=", log.verb());
            args.path_option("-icount", &head, &log.path, "");
            args.option("-rtc", format!("base={SWITCHED_ON},clock=vm"));
        }
        if let Some(log) = &self.translation_log {
            let ranges = log.ranges.iter().map(|(start, length)| format!("{start:#x}+{length:#x}"));
            args.option("-d", "in_asm").option("-dfilter", ranges.collect::<Vec<_>>().join(","));
            // Not the syntax of options: a comma is a comma. But `%d` is QEMU's process, `%%` no way to write `%`.
            let path = std::path::absolute(&log.path).unwrap_or_else(|_| log.path.clone());
            args.option("-D", path);
        }
        args.option("-m", format!("{}M", self.memory_mib)).option("-smp", self.cpus.to_string());
        args.path_option("-chardev", "file,id=serial0,append=on,path=", line.serial_log, "");
        args.option("-serial", "chardev:serial0");
        if let Some(socket) = line.qmp_socket {
            args.path_option("-chardev", "socket,id=qmp0,path=", socket, "");
            args.option("-mon", "chardev=qmp0,mode=control");
            // The guest waits for `cont`, so that no event is missed before somebody listens.
            args.flag("-S");
        }
        let logged = self.event_log.is_some();
        if let Some(disk) = &self.disk {
            let writes = match disk.writes {
                DiskWrites::Discard => "snapshot=on",
                DiskWrites::Scratch => "cache=unsafe",
                DiskWrites::Keep => "snapshot=off",
            };
            args.drive(&disk.path, disk.format, "disk0", &format!(",{writes}"), logged);
            let index = u8::from(self.kernel_disk.is_some());
            args.option("-device", format!("virtio-blk-pci,drive=disk0,bootindex={index}"));
        }
        if let Some(path) = &self.kernel_disk {
            args.drive(path, "raw", "disk1", READ_ONLY, logged);
            args.option("-device", "virtio-blk-pci,drive=disk1,bootindex=0");
        }
        if let Some(port) = self.ssh {
            let port = match port {
                HostPort::Any => 0,
                HostPort::Fixed(port) => port,
            };
            args.option(
                "-netdev",
                format!(
                    "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-{GUEST_ADDRESS}:{SSH},\
                     hostfwd=tcp:127.0.0.1:0-{GUEST_ADDRESS}:{AGENT_PORT}"
                ),
            );
            // No option ROM: nobody boots from the network, and loading it costs boot time.
            if logged {
                args.option("-device", "e1000,netdev=net0,romfile=");
                args.option("-object", "filter-replay,id=replay0,netdev=net0");
            } else {
                args.option("-device", "virtio-net-pci,netdev=net0,romfile=");
            }
            // sshd waits for the guest's random device to be seeded.
            args.option("-device", "virtio-rng-pci");
        }
        // Behind the others: what they are called does not depend on it.
        if let Some(Seed::File(path)) = &self.seed {
            args.drive(path, "raw", "seed0", READ_ONLY, logged);
            args.option("-device", "virtio-blk-pci,drive=seed0");
        }
        if self.debug_exit {
            args.option("-device", format!("isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=0x01"));
        }
        args.0
    }
}

/// Arguments under construction.
#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.into());
        self
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.0.push(name.into());
        self.0.push(value.into());
        self
    }

    /// A drive without a device. In a machine whose events are logged the ends of its reads and writes are among them.
    fn drive(&mut self, path: &Path, format: &str, id: &str, more: &str, logged: bool) {
        let file = if logged { format!("{id}-file") } else { id.to_owned() };
        self.path_option("-drive", "file=", path, &format!(",format={format},if=none,id={file}{more}"));
        if logged {
            // Both have to say so.
            let read_only = if more == READ_ONLY { READ_ONLY } else { "" };
            self.option("-drive", format!("driver=blkreplay,if=none,image={file},id={id}{read_only}"));
        }
    }

    /// In QEMU's option syntax a comma ends a value; two commas are one.
    fn path_option(&mut self, name: &str, head: &str, path: &Path, tail: &str) -> &mut Self {
        // Without a directory in front, `nbd:…` or `json:…` would not be a file.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut value = OsString::from(head);
        for (n, part) in split_commas(path.as_os_str()).into_iter().enumerate() {
            if n > 0 {
                value.push(",,");
            }
            value.push(part);
        }
        value.push(tail);
        self.option(name, value)
    }
}

fn split_commas(text: &std::ffi::OsStr) -> Vec<&std::ffi::OsStr> {
    use std::os::unix::ffi::OsStrExt;
    text.as_bytes().split(|byte| *byte == b',').map(std::ffi::OsStr::from_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::LogUse;
    use super::*;

    fn arguments(config: &VmConfig, accelerator: AcceleratorKind) -> String {
        let line = CommandLine {
            accelerator,
            qmp_socket: Some(Path::new("/run/q.sock")),
            serial_log: Path::new("/log/a,b/serial.log"),
        };
        let args = config.arguments(line);
        args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_full_machine() {
        let mut config = VmConfig::default();
        config.memory_mib(1024).cpus(2).raw_disk("/img/x.raw", DiskWrites::Discard).ssh(HostPort::Any);
        assert_eq!(
            arguments(&config, AcceleratorKind::Tcg),
            "-no-user-config -nodefaults -no-reboot -display none -vga none -machine pc -accel tcg -m 1024M \
             -smp 2 -chardev file,id=serial0,append=on,path=/log/a,,b/serial.log -serial chardev:serial0 \
             -chardev socket,id=qmp0,path=/run/q.sock -mon chardev=qmp0,mode=control -S \
             -drive file=/img/x.raw,format=raw,if=none,id=disk0,snapshot=on \
             -device virtio-blk-pci,drive=disk0,bootindex=0 \
             -netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:22,hostfwd=tcp:127.0.0.1:0-10.0.2.15:7013 \
             -device virtio-net-pci,netdev=net0,romfile= -device virtio-rng-pci"
        );
    }

    #[test]
    fn a_seed_is_written_for_its_owner_alone_and_never_shown() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let mut config = VmConfig::default();
        config.seed(Seed::Bytes(b"private".to_vec()));
        assert!(!format!("{config:?}").contains("112"), "{config:?}");
        assert!(!arguments(&config, AcceleratorKind::Tcg).contains("seed"));
        let written = config.with_seed_in(directory.path()).unwrap();
        let file = directory.path().join("seed.raw");
        assert_eq!(std::fs::read(&file).unwrap(), b"private");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = arguments(&written, AcceleratorKind::Tcg);
        assert!(text.ends_with("readonly=on -device virtio-blk-pci,drive=seed0"), "{text}");
        assert!(written.with_seed_in(directory.path()).is_ok(), "a file stays where it is");
    }

    #[test]
    fn the_default_machine_has_neither_disk_nor_network() {
        let text = arguments(&VmConfig::default(), AcceleratorKind::Kvm);
        assert!(text.contains("-accel kvm -cpu host -m 512M -smp 1 "), "{text}");
        for absent in ["-drive", "-netdev", "isa-debug-exit"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }

    #[test]
    fn a_clock_of_instructions_is_asked_for_by_name() {
        let mut config = VmConfig::default();
        assert!(!arguments(&config, AcceleratorKind::Tcg).contains("-icount"));
        config.instruction_clock(true);
        let text = arguments(&config, AcceleratorKind::Tcg);
        assert!(text.contains("-accel tcg -icount shift=0 -m 512M"), "{text}");
    }

    #[test]
    fn translated_blocks_are_logged_in_the_ranges_that_are_asked_for() {
        let mut config = VmConfig::default();
        assert!(!arguments(&config, AcceleratorKind::Tcg).contains(" -d "));
        let ranges = vec![(0xffff_ffff_80d7_0000, 0x1_8000), (0xffff_ffff_8200_0000, 0x10)];
        config.translation_log(TranslationLog { path: "/log/a,b".into(), ranges });
        let text = arguments(&config, AcceleratorKind::Tcg);
        let wanted = "-d in_asm -dfilter 0xffffffff80d70000+0x18000,0xffffffff82000000+0x10 -D /log/a,b -m";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn what_comes_to_a_machine_is_logged_and_lived_through_by_the_same_machine() {
        let mut config = VmConfig::default();
        config.raw_disk("/img/x.raw", DiskWrites::Discard).ssh(HostPort::Any);
        config.seed(Seed::File("/seed".into()));
        let mut with = |how| {
            config.event_log(EventLog { path: "/log,a".into(), how });
            arguments(&config, AcceleratorKind::Tcg)
        };
        let (recorded, replayed) = (with(LogUse::Record), with(LogUse::Replay));
        for part in [
            "-icount shift=5,rr=record,rrfile=/log,,a -rtc base=2026-01-01T00:00:00,clock=vm",
            "-drive file=/img/x.raw,format=raw,if=none,id=disk0-file,snapshot=on \
             -drive driver=blkreplay,if=none,image=disk0-file,id=disk0 -device virtio-blk-pci,drive=disk0,",
            "-device e1000,netdev=net0,romfile= -object filter-replay,id=replay0,netdev=net0",
            "-drive driver=blkreplay,if=none,image=seed0-file,id=seed0,readonly=on",
        ] {
            assert!(recorded.contains(part), "{part}: {recorded}");
        }
        assert_eq!(recorded.replace("rr=record", "rr=replay"), replayed);
    }

    #[test]
    fn a_fixed_port_a_kept_disk_and_debug_exit() {
        let mut config = VmConfig::default();
        config.qcow2_disk("/img/x.qcow2").ssh(HostPort::Fixed(2222)).debug_exit(true);
        let text = arguments(&config, AcceleratorKind::Tcg);
        assert!(text.contains("file=/img/x.qcow2,format=qcow2,if=none,id=disk0,snapshot=off"), "{text}");
        assert!(text.contains("hostfwd=tcp:127.0.0.1:2222-10.0.2.15:22"), "{text}");
        assert!(text.ends_with("isa-debug-exit,iobase=0xf4,iosize=0x01"), "{text}");
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
        let text = arguments(&own, AcceleratorKind::Tcg);
        assert!(text.contains("disk.qcow2,format=qcow2,if=none,id=disk0,cache=unsafe"), "{text}");
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

    #[test]
    fn the_disk_with_the_kernel_is_booted_from_and_read_only() {
        let mut config = VmConfig::default();
        config.raw_disk("/img/x.raw", DiskWrites::Discard).kernel_disk(Some("/img/k.raw".into()));
        let text = arguments(&config, AcceleratorKind::Tcg);
        assert!(text.contains("-device virtio-blk-pci,drive=disk0,bootindex=1 "), "{text}");
        let second = "-drive file=/img/k.raw,format=raw,if=none,id=disk1,readonly=on -device virtio-blk-pci,drive=disk1,bootindex=0";
        assert!(text.contains(second), "{text}");
    }

    #[test]
    fn a_relative_path_cannot_be_a_protocol() {
        let mut config = VmConfig::default();
        config.raw_disk("nbd:host:1", DiskWrites::Keep);
        let text = arguments(&config, AcceleratorKind::Tcg);
        assert!(text.contains("/nbd:host:1,format=raw"), "{text}");
    }
}
