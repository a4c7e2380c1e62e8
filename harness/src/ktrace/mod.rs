// SPDX-License-Identifier: BSD-2-Clause
//! Kernel traces: which way a request or an event took through the interface code.
//!
//! Probes ([`table`]) fire in the simulator, in the module, and by fbt in stock kernels.

mod event;
mod table;

pub use event::{Event, KernelTrace, Value, raw_args};
pub use table::{Arg, ArgType, Place, Probe, Redaction, Simple, Span, Stock, Table, table};
