// SPDX-License-Identifier: BSD-2-Clause
//! A mirror with faults, on the loopback interface.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use nlproof_image::{FetchEvent, Fetcher, Limits};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// What is done with one request. The last one for a path holds for all further requests.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The file, or the part that was asked for.
    File(Vec<u8>),
    /// This many bytes of the answer, then the connection is cut.
    Cut(Vec<u8>, usize),
    /// The whole file, whatever part was asked for.
    NoRanges(Vec<u8>),
    /// A part that was not asked for.
    WrongRange(Vec<u8>),
    /// The file, with another Content-Length.
    Length(Vec<u8>, u64),
    /// No file, with this status.
    Status(u16, Option<u64>),
    /// Nothing, until the client goes.
    Silence,
    /// The file slowly: this many bytes at a time, with a pause between.
    Slow(Vec<u8>, usize, Duration),
}

/// A request: path, and the first byte asked for.
pub(crate) type Request = (String, u64);

pub(crate) struct Server {
    address: SocketAddr,
    answers: Arc<Mutex<BTreeMap<String, Vec<Answer>>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, requests) = (Arc::default(), Arc::default());
        let server = Self { address, answers, requests };
        let (answers, requests) = (Arc::clone(&server.answers), Arc::clone(&server.requests));
        // The thread ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, requests) = (Arc::clone(&answers), Arc::clone(&requests));
                thread::spawn(move || serve(stream, &answers, &requests));
            }
        });
        server
    }

    /// The answers to requests for `path`, in their order.
    pub(crate) fn on(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().insert(path.to_owned(), answers.into_iter().collect());
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests for `path` so far: the first byte that each asked for.
    pub(crate) fn asked(&self, path: &str) -> Vec<u64> {
        self.requests
            .lock()
            .unwrap()
            .iter()
            .filter(|(asked, _)| asked == path)
            .map(|(_, from)| *from)
            .collect()
    }
}

fn serve(
    mut stream: TcpStream,
    answers: &Mutex<BTreeMap<String, Vec<Answer>>>,
    requests: &Mutex<Vec<Request>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split_whitespace().nth(1)?.to_owned();
    let lower = head.to_ascii_lowercase();
    let from = lower.split_once("range: bytes=").and_then(|(_, rest)| rest.split_once('-')?.0.parse().ok());
    requests.lock().ok()?.push((path.clone(), from.unwrap_or(0)));
    let answer = {
        let mut answers = answers.lock().ok()?;
        let queue = answers.entry(path).or_default();
        if queue.len() > 1 {
            queue.remove(0)
        } else {
            queue.first().cloned().unwrap_or(Answer::Status(404, None))
        }
    };
    respond(&mut stream, answer, from).ok()
}

fn respond(stream: &mut TcpStream, answer: Answer, from: Option<u64>) -> std::io::Result<()> {
    match answer {
        Answer::File(body) => {
            let rest = part(stream, &body, from)?;
            stream.write_all(rest)
        }
        Answer::Cut(body, after) => {
            let rest = part(stream, &body, from)?;
            stream.write_all(&rest[..after.min(rest.len())])
        }
        Answer::NoRanges(body) => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
            stream.write_all(&body)
        }
        Answer::WrongRange(body) => {
            let head = format!("Content-Range: bytes 1-{}/{}", body.len() - 1, body.len());
            let length = body.len() - 1;
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            )?;
            stream.write_all(&body[1..])
        }
        Answer::Length(body, length) => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
            stream.write_all(&body)
        }
        Answer::Status(status, retry_after) => {
            let retry = retry_after.map_or(String::new(), |seconds| format!("Retry-After: {seconds}\r\n"));
            write!(stream, "HTTP/1.1 {status} No\r\n{retry}Content-Length: 0\r\nConnection: close\r\n\r\n")
        }
        Answer::Silence => {
            // Until the client goes away.
            stream.read_to_end(&mut Vec::new()).map(drop)
        }
        Answer::Slow(body, step, pause) => {
            let rest = part(stream, &body, from)?.to_vec();
            for piece in rest.chunks(step) {
                stream.write_all(piece)?;
                thread::sleep(pause);
            }
            Ok(())
        }
    }
}

/// Writes the head of a whole or partial answer; the bytes that it is about.
fn part<'a>(stream: &mut TcpStream, body: &'a [u8], from: Option<u64>) -> std::io::Result<&'a [u8]> {
    let length = body.len();
    match from.and_then(|from| usize::try_from(from).ok()) {
        None => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
            Ok(body)
        }
        Some(from) if from < length => {
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{length}\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                length - 1,
                length - from
            )?;
            Ok(&body[from..])
        }
        Some(_) => {
            write!(
                stream,
                "HTTP/1.1 416 No\r\nContent-Range: bytes */{length}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )?;
            Ok(&[])
        }
    }
}

/// Patience for tests: pauses that nobody notices.
pub(crate) const QUICK: Limits =
    Limits { tries: 3, pause: Duration::from_millis(5), silence: Duration::from_millis(1500) };

/// Runs a fetch and collects its notes.
pub(crate) fn fetch<T>(run: impl AsyncFnOnce(&mut Fetcher<'_>) -> T) -> (T, String) {
    let (cancel, mut notes) = (CancellationToken::new(), String::new());
    let result = Runtime::new().unwrap().block_on(run(&mut Fetcher::new(QUICK, &cancel, &mut |event| {
        if let FetchEvent::Note(text) = event {
            notes.push_str(&text);
            notes.push('\n');
        }
    })));
    (result, notes)
}

/// Runs a fetch that is interrupted as soon as this many bytes of a file are there.
pub(crate) fn interrupted<T>(after: u64, run: impl AsyncFnOnce(&mut Fetcher<'_>) -> T) -> T {
    let cancel = CancellationToken::new();
    Runtime::new().unwrap().block_on(run(&mut Fetcher::new(QUICK, &cancel, &mut |event| {
        if let FetchEvent::Bytes { done, .. } = event
            && done >= after
        {
            cancel.cancel();
        }
    })))
}
