// SPDX-License-Identifier: BSD-2-Clause
//! IFLA_INFO_DATA: what a request says to the driver of an interface.

use crate::attributes::{Attribute, AttributeSet, walk};
use crate::errno::Errno;
use crate::report::Report;

use nlproof_wire::consts::NLA_HDRLEN;

/// The payload of IFLA_INFO_DATA, which only the driver can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverData<'a> {
    bytes: &'a [u8],
    offset: usize,
    base: u64,
}

impl<'a> DriverData<'a> {
    pub(crate) fn of(attribute: &Attribute<'a>) -> Self {
        Self {
            bytes: attribute.data,
            offset: attribute.offset.saturating_add(NLA_HDRLEN),
            base: attribute.base,
        }
    }

    /// The bytes after the attribute's header. In memory the header stands before them.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// `nl_parse_nested`.
    pub(crate) fn read(&self, set: &mut impl AttributeSet<'a>, report: &mut Report) -> Result<(), Errno> {
        walk(self.bytes, self.offset, self.base, set, report)
    }
}
