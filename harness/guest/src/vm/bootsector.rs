// SPDX-License-Identifier: BSD-2-Clause
//! A guest of 512 bytes: walks from 16-bit real mode through 32-bit protected mode to 64-bit long mode, prints
//! a text on the first serial port and stops.
//!
//! It answers the question whether an accelerator runs guests at all, and stands in for FreeBSD where a
//! test needs a guest that boots in milliseconds and says exactly what it is told to. The walk through all
//! modes, with an `iret` on the way, is what FreeBSD's loader and kernel do: a `/dev/kvm` was met that ran a
//! BIOS and real-mode guests (twenty times slower than TCG), and stopped with `emulation failure` at the
//! loader's first `iret` in protected mode.
//!
//! Facts: a BIOS loads the first sector of a disk to 0000:7c00 and jumps to it if it ends with 55 aa (BIOS
//! Boot Specification 1.01, 6.5.1); the way to long mode is Intel SDM volume 3, 10.8.5; COM1 is at 0x3f8, its
//! line status register 5 bytes above, where bit 5 says that the transmitter is empty (National PC16550D);
//! writing V to QEMU's isa-debug-exit device ends QEMU with status 2 V + 1 (hw/misc/debugexit.c).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The I/O port at which [`VmConfig::debug_exit`](super::VmConfig::debug_exit) places the device.
pub const DEBUG_EXIT_PORT: u8 = 0xf4;

/// Bytes of machine code in front of the text.
const CODE: usize = 0xcd;
const SECTOR: usize = 512;
const DISK: u64 = 1024 * 1024;

/// QEMU's exit status after `value` was written to isa-debug-exit.
pub fn debug_exit_status(value: u8) -> i32 {
    i32::from(value) * 2 + 1
}

/// What the guest does after its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Halts for ever.
    Halt,
    /// Writes this value to isa-debug-exit; without the device it halts.
    DebugExit(u8),
    /// Asks the keyboard controller for a reset.
    Reset,
    /// Prints the text again, without end.
    Repeat,
}

/// The guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootSector {
    sector: [u8; SECTOR],
}

impl BootSector {
    /// The longest text in bytes.
    pub const MAX_TEXT: usize = SECTOR - 2 - CODE - 1;

