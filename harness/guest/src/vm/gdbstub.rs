// SPDX-License-Identifier: BSD-2-Clause
//! A conversation with QEMU's gdb stub, as far as it takes to stop at an address.
//!
//! Source: gdb's manual, appendix "GDB Remote Serial Protocol". A packet is `$DATA#CC`, CC the sum of DATA's bytes as two
//! hexadecimal digits; each is answered with `+`.

use std::io;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// Most bytes of a packet: QEMU's own limit is 4096.
const MAX_PACKET: usize = 16 * 1024;
/// Where the instruction pointer is among the registers of x86-64, in bytes: behind 16 general ones.
const RIP: usize = 16 * 8;
/// Where the stack pointer is.
const RSP: usize = 7 * 8;
/// The bytes of a register.
const WORD: usize = 8;

/// What went wrong between us and the stub.
#[derive(Debug, thiserror::Error)]
pub enum StubError {
    /// The socket failed, or was closed.
    #[error("qemu's gdb stub: {0}")]
    Io(#[from] io::Error),
    /// Something else than the protocol says was answered.
    #[error("qemu's gdb stub answered `{answer}` to `{packet}`")]
    Answer {
        /// What was sent.
        packet: String,
        /// What came.
        answer: String,
    },
}

/// Registers of a processor that stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    /// All of them, as the stub packs them.
    pub bytes: Vec<u8>,
}

impl Registers {
    /// The address of the next instruction.
    pub fn rip(&self) -> Option<u64> {
        self.word(RIP)
    }

    /// The stack pointer.
    pub fn rsp(&self) -> Option<u64> {
        self.word(RSP)
    }

    fn word(&self, at: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at + WORD)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// A connection to the stub, which stops the machine when somebody connects.
#[derive(Debug)]
pub(super) struct GdbStub {
    stream: UnixStream,
    /// What was read and is not a whole packet.
    read: Vec<u8>,
}

impl GdbStub {
    /// Connects to the stub that listens at this socket.
    ///
    /// # Errors
    /// Nobody listens.
    pub(super) async fn connect(socket: &Path) -> Result<Self, StubError> {
        Ok(Self { stream: UnixStream::connect(socket).await?, read: Vec::new() })
    }

    /// Has the machine stop before it runs the instruction at this address.
    ///
    /// # Errors
    /// See [`StubError`].
    pub(super) async fn break_at(&mut self, address: u64) -> Result<(), StubError> {
        // A hardware breakpoint: memory stays as it is.
        self.ask(&format!("Z1,{address:x},1"), "OK").await.map(drop)
    }

    /// Has the machine run one instruction, whatever breakpoint stands before it. [`stopped`](Self::stopped) tells when it
    /// has.
    ///
    /// # Errors
    /// See [`StubError`].
    pub(super) async fn step(&mut self) -> Result<(), StubError> {
        self.send("s").await
    }

    /// Lets the machine run. [`stopped`](Self::stopped) tells when it stands.
    ///
    /// # Errors
    /// See [`StubError`].
    pub(super) async fn go_on(&mut self) -> Result<(), StubError> {
        self.send("c").await
    }

    /// Waits until the machine stands still.
    ///
    /// # Errors
    /// See [`StubError`]: the machine's end closes the connection.
    pub(super) async fn stopped(&mut self) -> Result<(), StubError> {
        let answer = self.packet().await?;
        match answer.starts_with(['S', 'T']) {
            true => Ok(()),
            false => Err(StubError::Answer { packet: "c".into(), answer }),
        }
    }

    /// The registers of a machine that stands still.
    ///
    /// # Errors
    /// See [`StubError`].
    pub(super) async fn registers(&mut self) -> Result<Registers, StubError> {
        self.bytes("g").await.map(|bytes| Registers { bytes })
    }

    /// A word of the memory of a machine that stands still.
    ///
    /// # Errors
    /// See [`StubError`]: there is no memory at that address.
    pub(super) async fn word(&mut self, address: u64) -> Result<u64, StubError> {
        let packet = format!("m{address:x},{WORD:x}");
        let bytes = self.bytes(&packet).await?;
        let word = bytes.try_into().map(u64::from_le_bytes);
        word.map_err(|bytes: Vec<u8>| StubError::Answer { packet, answer: nlproof_base::hex(&bytes) })
    }

    async fn bytes(&mut self, packet: &str) -> Result<Vec<u8>, StubError> {
        self.send(packet).await?;
        let answer = self.packet().await?;
        unhex(&answer).ok_or_else(|| StubError::Answer { packet: packet.to_owned(), answer })
    }

