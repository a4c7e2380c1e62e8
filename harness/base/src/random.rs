// SPDX-License-Identifier: BSD-2-Clause
//! Bytes that nobody can guess.

use std::fs::File;
use std::io::{self, Read as _};

/// Bytes of the system's random device.
///
/// # Errors
/// The device cannot be read.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_them_differ() {
        assert_ne!(random::<16>().unwrap(), random::<16>().unwrap());
    }
}
