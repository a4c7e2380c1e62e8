// SPDX-License-Identifier: BSD-2-Clause
//! QMP, QEMU's control protocol: one JSON object per line on a Unix socket.
//!
//! Source: QEMU's docs/interop/qmp-spec.rst. The server greets, `qmp_capabilities` ends the negotiation; then
//! each command gets `return` or `error` with the command's `id`, and events come at any time between.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::qmp_event::QmpEvent;

/// Longest line that can be QMP, in bytes.
const MAX_LINE: u64 = 4 * 1024 * 1024;
/// Limit for an answer: QEMU answers from its main loop, which a busy host may delay.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

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

/// A connection with the negotiation behind it. A task of its own reads: what QEMU reports by itself is heard whatever else
/// goes on.
#[derive(Debug)]
pub struct Qmp {
    to: OwnedWriteHalf,
    answers: UnboundedReceiver<Result<Value, QmpError>>,
    news: UnboundedReceiver<QmpEvent>,
    events: VecDeque<QmpEvent>,
    next_id: u64,
    _reader: AbortOnDropHandle<()>,
}

impl Qmp {
    /// Negotiates with what is at the other end.
    ///
    /// # Errors
    /// It is not QEMU, or it closed the connection.
    pub async fn negotiate(stream: UnixStream) -> Result<Self, QmpError> {
        let (from, to) = stream.into_split();
        let (answer, answers) = unbounded_channel();
        let (tell, news) = unbounded_channel();
        let reader = AbortOnDropHandle::new(tokio::spawn(listen(from, answer, tell)));
        let mut qmp = Self { to, answers, news, events: VecDeque::new(), next_id: 0, _reader: reader };
        let greeting = qmp.answer("greeting", ANSWER_LIMIT, |_| true).await?;
        if greeting.get("QMP").is_none() {
            return Err(not_qmp(&greeting.to_string()));
        }
        qmp.execute("qmp_capabilities", json!({})).await?;
        Ok(qmp)
    }