    async fn ask(&mut self, packet: &str, wanted: &str) -> Result<(), StubError> {
        self.send(packet).await?;
        let answer = self.packet().await?;
        match answer == wanted {
            true => Ok(()),
            false => Err(StubError::Answer { packet: packet.to_owned(), answer }),
        }
    }

    async fn send(&mut self, data: &str) -> Result<(), StubError> {
        Ok(self.stream.write_all(framed(data).as_bytes()).await?)
    }

    async fn packet(&mut self) -> Result<String, StubError> {
        loop {
            if let Some((data, rest)) = take_packet(&self.read) {
                self.read.drain(..rest);
                self.stream.write_all(b"+").await?;
                return Ok(data);
            }
            if self.read.len() > MAX_PACKET {
                return Err(io::Error::other("a packet without an end").into());
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

/// A packet with this data.
fn framed(data: &str) -> String {
    let sum = data.bytes().fold(0_u8, u8::wrapping_add);
    format!("${data}#{sum:02x}")
}

/// The data of the first whole packet, and how many bytes were read up to its end. What stands before it are
/// acknowledgements.
fn take_packet(read: &[u8]) -> Option<(String, usize)> {
    let begin = read.iter().position(|byte| *byte == b'$')?;
    let length = read[begin..].iter().position(|byte| *byte == b'#')?;
    let end = begin + length + 3;
    if read.len() < end {
        return None;
    }
    Some((String::from_utf8_lossy(&read[begin + 1..begin + length]).into_owned(), end))
}

/// Bytes from hexadecimal digits. A register that the stub does not know (`x`) has none.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits.chunks_exact(2).map(|pair| Some(value(&pair[0])? << 4 | value(&pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_summed_and_found_behind_acknowledgements() {
        assert_eq!(framed("g"), "$g#67");
        assert_eq!(framed("Z1,ffffffff80b7f0d0,1"), "$Z1,ffffffff80b7f0d0,1#6f");
        assert_eq!(take_packet(b"+$OK#9a+$T05#b9"), Some(("OK".to_owned(), 7)));
        assert_eq!(take_packet(b"++"), None);
        for cut in 1..6 {
            assert_eq!(take_packet(&b"$OK#9a"[..cut]), None);
        }
    }

    #[test]
    fn registers_have_their_places() {
        let mut bytes = vec![0; 256];
        bytes[RSP..RSP + 8].copy_from_slice(&7_u64.to_le_bytes());
        bytes[RIP..RIP + 8].copy_from_slice(&0xffff_ffff_8040_1234_u64.to_le_bytes());
        let registers = Registers { bytes };
        assert_eq!((registers.rip(), registers.rsp()), (Some(0xffff_ffff_8040_1234), Some(7)));
        assert_eq!(Registers { bytes: vec![0; 100] }.rip(), None);
        assert_eq!(unhex("34127f"), Some(vec![0x34, 0x12, 0x7f]));
        for odd in ["", "3", "xx", "E0x"] {
            assert_eq!(unhex(odd), None, "{odd}");
        }
    }

    #[tokio::test]
    async fn a_machine_stops_at_an_address_and_shows_itself() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("gdb");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let stub = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = String::new();
            for (wanted, answer) in
                [("#6f", "+$OK#9a"), ("#63", "+"), ("", "$T05thread:01;#07"), ("#67", "+$00ff#2c")]
            {
                while !heard.ends_with(wanted) || (wanted.is_empty() && !heard.ends_with('3')) {
                    let mut bytes = [0; 64];
                    let length = stream.read(&mut bytes).await.unwrap();
                    heard.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            // The last answer is acknowledged, which a stub that has gone would make an error.
            assert_eq!(stream.read_u8().await.unwrap(), b'+');
            heard
        });
        let mut gdb = GdbStub::connect(&socket).await.unwrap();
        gdb.break_at(0xffff_ffff_80b7_f0d0).await.unwrap();
        gdb.go_on().await.unwrap();
        gdb.stopped().await.unwrap();
        assert_eq!(gdb.registers().await.unwrap().bytes, [0, 0xff]);
        assert!(stub.await.unwrap().starts_with("$Z1,ffffffff80b7f0d0,1#6f+$c#63"));
        assert!(matches!(gdb.registers().await, Err(StubError::Io(_))), "the stub has ended");
    }
}
