// SPDX-License-Identifier: BSD-2-Clause
//! A guest of 512 bytes: prints a text on the first serial port and stops.
//!
//! It answers the question whether an accelerator runs guests at all, and stands in for FreeBSD where a
//! test needs a guest that boots in milliseconds and says exactly what it is told to.
//!
//! Facts: a BIOS loads the first sector of a disk to 0000:7c00 and jumps to it if it ends with 55 aa (BIOS
//! Boot Specification 1.01, 6.5.1); COM1 is at 0x3f8, its line status register 5 bytes above, where bit 5
//! says that the transmitter is empty (National PC16550D); writing V to QEMU's isa-debug-exit device ends
//! QEMU with status 2 V + 1 (hw/misc/debugexit.c).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The I/O port at which [`VmConfig::debug_exit`](super::VmConfig::debug_exit) places the device.
pub const DEBUG_EXIT_PORT: u8 = 0xf4;

/// Bytes of machine code in front of the text, see [`BootSector::assemble`].
const CODE: usize = 38;
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
            Then::Repeat => [0xeb, 0xe5, 0x90, 0x90],               // jmp start
        };
        #[rustfmt::skip]
        let code: [u8; CODE] = [
            0xfa,                        // 00         cli
            0x31, 0xc0,                  // 01         xor ax, ax
            0x8e, 0xd8,                  // 03         mov ds, ax
            0xfc,                        // 05         cld
            0xbe, CODE as u8, 0x7c,      // 06 start:  mov si, 0x7c00 + CODE
            0xac,                        // 09 next:   lodsb
            0x84, 0xc0,                  // 0a         test al, al
            0x74, 0x11,                  // 0c         jz done
            0x88, 0xc4,                  // 0e         mov ah, al
            0xba, 0xfd, 0x03,            // 10         mov dx, 0x3fd
            0xec,                        // 13 busy:   in al, dx
            0xa8, 0x20,                  // 14         test al, 0x20
            0x74, 0xfb,                  // 16         jz busy
            0xb2, 0xf8,                  // 18         mov dl, 0xf8
            0x88, 0xe0,                  // 1a         mov al, ah
            0xee,                        // 1c         out dx, al
            0xeb, 0xea,                  // 1d         jmp next
            a, b, c, d,                  // 1f done:
            0xf4,                        // 23 halt:   hlt
            0xeb, 0xfd,                  // 24         jmp halt
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
