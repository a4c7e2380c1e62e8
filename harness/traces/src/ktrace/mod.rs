// SPDX-License-Identifier: BSD-2-Clause
//! Kernel traces: the way that a request or an event took through the interface code.
//!
//! Probes ([`table`]) fire in the simulator, in the module, and by fbt in stock kernels. Their records
//! ([`KernelTrace`]) are checked against the rules of every trace ([`check`]), and normalised ([`normalise`]) to the
//! text of goldens ([`KernelTrace::to_text`]).

mod dtrace;
mod dtrace_line;
mod event;
mod heard;
mod invariants;
mod live;
mod passes;
mod perfetto;
mod render;
mod rule;
mod script;
mod side_by_side;
mod spans;
mod table;

pub use dtrace::DtraceLog;
pub(crate) use event::from_raw_args;
pub use event::{Event, KernelTrace, OwnFiring, Value, raw_args};
pub use invariants::{check, check_stock};
pub use live::{Said, live, matches};
pub use passes::{Program, normalise};
pub use perfetto::{Moment, Voice, perfetto};
pub use rule::{Rule, Violation};
pub use script::{Followed, Script};
pub use side_by_side::{Row, comparable, comparable_places, side_by_side, uncompared};
pub use spans::{Spent, aggregate, folded, spans};
pub use table::{Arg, ArgType, Probe, ProbePoint, Redaction, Simple, Span, Stock, Table, table};

/// The suites whose vectors have a golden of the kernel's part too, beside that of what is said.
pub const SUITES: [&str; 5] = ["link", "addr", "event", "hardware", "faultnic"];

/// Whether a vector has a golden of the kernel's part. A race has none, whatever its suite: what its kernel does is another thing
/// each time.
pub fn has_golden(vector: &str) -> bool {
    vector.split_once('/').is_some_and(|(suite, name)| SUITES.contains(&suite) && !name.starts_with("race-"))
}
