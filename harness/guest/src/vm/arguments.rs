// SPDX-License-Identifier: BSD-2-Clause
//! The QEMU command line that a machine becomes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::accelerator_kind::AcceleratorKind;
use super::bootsector::DEBUG_EXIT_PORT;
use super::config::{AGENT_PORT, HostPort, VmConfig};
use super::disk::{DiskWrites, Seed};
use super::event_log::{CLOCK_SHIFT, SWITCHED_ON};

/// What is said of a drive that is not written to.
const READ_ONLY: &str = ",readonly=on";

/// The guest's side of QEMU's user network (QEMU's `-netdev user` defaults: network 10.0.2.0/24).
const GUEST_ADDRESS: &str = "10.0.2.15";
const SSH: u16 = 22;

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

fn split_commas(text: &OsStr) -> Vec<&OsStr> {
    text.as_bytes().split(|byte| *byte == b',').map(OsStr::from_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::super::config::TranslationLog;
    use super::super::event_log::{EventLog, LogUse};
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
    fn only_a_seed_that_is_a_file_is_a_drive() {
        let mut config = VmConfig::default();
        config.seed(Seed::Bytes(b"private".to_vec()));
        assert!(!arguments(&config, AcceleratorKind::Tcg).contains("seed"));
        let text = arguments(config.seed(Seed::File("/run/s".into())), AcceleratorKind::Tcg);
        let wanted =
            "-drive file=/run/s,format=raw,if=none,id=seed0,readonly=on -device virtio-blk-pci,drive=seed0";
        assert!(text.ends_with(wanted), "{text}");
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
        config.overlay_disk("/img/x.qcow2", DiskWrites::Keep).ssh(HostPort::Fixed(2222)).debug_exit(true);
        let text = arguments(&config, AcceleratorKind::Tcg);
        assert!(text.contains("file=/img/x.qcow2,format=qcow2,if=none,id=disk0,snapshot=off"), "{text}");
        assert!(text.contains("hostfwd=tcp:127.0.0.1:2222-10.0.2.15:22"), "{text}");
        assert!(text.ends_with("isa-debug-exit,iobase=0xf4,iosize=0x01"), "{text}");
    }

    #[test]
    fn an_overlay_that_goes_with_the_machine_need_not_reach_the_disk() {
        let mut config = VmConfig::default();
        let text =
            arguments(config.overlay_disk("/run/disk.qcow2", DiskWrites::Scratch), AcceleratorKind::Tcg);
        assert!(text.contains("file=/run/disk.qcow2,format=qcow2,if=none,id=disk0,cache=unsafe"), "{text}");
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
