// SPDX-License-Identifier: BSD-2-Clause
//! Sparse files as bsdtar stores them: the "1.0" form of GNU's pax extension.
//!
//! The `tar` crate knows the older forms only. In this one the pax header holds
//! `GNU.sparse.{major,minor,name,realsize}`, and the entry's data begin with a map in decimal lines
//! (number of ranges, then offset and length of each), padded to 512 bytes, followed by the ranges.
//! See "Storing Sparse Files" in the GNU tar manual.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
};

/// What the pax header of a sparse file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PaxSparse {
    pub(crate) major: Option<u64>,
    pub(crate) minor: Option<u64>,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) real_size: Option<u64>,
}

/// A sparse file in a form that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is a sparse file in version {major}.{minor} of the pax form, which is not supported")]
pub(crate) struct UnknownSparse {
    major: u64,
    minor: u64,
}

impl PaxSparse {
    /// What the pax header of this entry says.
    pub(crate) fn of<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Self> {
        let mut sparse = Self::default();
        if let Some(records) = entry.pax_extensions()? {
            for record in records {
                let record = record?;
                sparse.note(record.key_bytes(), record.value_bytes());
            }
        }
        Ok(sparse)
    }

    /// Takes note of one record of a pax header, if it is about sparse files.
    pub(crate) fn note(&mut self, key: &[u8], value: &[u8]) {
        let number = || str::from_utf8(value).ok()?.parse().ok();
        match key {
            b"GNU.sparse.major" => self.major = number(),
            b"GNU.sparse.minor" => self.minor = number(),
            b"GNU.sparse.realsize" => self.real_size = number(),
            b"GNU.sparse.name" => self.name = Some(value.to_vec()),
            // The 0.x forms have none of the above; a version that no reader has must not be misread.
            b"GNU.sparse.map" | b"GNU.sparse.numblocks" => self.major = Some(0),
            _ => {}
        }
    }

    /// Whether the entry is a sparse file in this form, or why it cannot be read.
    pub(crate) fn is_sparse(&self) -> Result<bool, UnknownSparse> {
        match (self.major, self.minor) {
            (None, _) => Ok(false),
            (Some(1), Some(0)) if self.real_size.is_some() => Ok(true),
            (major, minor) => Err(UnknownSparse { major: major.unwrap_or(0), minor: minor.unwrap_or(0) }),
        }
    }
}

/// Reads the map at the start of a sparse file's data: offset and length of each range.
pub(crate) fn read_map(data: &mut impl Read) -> io::Result<Vec<(u64, u64)>> {
    let mut consumed = 0;
    let count = read_number(data, &mut consumed)?;
    // A map of a million ranges is a lie, or a file that has no place in a base system.
    if count > 1 << 20 {
        return Err(invalid("has too many ranges"));
    }
    let mut map = Vec::new();
    for _ in 0..count {
        map.push((read_number(data, &mut consumed)?, read_number(data, &mut consumed)?));
    }
    let padding = consumed.next_multiple_of(512) - consumed;
    io::copy(&mut data.take(padding), &mut io::sink())?;
    Ok(map)
}

/// Gives `file` its size and moves it to each range in turn for `copy` to fill.
pub(crate) fn expand(
    file: &mut File,
    real_size: u64,
    map: &[(u64, u64)],
    mut copy: impl FnMut(&mut File, u64) -> io::Result<()>,
) -> io::Result<()> {
    file.set_len(real_size)?;
    for &(offset, length) in map {
        if offset.checked_add(length).is_none_or(|end| end > real_size) {
            return Err(invalid("has a range beyond the end of the file"));
        }
        file.seek(SeekFrom::Start(offset))?;
        copy(file, length)?;
    }
    Ok(())
}

fn read_number(data: &mut impl Read, consumed: &mut u64) -> io::Result<u64> {
    let mut number: u64 = 0;
    for digits in 0.. {
        let mut byte = [0];
        data.read_exact(&mut byte)?;
        *consumed += 1;
        match byte[0] {
            b'\n' if digits > 0 => return Ok(number),
            digit @ b'0'..=b'9' if digits < 19 => number = number * 10 + u64::from(digit - b'0'),
            _ => break,
        }
    }
    Err(invalid("is not made of decimal lines"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the map of the sparse file {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_with_its_padding() {
        let mut data = b"2\n0\n3\n4096\n5\n".to_vec();
        data.resize(512, 0);
        data.extend_from_slice(b"abcdefgh");
        let mut rest = &data[..];
        assert_eq!(read_map(&mut rest).unwrap(), [(0, 3), (4096, 5)]);
        assert_eq!(rest, b"abcdefgh");
        let mut file = tempfile::tempfile().unwrap();
        expand(&mut file, 5000, &[(0, 3), (4096, 5)], |file, length| {
            io::copy(&mut (&mut rest).take(length), file).map(|_| ())
        })
        .unwrap();
        let mut contents = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut contents).unwrap();
        assert_eq!(
            (contents.len(), &contents[..4], &contents[4095..4102]),
            (5000, &b"abc\0"[..], &b"\0defgh\0"[..])
        );
    }

    #[test]
    fn maps_that_lie_are_refused() {
        for map in ["\n", "x\n", "99999999999999999999\n", "2000000\n", "1\n5\n"] {
            assert!(read_map(&mut map.as_bytes()).is_err(), "{map:?}");
        }
        let mut file = tempfile::tempfile().unwrap();
        assert!(expand(&mut file, 10, &[(8, 3)], |_, _| Ok(())).is_err());
        assert!(expand(&mut file, 10, &[(u64::MAX, 3)], |_, _| Ok(())).is_err());
    }

    #[test]
    fn other_versions_are_refused_by_name() {
        let mut pax = PaxSparse::default();
        assert_eq!(pax.is_sparse(), Ok(false));
        pax.note(b"GNU.sparse.map", b"0,1");
        assert!(pax.is_sparse().unwrap_err().to_string().contains("version 0.0"));
        for (key, value) in [("major", "1"), ("minor", "0"), ("realsize", "10")] {
            pax.note(format!("GNU.sparse.{key}").as_bytes(), value.as_bytes());
        }
        assert_eq!(pax.is_sparse(), Ok(true));
    }
}
