// SPDX-License-Identifier: BSD-2-Clause
//! Input that comes when it comes: a terminal's, or that of a pipe.

use std::io::{self, Cursor, Read};
use std::thread;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, channel};

/// Bytes read at a time.
const CHUNK: usize = 32 * 1024;
/// Number of chunks that may wait before reading pauses.
const AHEAD: usize = 4;

/// Input of a command. Reading does not block: what is still to come is an error of the kind `WouldBlock`.
#[allow(async_fn_in_trait, reason = "a guest is used by one thread, which drives these futures itself")]
pub trait Stdin: Read {
    /// Waits until a read that would have blocked is worth another try. By default none blocks.
    async fn ready(&mut self) {}
}

impl Stdin for io::Empty {}
impl<T: AsRef<[u8]>> Stdin for Cursor<T> {}
impl<R: Stdin> Stdin for io::Take<R> {}
impl Stdin for io::Repeat {}

/// A source with a reading thread of its own, so that code that looks after a guest never blocks on it. The thread
/// ends with the source, or with the program.
pub struct LiveInput {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// One that was waited for, or nothing because there are no more.
    next: Option<Option<io::Result<Vec<u8>>>>,
    current: Vec<u8>,
    taken: usize,
}

impl LiveInput {
    /// Begins to read.
    pub fn of(mut source: impl Read + Send + 'static) -> Self {
        let (sender, chunks) = channel(AHEAD);
        thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = match source.read(&mut chunk) {
                    Ok(0) => return,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Ok(length) => {
                        chunk.truncate(length);
                        Ok(chunk)
                    }
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                // Nobody listens any more, or there is no more to tell.
                if sender.blocking_send(read).is_err() || failed {
                    return;
                }
            }
        });
        Self { chunks, next: None, current: Vec::new(), taken: 0 }
    }
}

/// An error of the kind `WouldBlock`: nothing is there now.
impl Read for LiveInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.current.len() {
            let next = match self
                .next
                .take()
                .map_or_else(|| self.chunks.try_recv(), |next| next.ok_or(TryRecvError::Disconnected))
            {
                Ok(chunk) => chunk?,
                Err(TryRecvError::Empty) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(TryRecvError::Disconnected) => return Ok(0),
            };
            self.current = next;
            self.taken = 0;
        }
        let length = (&self.current[self.taken..]).read(buffer)?;
        self.taken += length;
        Ok(length)
    }
}

impl Stdin for LiveInput {
    async fn ready(&mut self) {
        if self.next.is_none() {
            self.next = Some(self.chunks.recv().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn read_all(input: &mut LiveInput) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut buffer = [0; 1000];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => return Ok(all),
                Ok(length) => all.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => input.ready().await,
                Err(error) => return Err(error),
            }
        }
    }

    #[tokio::test]
    async fn all_of_it_comes_in_its_order() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        assert_eq!(read_all(&mut LiveInput::of(io::Cursor::new(bytes.clone()))).await.unwrap(), bytes);
    }

    #[tokio::test]
    async fn what_has_not_come_is_not_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut input = LiveInput::of(reader);
        let error = input.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        writer.write_all(b"late").unwrap();
        drop(writer);
        assert_eq!(read_all(&mut input).await.unwrap(), b"late");
    }

    #[tokio::test]
    async fn a_source_that_fails_is_told() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("torn"))
            }
        }
        assert_eq!(read_all(&mut LiveInput::of(Broken)).await.unwrap_err().to_string(), "torn");
    }
}
