// SPDX-License-Identifier: BSD-2-Clause
//! The control socket of a QEMU that starts, and the ports that it forwards.

use std::time::{Duration, Instant};

use tokio::net::UnixListener;

use super::config::HostPort;
use super::error::VmError;
use super::process::Supervised;
use super::qmp::{Qmp, QmpError};
use super::wait::Deadline;

/// Limit for QEMU to open its QMP socket, which it does before it loads anything.
pub(super) const QMP_LIMIT: Duration = Duration::from_secs(15);

/// Waits until QEMU calls, or finds out why it never will.
pub(super) async fn accept(
    qemu: &Supervised,
    listener: &UnixListener,
    port: Option<HostPort>,
    deadline: &Deadline,
) -> Result<(Instant, Qmp), VmError> {
    let called = async {
        let (stream, _) = listener.accept().await?;
        let called = Instant::now();
        Qmp::negotiate(stream).await.map(|qmp| (called, qmp))
    };
    let exit = tokio::select! {
        biased;
        exit = qemu.ended() => exit,
        error = deadline.over() => return Err(error.into()),
        called = called => match called {
            // QEMU calls first and may then find that something else is wrong.
            Err(QmpError::Closed) => deadline.bound(qemu.ended()).await?,
            called => return Ok(called?),
        },
    };
    let stderr = qemu.stderr();
    Err(match port {
        Some(HostPort::Fixed(port)) if stderr.contains("Could not set up host forwarding rule") => {
            VmError::PortTaken { port }
        }
        _ => VmError::Qemu { exit, stderr },
    })
}

/// The ports that the host's kernel picked for these of the guest, from lines such as
/// `  TCP[HOST_FORWARD]   3       127.0.0.1 44089       10.0.2.15    22     0     0`.
pub(super) async fn forwarded_ports<const N: usize>(
    qmp: &mut Qmp,
    guest: [u16; N],
) -> Result<[u16; N], VmError> {
    let shown = qmp.human("info usernet", QMP_LIMIT).await?;
    let ports = guest.map(|port| parse_forward(&shown, port));
    if ports.contains(&None) {
        return Err(VmError::NoForward { shown });
    }
    Ok(ports.map(Option::unwrap_or_default))
}

/// The host's port of the forward to this port of the guest.
fn parse_forward(shown: &str, guest: u16) -> Option<u16> {
    let forwards = shown.lines().filter(|line| line.trim_start().starts_with("TCP[HOST_FORWARD]"));
    forwards.map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|words| {
        let to = words.get(5)?.parse::<u16>().ok()?;
        (to == guest).then(|| words.get(3)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::super::config::AGENT_PORT;
    use super::*;

    #[test]
    fn the_forwarded_port_is_read_from_the_monitor() {
        let shown = "Hub -1 (net0):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ \
                     SendQ\r\n  TCP[HOST_FORWARD]   3       127.0.0.1 44089       10.0.2.15    22     0     0\r\n";
        assert_eq!(parse_forward(shown, 22), Some(44089));
        assert_eq!(parse_forward(shown, AGENT_PORT), None);
        assert_eq!(parse_forward("Hub -1 (net0):\r\n", 22), None);
    }
}
