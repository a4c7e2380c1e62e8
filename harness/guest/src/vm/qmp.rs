// SPDX-License-Identifier: BSD-2-Clause
//! QMP, QEMU's control protocol: one JSON object per line on a Unix socket.
//!
//! Source: QEMU's docs/interop/qmp-spec.rst. The server greets, `qmp_capabilities` ends the negotiation; then
//! each command gets `return` or `error` with the command's `id`, and events come at any time between.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest line that can be QMP, in bytes.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// Limit for an answer: QEMU answers from its main loop, which a busy host may delay.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

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

/// What can go wrong between us and QEMU.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The socket failed.
    #[error("qmp socket: {0}")]
    Io(#[from] io::Error),
    /// QEMU closed the connection, as it does when it ends.
    #[error("qemu closed its qmp socket")]
    Closed,
    /// No answer in time.
    #[error("qemu did not answer qmp command {command} within {} s", limit.as_secs())]
    Timeout {
        /// The QMP command that was sent.
        command: String,
        /// The time that the answer may take.
        limit: Duration,
    },
    /// QEMU rejected the command.
    #[error("qemu refused qmp command {command}: {description}")]
    Refused {
        /// The QMP command that was sent.
        command: String,
        /// QEMU's words.
        description: String,
    },
    /// The other end does not speak QMP.
    #[error("not qmp: {text}")]
    NotQmp {
        /// What came, shortened.
        text: String,
    },
}

/// A connection with the negotiation behind it.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    buffer: Vec<u8>,
    events: VecDeque<QmpEvent>,
    next_id: u64,
}

impl Qmp {
    /// Connects and negotiates.
    ///
    /// # Errors
    /// Nobody listens there (yet): [`QmpError::Io`]; or what answers is not QEMU.
    pub fn connect(socket: &Path) -> Result<Self, QmpError> {
        let stream = UnixStream::connect(socket)?;
        let mut qmp = Self { stream, buffer: Vec::new(), events: VecDeque::new(), next_id: 0 };
        let until = Instant::now() + ANSWER_LIMIT;
        let greeting = qmp
            .read_line(until)?
            .ok_or(QmpError::Timeout { command: "greeting".into(), limit: ANSWER_LIMIT })?;
        if greeting.get("QMP").is_none() {
            return Err(not_qmp(&greeting.to_string()));
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and returns what it returns. Events that come meanwhile are kept.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        self.execute_within(command, arguments, ANSWER_LIMIT)
    }

    /// Runs a command like [`execute`](Self::execute) that takes its time, such as `savevm`.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub fn execute_within(
        &mut self,
        command: &str,
        arguments: Value,
        limit: Duration,
    ) -> Result<Value, QmpError> {
        self.next_id += 1;
        let id = json!(self.next_id);
        let request = json!({ "execute": command, "arguments": arguments, "id": id });
        let until = Instant::now() + limit;
        self.stream.set_write_timeout(Some(limit))?;
        match self.stream.write_all(format!("{request}\n").as_bytes()) {
            Err(error) if is_closed(&error) => return Err(QmpError::Closed),
            other => other?,
        }
        loop {
            let timeout = || QmpError::Timeout { command: command.to_owned(), limit };
            let mut answer = self.read_line(until)?.ok_or_else(timeout)?;
            if answer.get("id") != Some(&id) {
                self.keep_event(&answer);
            } else if let Some(error) = answer.get("error") {
                let description = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
                return Err(QmpError::Refused {
                    command: command.to_owned(),
                    description: description.to_owned(),
                });
            } else {
                return Ok(answer.get_mut("return").map(Value::take).unwrap_or_default());
            }
        }
    }

    /// Runs a command of the human monitor, such as `savevm NAME` or `info usernet`, and returns its text.
    ///
    /// # Errors
    /// See [`QmpError`]; the monitor's own errors are in the text.
    pub fn human(&mut self, command_line: &str, limit: Duration) -> Result<String, QmpError> {
        let arguments = json!({ "command-line": command_line });
        let text = self.execute_within("human-monitor-command", arguments, limit)?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// The machine's state (qapi's RunState): `running`, `paused`, `prelaunch`, …
    ///
    /// # Errors
    /// See [`QmpError`].
    pub fn status(&mut self) -> Result<String, QmpError> {
        let status = self.execute("query-status", json!({}))?;
        let name = status.get("status").and_then(Value::as_str).map(str::to_owned);
        name.ok_or_else(|| not_qmp(&status.to_string()))
    }

    /// Lets the virtual CPUs run.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub fn cont(&mut self) -> Result<(), QmpError> {
        self.execute("cont", json!({})).map(drop)
    }

