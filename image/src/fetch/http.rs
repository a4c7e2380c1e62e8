// SPDX-License-Identifier: BSD-2-Clause
//! One GET, read on a blocking thread of the runtime, so that a wait for bytes can be cancelled.

use std::{io::Read as _, time::Duration};

use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
};
use ureq::{
    Agent,
    http::{HeaderMap, header},
    tls::{RootCerts, TlsConfig, TlsProvider},
};

use super::broken::Broken;

/// Bytes read and handed over at a time, and how many such pieces may wait.
const CHUNK: usize = 1 << 17;
const CHUNKS: usize = 16;

/// Asks mirrors.
#[derive(Debug, Clone)]
pub(super) struct Http {
    agent: Agent,
}

/// Parts of an answer to a GET, in this order: one head, then data, then its end; or, at any time, a failure.
pub(super) enum Piece {
    Head(Head),
    Data(Vec<u8>),
    End,
}

/// The head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Length of this body in bytes.
    pub(super) length: Option<u64>,
    /// Of a part: its first byte.
    pub(super) from: Option<u64>,
    /// Of a part: length of the whole file in bytes.
    pub(super) of: Option<u64>,
    /// How long the server asks to wait before the next request.
    pub(super) retry_after: Option<Duration>,
}

impl Http {
    /// `silence`: how long a server may say nothing before the connection counts as dead.
    pub(super) fn new(silence: Duration) -> Self {
        // Whom the machine trusts: a company's proxy has an authority of its own.
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .user_agent(concat!("nlproof/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(silence))
            .timeout_connect(Some(silence))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .build();
        Self { agent: config.into() }
    }

    /// Begins a GET of the bytes of `url` from `from` on. `fresh`: no cache on the way may answer. An error says why
    /// nothing more comes.
    pub(super) fn get(&self, url: &str, from: u64, fresh: bool) -> Receiver<Result<Piece, Broken>> {
        let (sender, receiver) = channel(CHUNKS);
        let mut request = self.agent.get(url).header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        if fresh {
            request = request.header(header::CACHE_CONTROL, "no-cache");
        }
        spawn_blocking(move || {
            if let Err(cause) = read(request, &sender) {
                // Whoever no longer listens does not want to know.
                sender.blocking_send(Err(cause)).ok();
            }
        });
        receiver
    }
}

fn read(
    request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
    to: &Sender<Result<Piece, Broken>>,
) -> Result<(), Broken> {
    let response = request.call().map_err(Box::new)?;
    let head = Head::of(response.status().as_u16(), response.headers());
    if to.blocking_send(Ok(Piece::Head(head))).is_err() {
        return Ok(());
    }
    let mut body = response.into_body().into_reader();
    loop {
        let mut chunk = vec![0; CHUNK];
        let n = body.read(&mut chunk)?;
        chunk.truncate(n);
        let piece = if n == 0 { Piece::End } else { Piece::Data(chunk) };
        if to.blocking_send(Ok(piece)).is_err() || n == 0 {
            return Ok(());
        }
    }
}

impl Head {
    fn of(status: u16, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let (from, of) = text(header::CONTENT_RANGE).map_or((None, None), content_range);
        Self {
            status,
            length: text(header::CONTENT_LENGTH).and_then(|value| value.parse().ok()),
            from,
            of,
            // The form with a date is rare, and a pause of our own is as good.
            retry_after: text(header::RETRY_AFTER)
                .and_then(|value| value.parse().ok())
                .map(Duration::from_secs),
        }
    }
}

/// First byte and whole length from `bytes 10-99/100`, `bytes */100` or `bytes 10-99/*`.
fn content_range(value: &str) -> (Option<u64>, Option<u64>) {
    let Some((range, whole)) = value.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')) else {
        return (None, None);
    };
    let from = range.split_once('-').and_then(|(from, _)| from.trim().parse().ok());
    (from, whole.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_in_all_its_forms() {
        assert_eq!(content_range("bytes 10-99/100"), (Some(10), Some(100)));
        assert_eq!(content_range("bytes */100"), (None, Some(100)));
        assert_eq!(content_range("bytes 10-99/*"), (Some(10), None));
        for other in ["", "bytes", "items 1-2/3", "bytes x-y/z"] {
            assert_eq!(content_range(other), (None, None), "{other}");
        }
    }
}