    /// Runs a command and returns what it returns. Events that come meanwhile are kept.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub async fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        self.execute_within(command, arguments, ANSWER_LIMIT).await
    }

    /// Runs a command like [`execute`](Self::execute) that takes its time, such as `savevm`.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub async fn execute_within(
        &mut self,
        command: &str,
        arguments: Value,
        limit: Duration,
    ) -> Result<Value, QmpError> {
        self.next_id += 1;
        let id = json!(self.next_id);
        let request = format!("{}\n", json!({ "execute": command, "arguments": arguments, "id": id }));
        let timed_out = |_| QmpError::Timeout { command: command.to_owned(), limit };
        match timeout(limit, self.to.write_all(request.as_bytes())).await.map_err(timed_out)? {
            Err(error) if is_closed(&error) => return Err(QmpError::Closed),
            other => other?,
        }
        // An answer to a command that timed out may come before.
        let mut answer = self.answer(command, limit, |answer| answer.get("id") == Some(&id)).await?;
        match answer.get("error") {
            Some(error) => {
                let description = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
                Err(QmpError::Refused { command: command.to_owned(), description: description.to_owned() })
            }
            None => Ok(answer.get_mut("return").map(Value::take).unwrap_or_default()),
        }
    }

    async fn answer(
        &mut self,
        command: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, QmpError> {
        let wait = async {
            loop {
                match self.answers.recv().await.unwrap_or(Err(QmpError::Closed)) {
                    Ok(answer) if !wanted(&answer) => {}
                    answer => return answer,
                }
            }
        };
        let timed_out = |_| QmpError::Timeout { command: command.to_owned(), limit };
        timeout(limit, wait).await.map_err(timed_out)?
    }

    /// Runs a command of the human monitor, such as `savevm NAME` or `info usernet`, and returns its text.
    ///
    /// # Errors
    /// See [`QmpError`]; the monitor's own errors are in the text.
    pub async fn human(&mut self, command_line: &str, limit: Duration) -> Result<String, QmpError> {
        let arguments = json!({ "command-line": command_line });
        let text = self.execute_within("human-monitor-command", arguments, limit).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// The machine's state (qapi's RunState): `running`, `paused`, `prelaunch`, …
    ///
    /// # Errors
    /// See [`QmpError`].
    pub async fn status(&mut self) -> Result<String, QmpError> {
        let status = self.execute("query-status", json!({})).await?;
        let name = status.get("status").and_then(Value::as_str).map(str::to_owned);
        name.ok_or_else(|| not_qmp(&status.to_string()))
    }

    /// Lets the virtual CPUs run.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub async fn cont(&mut self) -> Result<(), QmpError> {
        self.execute("cont", json!({})).await.map(drop)
    }

    /// Stops the virtual CPUs.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub async fn stop(&mut self) -> Result<(), QmpError> {
        self.execute("stop", json!({})).await.map(drop)
    }

    /// Ends QEMU, which writes back what its block layer holds.
    ///
    /// # Errors
    /// See [`QmpError`]. That QEMU was gone before it could answer is none.
    pub async fn quit(&mut self) -> Result<(), QmpError> {
        match self.execute("quit", json!({})).await {
            Ok(_) | Err(QmpError::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The events so far, without waiting.
    pub fn events(&mut self) -> Vec<QmpEvent> {
        while let Ok(event) = self.news.try_recv() {
            self.events.push_back(event);
        }
        self.events.drain(..).collect()
    }

    /// Waits for an event that nobody has waited for yet, and keeps it. Without end once QEMU is gone.
    pub(super) async fn event_came(&mut self) {
        match self.news.recv().await {
            Some(event) => self.events.push_back(event),
            None => std::future::pending().await,
        }
    }

    /// Waits for the next event of a state that is saved or loaded, and keeps those before it: its status.
    pub(super) async fn migration_event(&mut self) -> Result<String, QmpError> {
        loop {
            match self.news.recv().await {
                Some(QmpEvent::Migration { status }) => return Ok(status),
                Some(event) => self.events.push_back(event),
                None => return Err(QmpError::Closed),
            }
        }
    }
}

/// Reads until QEMU closes the connection, or says something that is not QMP.
async fn listen(
    from: OwnedReadHalf,
    answer: UnboundedSender<Result<Value, QmpError>>,
    tell: UnboundedSender<QmpEvent>,
) {
    let mut from = BufReader::new(from);
    loop {
        let message = match message(&mut from).await {
            Ok(message) => message,
            Err(error) => {
                // Nobody may wait for an answer.
                answer.send(Err(error)).ok();
                return;
            }
        };
        // Nobody listens any more if these fail: then this task is about to be ended.
        match QmpEvent::of(&message) {
            Some(event) => tell.send(event).ok(),
            None => answer.send(Ok(message)).ok(),
        };
    }
}

async fn message(from: &mut BufReader<OwnedReadHalf>) -> Result<Value, QmpError> {
    let mut line = Vec::new();
    match from.take(MAX_LINE).read_until(b'\n', &mut line).await {
        Ok(_) if line.ends_with(b"\n") => {
            serde_json::from_slice(&line).map_err(|_| not_qmp(&String::from_utf8_lossy(&line)))
        }
        Ok(_) if line.len() as u64 == MAX_LINE => Err(not_qmp(&String::from_utf8_lossy(&line))),
        // Half a line is no message.
        Ok(_) => Err(QmpError::Closed),
        Err(error) if is_closed(&error) => Err(QmpError::Closed),
        Err(error) => Err(error.into()),
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn not_qmp(text: &str) -> QmpError {
    QmpError::NotQmp { text: text.trim_end().chars().take(200).collect() }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;

    /// A QEMU that greets and then gives these answers, one per command it reads.
    fn fake(greeting: &'static str, answers: &'static [&'static str]) -> (UnixStream, JoinHandle<()>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let server = tokio::spawn(async move {
            theirs.write_all(greeting.as_bytes()).await.unwrap();
            let mut commands = BufReader::new(theirs).lines();
            for answer in answers {
                let Ok(Some(_)) = commands.next_line().await else { return };
                commands.get_mut().get_mut().write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (ours, server)
    }

    const GREETING: &str = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";

    #[tokio::test]
    async fn events_between_command_and_answer_are_kept() {
        let (stream, server) = fake(
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
        let mut qmp = Qmp::negotiate(stream).await.unwrap();
        assert_eq!(qmp.status().await.unwrap(), "running");
        assert_eq!(
            qmp.events(),
            [
                QmpEvent::Shutdown { by_guest: true, reason: "guest-reset".into() },
                QmpEvent::DiskError { what: "write: No space left on device".into(), full: true },
                QmpEvent::DiskError { what: "unknown: unknown".into(), full: false },
                QmpEvent::Other { name: "NEW".into() }
            ]
        );
        let error = qmp.cont().await.unwrap_err();
        assert_eq!(error.to_string(), "qemu refused qmp command cont: no");
        server.await.unwrap();
        assert!(matches!(qmp.stop().await, Err(QmpError::Closed)));
        assert_eq!(qmp.events(), []);
    }

    #[tokio::test]
    async fn an_event_wakes_who_waits_for_it_and_those_before_it_are_kept() {
        const ANSWERS: &[&str] = &["{\"return\": {}, \"id\": 1}\r\n{\"event\": \"RESUME\"}\r\n\
             {\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\r\n"];
        let (stream, server) = fake(GREETING, ANSWERS);
        let mut qmp = Qmp::negotiate(stream).await.unwrap();
        assert_eq!(qmp.migration_event().await.unwrap(), "completed");
        server.await.unwrap();
        assert!(matches!(qmp.migration_event().await, Err(QmpError::Closed)));
        assert_eq!(qmp.events(), [QmpEvent::Resume]);
    }

    #[tokio::test]
    async fn something_that_is_not_qemu_is_refused() {
        for greeting in ["{\"hello\": 1}\r\n", "SSH-2.0-OpenSSH_9.2\r\n"] {
            let (stream, server) = fake(greeting, &[]);
            let error = Qmp::negotiate(stream).await.unwrap_err();
            assert!(matches!(error, QmpError::NotQmp { .. }), "{error}");
            server.await.unwrap();
        }
    }

    #[tokio::test]
    async fn silence_ends_in_a_timeout_that_names_the_command() {
        let (stream, theirs) = UnixStream::pair().unwrap();
        let (mut from, mut to) = theirs.into_split();
        to.write_all(GREETING.as_bytes()).await.unwrap();
        to.write_all(b"{\"return\": {}, \"id\": 1}\r\n").await.unwrap();
        let mut qmp = Qmp::negotiate(stream).await.unwrap();
        let error = qmp.execute_within("savevm", json!({}), Duration::from_millis(20)).await.unwrap_err();
        assert!(matches!(&error, QmpError::Timeout { command, .. } if command == "savevm"), "{error:?}");
        // The late answer is not the next command's.
        to.write_all(b"{\"return\": 1, \"id\": 2}\r\n{\"return\": 2, \"id\": 3}\r\n").await.unwrap();
        assert_eq!(qmp.execute("query", json!({})).await.unwrap(), json!(2));
        assert!(from.read(&mut [0; 16]).await.unwrap() > 0);
    }
}
