// SPDX-License-Identifier: BSD-2-Clause
//! What QEMU reports over QMP by itself.

use serde_json::Value;

/// What QEMU reports by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QmpEvent {
    /// The machine stops for good.
    Shutdown {
        /// The guest asked for it.
        by_guest: bool,
        /// qapi's ShutdownCause: `guest-reset`, `guest-shutdown`, `guest-panic`, `host-qmp-quit`, …
        reason: String,
    },
    /// The machine was reset and goes on.
    Reset {
        /// The guest asked for it.
        by_guest: bool,
    },
    /// A paravirtual panic device was told.
    GuestPanicked,
    /// The host could not do what the guest asked of its disk.
    DiskError {
        /// `read` or `write`, and the host's words.
        what: String,
        /// There was no room for it.
        full: bool,
    },
    /// A state that is saved or loaded has come further (the capability `events`).
    Migration {
        /// qapi's MigrationStatus: `active`, `completed`, `failed`, …
        status: String,
    },
    /// The virtual CPUs were stopped.
    Stop,
    /// The virtual CPUs run.
    Resume,
    /// Any other.
    Other {
        /// Name of the event.
        name: String,
    },
}

impl QmpEvent {
    /// The event that a message tells of; `None`: it is an answer.
    pub(super) fn of(message: &Value) -> Option<Self> {
        let name = message.get("event")?.as_str()?;
        let data = message.get("data");
        let by_guest = data.and_then(|data| data.get("guest")).and_then(Value::as_bool).unwrap_or_default();
        let text =
            |name: &str| data.and_then(|data| data.get(name)).and_then(Value::as_str).unwrap_or("unknown");
        let nospace = data.and_then(|data| data.get("nospace")).and_then(Value::as_bool).unwrap_or_default();
        Some(match name {
            // What became of it (`action`) makes no difference: a guest that got an error is not the one it was.
            "BLOCK_IO_ERROR" => {
                let what = format!("{}: {}", text("operation"), text("reason"));
                QmpEvent::DiskError { what, full: nospace }
            }
            "SHUTDOWN" => QmpEvent::Shutdown { by_guest, reason: text("reason").to_owned() },
            "MIGRATION" => QmpEvent::Migration { status: text("status").to_owned() },
            "RESET" => QmpEvent::Reset { by_guest },
            "GUEST_PANICKED" => QmpEvent::GuestPanicked,
            "STOP" => QmpEvent::Stop,
            "RESUME" => QmpEvent::Resume,
            other => QmpEvent::Other { name: other.to_owned() },
        })
    }
}
