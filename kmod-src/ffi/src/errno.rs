// SPDX-License-Identifier: BSD-2-Clause
//! Error numbers of C functions.

use core::ffi::c_int;

use iface_core::Errno;

/// 0 is success.
pub(crate) fn result(error: c_int) -> Result<(), Errno> {
    Errno::new(error).map_or(Ok(()), Err)
}

/// Success is 0.
pub(crate) fn number(result: Result<(), Errno>) -> c_int {
    result.map_or_else(Errno::number, |()| 0)
}
