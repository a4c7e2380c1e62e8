// SPDX-License-Identifier: BSD-2-Clause
//! What truss(1) or strace(1) says about netlink sockets.

use std::collections::BTreeSet;

use nlproof_wire::Os;
use nlproof_wire::view::{MessageItem, messages};

use super::call::{Call, Strings, strings};
use super::reading::{Direction, Format, Reading, Seen};

/// Which of the two tools wrote the text, if one did.
pub(super) fn format_of(text: &str) -> Option<Format> {
    let calls = || {
        text.lines()
            .filter(|line| Call::on(line).is_some_and(|call| call.fd().is_some() || call.name == "socket"))
    };
    calls().next()?;
    // truss writes what a call returned in hex too, in parentheses; a file's open(2) does.
    let truss = |line: &str| line.trim_end().ends_with(')') && line.contains(" (0x") || line.contains("ERR#");
    Some(if text.lines().any(truss) { Format::Truss } else { Format::Strace })
}

/// Reads the calls.
pub(super) fn read(format: Format, text: &str) -> Reading {
    let os = if format == Format::Truss { Os::FreeBsd } else { Os::Linux };
    let mut calls =
        Calls { reading: Reading::new(format, Some(os)), sockets: Sockets::default(), last: None };
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(bytes) = dumped(line) {
            if let Some(last) = &mut calls.last {
                last.dump.extend(bytes);
            }
            continue;
        }
        if line.trim_start().starts_with("* ") {
            continue;
        }
        calls.end();
        if let Some(call) = Call::on(line) {
            calls.call(number, call);
        }
    }
    calls.end();
    calls.reading
}

/// The bytes of a line that strace -e write writes.
fn dumped(line: &str) -> Option<Vec<u8>> {
    let rest = line.trim_start().strip_prefix("| ")?;
    let (offset, rest) = rest.split_once("  ")?;
    if offset.len() < 5 || !offset.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    // 16 bytes take 48 columns, with one more space in the middle and one at the end.
    let digits = rest.get(..49.min(rest.len()))?;
    digits
        .split_whitespace()
        .map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2))
        .collect()
}

/// Which files are netlink sockets.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    route: BTreeSet<i64>,
    others: BTreeSet<i64>,
}

impl Sockets {
    /// A socket was made: `domain` and `protocol` as the tool writes them.
    pub(super) fn made(&mut self, fd: i64, domain: &str, protocol: &str) -> bool {
        let netlink = matches!(domain, "PF_NETLINK" | "AF_NETLINK" | "38" | "0x26" | "16" | "0x10");
        let route = matches!(protocol, "0" | "NETLINK_ROUTE");
        self.forget(fd);
        if netlink && route {
            self.route.insert(fd)
        } else {
            self.others.insert(fd)
        };
        netlink && !route
    }

    pub(super) fn forget(&mut self, fd: i64) {
        self.route.remove(&fd);
        self.others.remove(&fd);
    }

    pub(super) fn is_route(&self, fd: i64) -> bool {
        self.route.contains(&fd)
    }

    /// Whether these bytes are netlink's: the file is such a socket, or nothing is known of it and they look like messages.
    pub(super) fn carries(&self, fd: i64, data: &[u8]) -> bool {
        self.is_route(fd) || (!self.others.contains(&fd) && plausible(data))
    }
}

/// Whether bytes are whole messages of a type that netlink has.
fn plausible(data: &[u8]) -> bool {
    !data.is_empty()
        && messages(data).all(|item| match item {
            MessageItem::Message(message) => message.header.kind < 0x200,
            MessageItem::Trailing(_) => false,
        })
}

struct Calls {
    reading: Reading,
    sockets: Sockets,
    last: Option<Transfer>,
}

/// A call that moved bytes.
struct Transfer {
    line: u64,
    fd: i64,
    netlink: bool,
    direction: Direction,
    strings: Strings,
    dump: Vec<u8>,
}

impl Calls {
    fn call(&mut self, line: u64, call: Call<'_>) {
        if call.name == "socket" {
            if let Some(fd) = call.ret.filter(|fd| *fd >= 0)
                && self.sockets.made(
                    fd,
                    call.arg(0),
                    call.arg(2).split(['|', ' ']).next().unwrap_or_default(),
                )
            {
                self.reading
                    .notes
                    .push(format!("line {line}: a netlink socket of another protocol, left out"));
            }
            return;
        }
        let Some((fd, what)) = call.fd() else { return };
        let direction = match call.name {
            "close" => return self.sockets.forget(fd),
            "setsockopt" => return self.option(fd, call),
            "sendto" | "sendmsg" | "send" | "write" | "writev" => Direction::ToKernel,
            _ => Direction::FromKernel,
        };
        let nothing = direction == Direction::FromKernel && call.ret.is_none_or(|ret| ret <= 0);
        if nothing || call.args.contains("MSG_PEEK") {
            return;
        }
        let args = call.args.split_once(',').map_or("", |(_, args)| args);
        self.last = Some(Transfer {
            line,
            fd,
            netlink: what.starts_with("NETLINK"),
            direction,
            strings: if args.contains("nlmsg_len=") { Strings::None } else { strings(args, call.ret) },
            dump: Vec::new(),
        });
    }

