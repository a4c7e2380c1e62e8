// SPDX-License-Identifier: BSD-2-Clause
//! The guest as seen over ssh: readiness, commands, files, and the agent.
//!
//! Every call takes the wait that bounds it and a [`Watch`](crate::vm::Watch) that notices when the guest
//! dies meanwhile.

mod agent;
mod connect;
mod copy;
mod direct;
mod error;
mod exec;
mod hostkey;
mod input;
mod login;
mod session;
mod upload;
mod words;

pub use agent::{AgentRun, Receiver, agent_path, install_agent, run_agent, start_listener};
pub use connect::{SshKey, SshTarget};
pub use copy::{Collected, CopyError, CopyIn, CopyOut};
pub use direct::Direct;
pub use error::SshError;
pub use exec::{ExecOutput, ExecStatus, Output};
pub use hostkey::HostKey;
pub use input::{LiveInput, Stdin};
pub use login::Login;
pub use session::Ssh;
pub use words::{for_login_shell, quoted, script};
