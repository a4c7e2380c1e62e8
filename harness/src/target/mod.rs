// SPDX-License-Identifier: BSD-2-Clause
//! What vectors run against. A target takes a batch of programs and reports what happened, record by
//! record; what the records mean is the business of the rooms above.

mod agents;
mod developer;
mod endurance;
mod error;
mod facts;
mod freebsd;
mod link;
mod linux;
mod loaded;
mod module;
mod provision;
