// SPDX-License-Identifier: BSD-2-Clause
//! A system call in the text of truss(1) or strace(1).

use super::escape::unescape;

/// Calls that say something about netlink sockets.
const NAMES: [&str; 13] = [
    "socket",
    "close",
    "setsockopt",
    "sendto",
    "sendmsg",
    "send",
    "write",
    "writev",
    "recvfrom",
    "recvmsg",
    "recv",
    "read",
    "readv",
];

/// How many quotes one string may hold: each may be its end.
const QUOTES: usize = 1000;

/// A call as it stands on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call<'a> {
    /// Name of the call.
    pub(super) name: &'a str,
    /// What stands between the parentheses; all that is left of the line where it does not end.
    pub(super) args: &'a str,
    /// What it returned, if that is a number.
    pub(super) ret: Option<i64>,
}

impl<'a> Call<'a> {
    /// The call on a line, behind what tells process and time.
    pub(super) fn on(line: &'a str) -> Option<Self> {
        let (before, rest) = line.split_once('(')?;
        let name = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()?;
        NAMES.contains(&name).then_some(())?;
        // truss(1) puts tabs between the call and what became of it, and strace(1) spaces.
        let ended = |at: usize| rest[..at].trim_end().strip_suffix(')');
        let returned =
            rest.rmatch_indices("= ").find_map(|(at, sign)| Some((ended(at)?, &rest[at + sign.len()..])));
        let failed = || rest.rfind("ERR#").and_then(|at| Some((ended(at)?, "")));
        let (args, after) = returned.or_else(failed).unwrap_or((rest, ""));
        let ret = after.split([' ', '\t']).next().and_then(number);
        Some(Self { name, args, ret })
    }

    /// The first argument, if it is a number: a file. strace -y writes behind it what it is.
    pub(super) fn fd(&self) -> Option<(i64, &'a str)> {
        let first = self.args.split([',', ')']).next()?.trim();
        let (digits, what) = first.split_once('<').unwrap_or((first, ""));
        number(digits).map(|fd| (fd, what))
    }

    /// An argument that holds no commas, from 0, but those before which none does.
    pub(super) fn arg(&self, index: usize) -> &'a str {
        self.args.split(',').nth(index).unwrap_or_default().trim()
    }
}

/// A number as C writes it.
pub(super) fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What the strings among the arguments come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Strings {
    /// The bytes, those of several buffers one after the other.
    Bytes(Vec<u8>),
    /// The tool shows only the beginning.
    Cut,
    /// There is none: the tool shows a pointer, or what it takes the bytes for.
    None,
}

/// The bytes of every string among the arguments. vis(3) leaves quotes as they are: a string ends at the quote behind which
/// its length stands, or where `ret` bytes are there.
pub(super) fn strings(args: &str, ret: Option<i64>) -> Strings {
    let mut all = Vec::new();
    let mut rest = args;
    let mut found = false;
    while let Some(start) = rest.find('"') {
        rest = &rest[start + 1..];
        let Some((bytes, end, cut)) = string(rest, ret) else { return Strings::None };
        if cut {
            return Strings::Cut;
        }
        found = true;
        all.extend(bytes);
        rest = &rest[end..];
    }
    if found { Strings::Bytes(all) } else { Strings::None }
}

/// A string that begins `text`: its bytes, where what follows it begins, and whether it was cut.
fn string(text: &str, ret: Option<i64>) -> Option<(Vec<u8>, usize, bool)> {
    let mut first = None;
    for (end, _) in text.match_indices('"').take(QUOTES) {
        let escaped = text[..end].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        if escaped {
            continue;
        }
        let Some(bytes) = unescape(&text[..end]) else { continue };
        let after = &text[end + 1..];
        let cut = after.starts_with("...");
        let said = after.trim_start_matches([',', ' ']).trim_start_matches("iov_len=");
        let said = said.split(|c: char| !c.is_ascii_alphanumeric()).next().and_then(number);
        let len = i64::try_from(bytes.len()).ok();
        if cut || said == len || ret == len {
            return Some((bytes, end + 1, cut));
        }
        first.get_or_insert((bytes, end + 1, false));
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_both_tools() {
        let truss = Call::on(r#" 123: sendto(3,"\^P\0\0\0",4,0,NULL,0)			 = 4 (0x4)"#).unwrap();
        assert_eq!((truss.name, truss.fd(), truss.ret), ("sendto", Some((3, "")), Some(4)));
        assert_eq!(strings(truss.args, truss.ret), Strings::Bytes(vec![16, 0, 0, 0]));
        let strace =
            Call::on(r#"[pid  7] sendto(3<NETLINK:[ROUTE:9]>, "\x10\x00"..., 20, 0, NULL, 0) = 20"#).unwrap();
        assert_eq!((strace.name, strace.fd()), ("sendto", Some((3, "NETLINK:[ROUTE:9]>"))));
        assert_eq!(strings(strace.args, strace.ret), Strings::Cut);
        let several = r#"3, {msg_iov=[{iov_base="\x10", iov_len=1}, {iov_base="\x11\"", iov_len=2}]}, 0"#;
        assert_eq!(strings(several, Some(3)), Strings::Bytes(vec![16, 17, b'"']));
        // truss leaves quotes as they are.
        assert_eq!(strings(r#"3,"\^P","b",5,0,NULL,0"#, Some(5)), Strings::Bytes(b"\x10\",\"b".to_vec()));
        assert_eq!(Call::on("1: exit(0)"), None);
        assert_eq!(strings("3,0x7fff,12", None), Strings::None);
        let failed = Call::on("socket(PF_NETLINK,SOCK_RAW,0)\t\t ERR#43 'Protocol not supported'").unwrap();
        assert_eq!((failed.arg(0), failed.ret), ("PF_NETLINK", None));
    }
}