    /// Assembles a guest. `None`: the text is longer than [`MAX_TEXT`](Self::MAX_TEXT) or holds a NUL.
    pub fn assemble(text: &[u8], then: Then) -> Option<Self> {
        if text.len() > Self::MAX_TEXT || text.contains(&0) {
            return None;
        }
        // What comes after the text: four bytes, in front of the halt.
        let [a, b, c, d] = match then {
            Then::Halt => [0x90, 0x90, 0x90, 0x90],                 // nop
            Then::DebugExit(v) => [0xb0, v, 0xe6, DEBUG_EXIT_PORT], // mov al, v; out 0xf4, al
            Then::Reset => [0xb0, 0xfe, 0xe6, 0x64],                // mov al, 0xfe; out 0x64, al
            Then::Repeat => [0xeb, 0xe2, 0x90, 0x90],               // jmp long
        };
        #[rustfmt::skip]
        let code: [u8; CODE] = [
            // 16 bits.
            0xfa,                                            // 00          cli
            0x31, 0xc0,                                      // 01          xor ax, ax
            0x8e, 0xd8,                                      // 03          mov ds, ax
            0x8e, 0xd0,                                      // 05          mov ss, ax
            0xbc, 0x00, 0x7c,                                // 07          mov sp, 0x7c00
            0x0f, 0x01, 0x16, 0xa7, 0x7c,                    // 0a          lgdt [gdtr]
            0x0f, 0x20, 0xc0,                                // 0f          mov eax, cr0
            0x0c, 0x01,                                      // 12          or al, 1                ; PE
            0x0f, 0x22, 0xc0,                                // 14          mov cr0, eax
            0xea, 0x1c, 0x7c, 0x08, 0x00,                    // 17          jmp 0x08:protected
            // 32 bits.
            0x66, 0xb8, 0x10, 0x00,                          // 1c protected: mov ax, 0x10
            0x8e, 0xd8,                                      // 20          mov ds, ax
            0x8e, 0xc0,                                      // 22          mov es, ax
            0x8e, 0xd0,                                      // 24          mov ss, ax
            0x9c,                                            // 26          pushf
            0x0e,                                            // 27          push cs
            0x68, 0x2e, 0x7c, 0x00, 0x00,                    // 28          push tables
            0xcf,                                            // 2d          iret
            0xfc,                                            // 2e tables:  cld
            0xbf, 0x00, 0x10, 0x00, 0x00,                    // 2f          mov edi, 0x1000
            0x31, 0xc0,                                      // 34          xor eax, eax
            0xb9, 0x00, 0x0c, 0x00, 0x00,                    // 36          mov ecx, 0xc00
            0xf3, 0xab,                                      // 3b          rep stosd
            0x66, 0xc7, 0x05, 0x00, 0x10, 0x00, 0x00, 0x03, 0x20, // 3d     mov word [0x1000], 0x2003
            0x66, 0xc7, 0x05, 0x00, 0x20, 0x00, 0x00, 0x03, 0x30, // 46     mov word [0x2000], 0x3003
            0xc6, 0x05, 0x00, 0x30, 0x00, 0x00, 0x83,        // 4f          mov byte [0x3000], 0x83 ; 2 MiB
            0xb8, 0x00, 0x10, 0x00, 0x00,                    // 56          mov eax, 0x1000
            0x0f, 0x22, 0xd8,                                // 5b          mov cr3, eax
            0x0f, 0x20, 0xe0,                                // 5e          mov eax, cr4
            0x0c, 0x20,                                      // 61          or al, 0x20             ; PAE
            0x0f, 0x22, 0xe0,                                // 63          mov cr4, eax
            0xb9, 0x80, 0x00, 0x00, 0xc0,                    // 66          mov ecx, 0xc0000080     ; EFER
            0x0f, 0x32,                                      // 6b          rdmsr
            0x80, 0xcc, 0x01,                                // 6d          or ah, 1                ; LME
            0x0f, 0x30,                                      // 70          wrmsr
            0x0f, 0x20, 0xc0,                                // 72          mov eax, cr0
            0x0d, 0x00, 0x00, 0x00, 0x80,                    // 75          or eax, 0x80000000      ; PG
            0x0f, 0x22, 0xc0,                                // 7a          mov cr0, eax
            0xea, 0x84, 0x7c, 0x00, 0x00, 0x18, 0x00,        // 7d          jmp 0x18:long
            // 64 bits.
            0xbe, 0xcd, 0x7c, 0x00, 0x00,                    // 84 long:    mov esi, text
            0xac,                                            // 89 next:    lodsb
            0x84, 0xc0,                                      // 8a          test al, al
            0x74, 0x12,                                      // 8c          jz done
            0x88, 0xc4,                                      // 8e          mov ah, al
            0x66, 0xba, 0xfd, 0x03,                          // 90          mov dx, 0x3fd
            0xec,                                            // 94 busy:    in al, dx
            0xa8, 0x20,                                      // 95          test al, 0x20
            0x74, 0xfb,                                      // 97          jz busy
            0xb2, 0xf8,                                      // 99          mov dl, 0xf8
            0x88, 0xe0,                                      // 9b          mov al, ah
            0xee,                                            // 9d          out dx, al
            0xeb, 0xe9,                                      // 9e          jmp next
            a, b, c, d,                                      // a0 done:
            0xf4,                                            // a4 halt:    hlt
            0xeb, 0xfd,                                      // a5          jmp halt
            // Data.
            0x1f, 0x00, 0xad, 0x7c, 0x00, 0x00,              // a7 gdtr:    limit 31, address gdt
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // ad gdt:     0x00: none
            0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00,  // b5          0x08: code, 32 bits, 4 GiB
            0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00,  // bd          0x10: data, 4 GiB
            0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xaf, 0x00,  // c5          0x18: code, 64 bits
        ];
        let mut sector = [0; SECTOR];
        sector[..CODE].copy_from_slice(&code);
        sector[CODE..CODE + text.len()].copy_from_slice(text);
        sector[SECTOR - 2..].copy_from_slice(&[0x55, 0xaa]);
        Some(Self { sector })
    }

    /// The first sector of a disk that boots it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.sector
    }

    /// Writes a raw disk image that boots it. Its size is 1 MiB, sparse: a BIOS reads the sector by cylinder,
    /// and SeaBIOS finds none on a disk of less than 16 heads times 63 sectors.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_disk(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&self.sector)?;
        file.set_len(DISK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_follows_the_code_and_the_signature_ends_the_sector() {
        let longest = vec![b'x'; BootSector::MAX_TEXT];
        let guest = BootSector::assemble(&longest, Then::Halt).unwrap();
        let bytes = guest.as_bytes();
        assert_eq!(bytes.len(), SECTOR);
        assert_eq!(&bytes[CODE..SECTOR - 3], longest.as_slice());
        assert_eq!(&bytes[SECTOR - 3..], [0, 0x55, 0xaa], "a NUL ends the text");
    }

    #[test]
    fn a_text_that_does_not_fit_or_ends_early_is_refused() {
        assert_eq!(BootSector::assemble(&vec![b'x'; BootSector::MAX_TEXT + 1], Then::Halt), None);
        assert_eq!(BootSector::assemble(b"a\0b", Then::Halt), None);
    }
}
