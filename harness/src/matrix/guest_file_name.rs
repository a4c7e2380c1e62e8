// SPDX-License-Identifier: BSD-2-Clause
//! Names of the files that are kept of one guest.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// Separator between the cell and a guest's number.
const GUEST: &str = ".guest";

/// The name of the files of one guest, without their kind: `CELL` of a cell's first guest, `CELL.guest2` and so on of
/// those that ran beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuestFileName {
    /// The cell's part of the name: [`Cell::file_name`](super::Cell::file_name), in a joined report with the slice.
    pub cell: String,
    /// The guest's number, from 1.
    pub guest: usize,
}

impl fmt::Display for GuestFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.guest {
            1 => f.write_str(&self.cell),
            guest => write!(f, "{}{GUEST}{guest}", self.cell),
        }
    }
}

impl FromStr for GuestFileName {
    type Err = Infallible;

    /// Parses a name; every name belongs to a guest, and one without a number to the first.
    fn from_str(name: &str) -> Result<Self, Infallible> {
        let numbered = name.rsplit_once(GUEST).and_then(|(cell, number)| Some((cell, number.parse().ok()?)));
        let (cell, guest) = numbered.filter(|(_, guest)| *guest > 1).unwrap_or((name, 1));
        Ok(Self { cell: cell.to_owned(), guest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_names_a_guest_and_every_name_is_written_as_it_was_read() {
        for (name, cell, guest) in [
            ("freebsd-14.0-STABLE-stock", "freebsd-14.0-STABLE-stock", 1),
            ("freebsd-14.0-STABLE-stock.1-4.guest3", "freebsd-14.0-STABLE-stock.1-4", 3),
            ("freebsd-x.guests-stock", "freebsd-x.guests-stock", 1),
            ("a.guest1", "a.guest1", 1),
            ("a.guest2", "a", 2),
        ] {
            let read = GuestFileName::from_str(name).unwrap();
            assert_eq!((read.cell.as_str(), read.guest, read.to_string().as_str()), (cell, guest, name));
        }
    }
}
