// SPDX-License-Identifier: BSD-2-Clause
//! Files and directories into a guest and out of it, as tar(1) archives over ssh.

mod entry;
mod error;
mod into;
mod out;
mod pack;

pub use error::CopyError;
pub use into::CopyIn;
pub use out::{Collected, CopyOut};

use std::io::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use super::exec::Output;
use super::input::Stdin;
use super::session::Ssh;
use super::words::{for_login_shell, quoted};
use crate::vm::{Wait, Watch};

/// Limit for a copy into a guest, on top of the time that its bytes take.
const LIMIT: Duration = Duration::from_secs(30);
/// Bytes that a guest with hardware virtualisation takes or gives in a second, at the very least.
const BYTES_PER_SECOND: u64 = 1 << 20;
/// Limit for a copy out of a guest, the size of which is not known beforehand.
const OUT_LIMIT: Duration = Duration::from_secs(600);
/// Most bytes kept of what a guest says about a copy.
const WORDS: usize = 4096;

impl Ssh {
    /// Puts a file or directory into the guest. Its path there.
    ///
    /// # Errors
    /// The guest has no room or no such place, a file here cannot be read any more, or the connection broke.
    pub async fn put(&self, copy: &CopyIn, watch: &mut impl Watch) -> Result<String, CopyError> {
        let directory = copy.is_into() || self.is_directory(copy.place(), watch).await?;
        let (directory, name) = copy.target(directory);
        let kib = copy.bytes().div_ceil(1024);
        let script = format!(
            "mkdir -p {dir} && cd {dir} || exit 1; set -- $(df -kP . | tail -n 1); \
             [ \"$4\" -ge {kib} ] || {{ echo \"it takes {kib} KiB, and $4 KiB are free\" >&2; exit 1; }}; \
             exec tar -xpof -",
            dir = quoted(&directory)
        );
        let path = format!("{}/{}", directory.trim_end_matches('/'), name.to_string_lossy());
        let wait = wait(format!("{path} to be written in the guest"), copy.bytes());
        self.transfer(&script, &mut copy.pack(&name), &path, &wait, watch, &mut |_| Ok(())).await?;
        Ok(path)
    }

    /// Brings a file or directory out of the guest.
    ///
    /// # Errors
    /// The guest has none of that name, it is larger than is allowed, this machine has no room, or the connection broke.
    /// Nothing is changed here then.
    pub async fn get(&self, copy: &CopyOut, watch: &mut impl Watch) -> Result<Collected, CopyError> {
        let path = copy.guest_path();
        let script = format!(
            "p=$(readlink -f {word}) && [ -e \"$p\" ] || {{ echo 'no such file or directory' >&2; exit 1; }}; \
             cd \"$(dirname \"$p\")\" && exec tar -cf - \"./$(basename \"$p\")\"",
            word = quoted(path)
        );
        let wait = Wait::new(format!("{path} to be read in the guest"), OUT_LIMIT);
        let mut spool = copy.spool()?;
        let mut take = |bytes: &[u8]| spool.write(bytes);
        self.transfer(&script, &mut std::io::empty(), path, &wait, watch, &mut take).await?;
        spool.unpack()
    }

    async fn is_directory(&self, path: &str, watch: &mut impl Watch) -> Result<bool, CopyError> {
        let command = for_login_shell(&format!("test -d {}", quoted(path)));
        let wait = wait(format!("a look at {path} in the guest"), 0);
        Ok(self.run(&command, &wait, watch).await?.status.is_success())
    }

    /// Runs a script that reads an archive or writes one.
    async fn transfer(
        &self,
        script: &str,
        stdin: &mut impl Stdin,
        path: &str,
        wait: &Wait,
        watch: &mut impl Watch,
        take: &mut dyn FnMut(&[u8]) -> Result<(), CopyError>,
    ) -> Result<(), CopyError> {
        let (mut words, mut refused) = (Vec::new(), None);
        let mut hear = |output: Output<'_>| match output {
            Output::Stdout(bytes) => match take(bytes) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    refused = Some(error);
                    ControlFlow::Break(())
                }
            },
            Output::Stderr(bytes) => {
                let room = WORDS.saturating_sub(words.len());
                // A write to a Vec does not fail.
                words.write_all(&bytes[..bytes.len().min(room)]).ok();
                ControlFlow::Continue(())
            }
        };
        let run = self.exec(&for_login_shell(script), stdin, wait, watch, &mut hear).await;
        if let Some(error) = refused {
            return Err(error);
        }
        let status = run.map_err(CopyError::of_ssh)?;
        if status.is_success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        let words = if words.is_empty() { status.to_string() } else { words };
        Err(CopyError::Guest { path: path.to_owned(), words })
    }
}

fn wait(name: String, bytes: u64) -> Wait {
    Wait::new(name, LIMIT + Duration::from_secs(bytes / BYTES_PER_SECOND))
}
