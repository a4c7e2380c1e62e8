// SPDX-License-Identifier: BSD-2-Clause
//! The protocol as tables: which message has which header and attributes, and what they are called.
//!
//! Names are the kernel headers' own in lower case without prefix: `RTM_NEWLINK` is `newlink`,
//! `IFLA_IFNAME` is `ifname`, `NLM_F_REQUEST` is `request`. The vector compiler, the text renderer and
//! `decode` all read these tables, so that a name means the same in each. Where a name is looked up, the headers' own
//! spelling is understood too.

mod ack;
mod addr;
mod attr;
mod caps;
mod flags;
mod header;
mod link;
mod message;
mod names;
mod values;
mod vf;

pub use attr::{AttrKind, AttrSpec, AttrTable, ByKind};
pub use caps::{capabilities, capability, capability_names};
pub use flags::{Flag, FlagPart, flag_by_name, flag_parts, if_flags, ifa_flags, in6_flags, nlm_flags};
pub use header::{FieldKind, HeaderField, HeaderSpec};
pub use message::{Layout, Message, message, message_by_name, messages};
pub use names::bare_name;
pub(crate) use names::spells;
pub use values::{
    Value, group_name, group_number, groups, link_type_name, link_type_number, link_types, operstate_name,
    operstate_number, operstates, scope_name, scope_number, scopes,
};