    fn option(&mut self, fd: i64, call: Call<'_>) {
        let netlink = matches!(call.arg(1), "SOL_NETLINK" | "270" | "0x10e");
        if !netlink || !self.sockets.is_route(fd) || call.arg(3) == "[0]" {
            return;
        }
        set_option(&mut self.reading, call.arg(2));
    }

    /// Takes what the last call moved, now that all of it was read.
    fn end(&mut self) {
        let Some(Transfer { line, fd, netlink, direction, strings, dump }) = self.last.take() else { return };
        let netlink = netlink || self.sockets.is_route(fd);
        let place = format!("line {line}");
        let data = match strings {
            _ if !dump.is_empty() => dump,
            Strings::Bytes(bytes) => bytes,
            Strings::Cut if netlink => {
                self.reading
                    .notes
                    .push(format!("{place}: only the beginning of the bytes is there, left out"));
                return;
            }
            Strings::None if netlink => {
                self.reading.notes.push(format!("{place}: the bytes are not there, left out"));
                return;
            }
            Strings::Cut | Strings::None => return,
        };
        if netlink || self.sockets.carries(fd, &data) {
            self.reading.seen.push(Seen { place, direction, data });
        }
    }
}

/// Notes an option of level SOL_NETLINK that was set.
pub(super) fn set_option(reading: &mut Reading, option: &str) {
    match option {
        "NETLINK_CAP_ACK" | "10" | "0xa" => reading.socket.cap_ack = true,
        "NETLINK_EXT_ACK" | "11" | "0xb" => reading.socket.ext_ack = true,
        "NETLINK_GET_STRICT_CHK" | "12" | "0xc" => reading.socket.strict = true,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> (Format, Vec<(String, Direction, usize)>, Vec<String>) {
        let format = format_of(text).unwrap();
        let reading = read(format, text);
        let of = |seen: Seen| (seen.place, seen.direction, seen.data.len());
        (format, reading.seen.into_iter().map(of).collect(), reading.notes)
    }

    #[test]
    fn strace_with_bytes_with_dumps_and_with_what_it_decodes() {
        let text = r#"socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 3
setsockopt(3, SOL_NETLINK, NETLINK_EXT_ACK, [1], 4) = 0
openat(AT_FDCWD, "/etc/x", O_RDONLY) = 4
read(4, "\x14\x00\x00\x00", 4096) = 4
sendto(3, [{nlmsg_len=20, nlmsg_type=RTM_GETLINK}, "\x00"], 20, 0, NULL, 0) = 20
 | 00000  14 00 00 00 12 00 01 00  07 00 00 00 00 00 00 00   ............... |
 | 00010  41 42 43 44                                       ABCD             |
sendmsg(3, {msg_name=NULL, msg_iov=[{iov_base="\x10\x00\x00\x00", iov_len=4}, {iov_base="\x12\x00", iov_len=2}], msg_iovlen=2}, 0) = 6
recvmsg(3, {msg_iov=[{iov_base=NULL, iov_len=0}]}, MSG_PEEK|MSG_TRUNC) = 20
recvmsg(3, {msg_iov=[{iov_base=[{nlmsg_len=20}], iov_len=20}]}, 0) = 20
"#;
        let (format, seen, notes) = seen(text);
        assert_eq!(format, Format::Strace);
        assert_eq!(
            seen,
            [("line 5".into(), Direction::ToKernel, 20), ("line 8".into(), Direction::ToKernel, 6)]
        );
        assert_eq!(notes, ["line 10: the bytes are not there, left out"]);
        assert!(read(format, text).socket.ext_ack);
    }

    #[test]
    fn truss_with_descendants() {
        let text = " 77: open(\"/etc/x\",O_RDONLY,00)\t\t = 3 (0x3)\n \
            77: socket(PF_NETLINK,SOCK_RAW,0)\t\t = 4 (0x4)\n \
            77: setsockopt(4,270,11,0x820,4)\t\t = 0 (0x0)\n \
            78: sendto(4,\"\\^T\\0\\0\\0\\^R\\0\\^A\\0\\^B\\0\\0\\0\\0\\0\\0\\0abc\\M-i\",20,0,NULL,0)\t = 20 (0x14)\n \
            78: sendto(4,\"\\^T\\0\\0\"...,20,0,NULL,0)\t = 20 (0x14)\n \
            78: write(1,\"hello\\n\",6)\t = 6 (0x6)\n";
        let (format, seen, notes) = seen(text);
        assert_eq!(format, Format::Truss);
        assert_eq!(seen, [("line 4".into(), Direction::ToKernel, 20)]);
        assert_eq!(notes, ["line 5: only the beginning of the bytes is there, left out"]);
    }

    #[test]
    fn other_text_is_none() {
        assert_eq!(format_of("10000000 1200"), None);
        assert_eq!(format_of("static char x[] = { 1 }; int main(void) { return f(x); }"), None);
    }
}
