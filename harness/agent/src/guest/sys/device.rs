// SPDX-License-Identifier: BSD-2-Clause
//! Devices of the kernel, as devinfo(3) sees them: `hw.bus.info` and `hw.bus.devices` (sys/kern/subr_bus.c).
#![expect(unsafe_code, reason = "system calls that read and write through pointers")]

use alloc::vec;

use super::abi::number;
use super::raw::syscall;
use super::{Errno, errno, sysctl};

/// The state of a device with which its driver has done attaching: `DS_ATTACHED` (sys/sys/bus.h).
pub(crate) const ATTACHED: u32 = 30;
/// Offsets in `struct u_device` (sys/sys/bus.h): two pointers, flags of four and two bytes, the state, then the name as
/// the first of the texts.
const DV_STATE: usize = 24;
const DV_FIELDS: usize = 28;
/// Size of the structure: the texts have 3 KiB.
const U_DEVICE: usize = DV_FIELDS + 3 * 1024 + 4;

/// The place of the location among the texts: name, description, driver, plug and play information, location.
const LOCATION: usize = 4;

/// The state of the device of that name; `None`: there is none.
///
/// # Errors
/// The kernel's number.
pub(crate) fn state(name: &str) -> Result<Option<u32>, Errno> {
    find(|texts| texts.split(|byte| *byte == 0).next() == Some(name.as_bytes()))
}

/// Whether the kernel has a device in a slot of a PCI bus, with a driver or without: `pci0:0:28:0`.
///
/// # Errors
/// The kernel's number.
pub(crate) fn is_at(selector: &str) -> Result<bool, Errno> {
    find(|texts| is_located(texts, selector)).map(|state| state.is_some())
}

/// Whether a device's location is that slot: `slot=28 function=0 dbsf=pci0:0:28:0 handle=...` (sys/dev/pci/pci.c).
fn is_located(texts: &[u8], selector: &str) -> bool {
    let location = texts.split(|byte| *byte == 0).nth(LOCATION).unwrap_or_default();
    let mut words = location.split(|byte| *byte == b' ');
    words.any(|word| word.strip_prefix(b"dbsf=") == Some(selector.as_bytes()))
}

/// The state of the first device whose texts are the wanted ones.
fn find(is_wanted: impl Fn(&[u8]) -> bool) -> Result<Option<u32>, Errno> {
    let mut devices = [0i32; 6];
    let depth = number_of("hw.bus.devices", &mut devices)?;
    let mut buffer = vec![0; U_DEVICE];
    'again: loop {
        // `struct u_businfo`: version, generation.
        let mut info = [0; 8];
        sysctl::read("hw.bus.info", &mut info)?;
        let [_, _, _, _, generation @ ..] = info;
        for index in 0.. {
            let mut oid = devices;
            if let Some([first, second]) = oid.get_mut(depth..depth + 2) {
                (*first, *second) = (i32::from_le_bytes(generation), index);
            }
            match ask(oid.get(..depth + 2).unwrap_or_default(), &mut buffer, &[]) {
                Ok(_) => {}
                // The tree has changed.
                Err(errno::EINVAL) => continue 'again,
                Err(errno::ENOENT) => return Ok(None),
                Err(errno) => return Err(errno),
            }
            let fields = buffer.get(DV_FIELDS..).unwrap_or_default();
            if is_wanted(fields) {
                let state = buffer.get(DV_STATE..).and_then(<[u8]>::first_chunk).copied();
                return Ok(state.map(u32::from_le_bytes));
            }
        }
    }
}

/// The numbers of a name (sys/kern/kern_sysctl.c `CTL_SYSCTL_NAME2OID`) and how many there are.
fn number_of(name: &str, numbers: &mut [i32; 6]) -> Result<usize, Errno> {
    let mut bytes = [0; 24];
    let len = ask(&[0, 3], &mut bytes, name.as_bytes())?;
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *number = i32::from_le_bytes(*bytes);
    }
    Ok((len / 4).min(numbers.len() - 2))
}

fn ask(oid: &[i32], buffer: &mut [u8], new: &[u8]) -> Result<usize, Errno> {
    let mut len = buffer.len();
    let (old, old_len) = (buffer.as_mut_ptr() as usize, &raw mut len as usize);
    let (name, count) = (oid.as_ptr() as usize, oid.len());
    let new_at = if new.is_empty() { 0 } else { new.as_ptr() as usize };
    // SAFETY: the kernel reads `count` ints of the name and `new.len()` bytes of the new value, writes at most `len` bytes to
    // the buffer, and the length; all of them outlive the call.
    unsafe { syscall(number::SYSCTL, [name, count, old, old_len, new_at, new.len()])? };
    Ok(len.min(buffer.len()))
}
