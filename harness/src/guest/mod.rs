// SPDX-License-Identifier: BSD-2-Clause
//! The guest as seen over ssh: readiness, commands, files, and the agent.
//!
//! Every call takes the wait that bounds it and a [`Watch`](crate::vm::Watch) that notices when the guest
//! dies meanwhile.

mod agent;
mod connect;
mod direct;
mod error;
mod exec;
mod hostkey;
mod login;
mod ssh;
mod upload;

pub use agent::{AgentRun, Receiver, agent_path, install_agent, leave_agent, run_agent};
pub use connect::{SshKey, SshTarget};
pub use direct::Direct;
pub use error::SshError;
pub use exec::{ExecOutput, ExecStatus, Output};
pub use hostkey::HostKey;
pub use login::Login;
pub use ssh::Ssh;
