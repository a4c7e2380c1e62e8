// SPDX-License-Identifier: BSD-2-Clause
//! Virtual machines: QEMU x86_64 under a supervisor, its control socket and its serial console.
//!
//! [`Vm::start`] is the way in. Nothing outlives the harness: QEMU is a child of a supervisor
//! ([`supervise_main`]) that holds a pipe from the harness, and whatever ends the harness closes that pipe.

mod accel;
mod accelerator_kind;
mod arguments;
mod bootsector;
mod card_job;
mod cards;
mod config;
mod console;
mod control;
mod death;
mod disk;
mod error;
mod event_log;
mod gdbstub;
mod growth;
mod hostdisk;
mod lines;
mod machine;
mod outcome;
mod panic;
mod process;
mod qmp;
mod qmp_event;
mod record;
mod remembered;
mod replayed;
mod rest;
mod rundir;
mod serial;
mod silence;
mod snapshot;
mod stack;
mod stated_hang;
mod supervisor;
mod threads;
mod tools;
mod verdict;
mod wait;
mod with_cards;

pub use accel::{AccelError, Accelerator, SelectedAccelerator, choose_accelerator};
pub use accelerator_kind::AcceleratorKind;
pub use arguments::CommandLine;
pub use bootsector::{BootSector, DEBUG_EXIT_PORT, Then, debug_exit_status};
pub use card_job::{CardJob, NewCard};
pub use cards::{CardRack, device_models};
pub use config::{AGENT_PORT, HostPort, MemoryFile, TranslationLog, VmConfig};
pub use console::{Console, ConsoleEvent};
pub use death::{Death, Exception, Handler};
pub use disk::{Disk, DiskWrites, Seed};
pub use error::VmError;
pub use event_log::{BadLog, EventLog, LogUse, log_version};
pub use gdbstub::{Registers, StubError};
pub use hostdisk::{CACHE_REMEDY, HostDisk, TEMPORARY_REMEDY, overlay_directory};
pub use machine::{Launched, Vm};
pub use outcome::{Busy, GuestFailure, NoWatch, Watch};
pub use panic::without_build;
pub use panic::{Frame, Panic};
pub use process::QemuExit;
pub use qmp::{Qmp, QmpError};
pub use qmp_event::QmpEvent;
pub use record::{NoRecorder, Recorder};
pub use remembered::remembered_accelerator;
pub use replayed::{Replay, ReplayError, Stop};
pub use rundir::RunDir;
pub use serial::SerialLog;
pub use snapshot::{SnapshotError, create_overlay, machine_identity, restore, save};
pub use stated_hang::StatedHang;
pub use supervisor::{SUPERVISE, supervise_main};
pub use threads::{Thread, ThreadPlaces};
pub use tools::{ToolError, Tools};
pub use wait::{Deadline, Expired, Patience, Wait, WaitError};
pub use with_cards::WithCards;