    /// Stops the virtual CPUs.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub fn stop(&mut self) -> Result<(), QmpError> {
        self.execute("stop", json!({})).map(drop)
    }

    /// Ends QEMU, which writes back what its block layer holds.
    ///
    /// # Errors
    /// See [`QmpError`]. That QEMU was gone before it could answer is none.
    pub fn quit(&mut self) -> Result<(), QmpError> {
        match self.execute("quit", json!({})) {
            Ok(_) | Err(QmpError::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The events so far, without waiting. Ends quietly when QEMU is gone.
    ///
    /// # Errors
    /// What came is not QMP, or the socket failed.
    pub fn events(&mut self) -> Result<Vec<QmpEvent>, QmpError> {
        loop {
            match self.read_line(Instant::now()) {
                Ok(Some(message)) => self.keep_event(&message),
                Ok(None) | Err(QmpError::Closed) => return Ok(self.events.drain(..).collect()),
                Err(error) => return Err(error),
            }
        }
    }

    fn keep_event(&mut self, message: &Value) {
        if let Some(event) = event(message) {
            self.events.push_back(event);
        }
    }

    /// The next message; `None` if it has not come by `until`.
    fn read_line(&mut self, until: Instant) -> Result<Option<Value>, QmpError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|_| not_qmp(&String::from_utf8_lossy(&line)));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(not_qmp(&String::from_utf8_lossy(&self.buffer)));
            }
            let left = until.saturating_duration_since(Instant::now());
            self.stream.set_nonblocking(left.is_zero())?;
            if !left.is_zero() {
                self.stream.set_read_timeout(Some(left))?;
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk);
            self.stream.set_nonblocking(false)?;
            match read {
                Ok(0) => return Err(QmpError::Closed),
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_closed(&error) => return Err(QmpError::Closed),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn not_qmp(text: &str) -> QmpError {
    QmpError::NotQmp { text: text.trim_end().chars().take(200).collect() }
}

fn event(message: &Value) -> Option<QmpEvent> {
    let name = message.get("event")?.as_str()?;
    let data = message.get("data");
    let by_guest = data.and_then(|data| data.get("guest")).and_then(Value::as_bool).unwrap_or_default();
    let text = |name: &str| data.and_then(|data| data.get(name)).and_then(Value::as_str).unwrap_or("unknown");
    let nospace = data.and_then(|data| data.get("nospace")).and_then(Value::as_bool).unwrap_or_default();
    Some(match name {
        // What became of it (`action`) makes no difference: a guest that got an error is not the one it was.
        "BLOCK_IO_ERROR" => {
            let what = format!("{}: {}", text("operation"), text("reason"));
            QmpEvent::DiskError { what, full: nospace }
        }
        "SHUTDOWN" => QmpEvent::Shutdown { by_guest, reason: text("reason").to_owned() },
        "RESET" => QmpEvent::Reset { by_guest },
        "GUEST_PANICKED" => QmpEvent::GuestPanicked,
        "STOP" => QmpEvent::Stop,
        "RESUME" => QmpEvent::Resume,
        other => QmpEvent::Other { name: other.to_owned() },
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;
    use std::thread::JoinHandle;

    use super::*;

    /// A QEMU that greets and then gives these answers, one per command it reads.
    fn fake(greeting: &'static str, answers: &'static [&'static str]) -> (tempfile::TempDir, JoinHandle<()>) {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(greeting.as_bytes()).unwrap();
            let mut commands = BufReader::new(stream.try_clone().unwrap()).lines();
            for answer in answers {
                let Some(Ok(_)) = commands.next() else { return };
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (dir, server)
    }

    const GREETING: &str = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";

    #[test]
    fn events_between_command_and_answer_are_kept() {
        let (dir, server) = fake(
            GREETING,
            &[
                "{\"return\": {}, \"id\": 1}\r\n",
                "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\r\n\
                 {\"event\": \"BLOCK_IO_ERROR\", \"data\": {\"device\": \"disk0\", \"operation\": \"write\", \
                 \"action\": \"stop\", \"nospace\": true, \"reason\": \"No space left on device\"}}\r\n\
                 {\"event\": \"BLOCK_IO_ERROR\"}\r\n{\"event\": \"NEW\"}\r\n{\"return\": {\"status\": \"running\"}, \"id\": 2}\r\n",
                "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 3}\r\n",
            ],
        );
        let mut qmp = Qmp::connect(&dir.path().join("s")).unwrap();
        assert_eq!(qmp.status().unwrap(), "running");
        assert_eq!(
            qmp.events().unwrap(),
            [
                QmpEvent::Shutdown { by_guest: true, reason: "guest-reset".into() },
                QmpEvent::DiskError { what: "write: No space left on device".into(), full: true },
                QmpEvent::DiskError { what: "unknown: unknown".into(), full: false },
                QmpEvent::Other { name: "NEW".into() }
            ]
        );
        let error = qmp.cont().unwrap_err();
        assert_eq!(error.to_string(), "qemu refused qmp command cont: no");
        server.join().unwrap();
        assert!(matches!(qmp.stop(), Err(QmpError::Closed)));
        assert_eq!(qmp.events().unwrap(), []);
    }

    #[test]
    fn something_that_is_not_qemu_is_refused() {
        for greeting in ["{\"hello\": 1}\r\n", "SSH-2.0-OpenSSH_9.2\r\n"] {
            let (dir, server) = fake(greeting, &[]);
            let error = Qmp::connect(&dir.path().join("s")).unwrap_err();
            assert!(matches!(error, QmpError::NotQmp { .. }), "{error}");
            server.join().unwrap();
        }
    }

    #[test]
    fn silence_ends_in_a_timeout_that_names_the_command() {
        let (dir, server) = fake(GREETING, &["{\"return\": {}, \"id\": 1}\r\n", ""]);
        let mut qmp = Qmp::connect(&dir.path().join("s")).unwrap();
        let copy = qmp.stream.try_clone().unwrap();
        let error = qmp.execute_within("savevm", json!({}), Duration::from_millis(20));
        match error {
            Err(QmpError::Timeout { command, .. }) => assert_eq!(command, "savevm"),
            // The fake may have ended before the limit.
            Err(QmpError::Closed) => {}
            other => panic!("{other:?}"),
        }
        drop(copy);
        server.join().unwrap();
    }
}
