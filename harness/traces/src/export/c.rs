// SPDX-License-Identifier: BSD-2-Clause
//! A vector as one C program for FreeBSD.

use std::fmt::Write as _;

use nlproof_agent::{Privilege, Program, ReplyEnd, Send, Step};
use nlproof_wire::Os;

use super::bytes::array;
use super::expected::{Attr, Expected, Reply, Value, expected};
use super::{ExportError, head};
use crate::vector::Vector;

/// What every program has: sockets, and what comes from them.
const SUPPORT: &str = include_str!("support.c");
/// Numbers on the way to an attribute, with the 0 behind them.
const PATH: usize = 8;

/// The program: it sends the vector's bytes, prints what comes, and exits with 1 if that is not what the golden shows. Compared
/// are types of messages, errors, attributes whose value is the same in every run, types of events, and exit statuses.
///
/// # Errors
/// The vector has something that a program of one process cannot do.
pub fn c_program(vector: &Vector, program: &Program, golden: Option<&str>) -> Result<String, ExportError> {
    if program.privilege == Privilege::Jailed {
        return Err(ExportError::whole("its sender sits in a jail within the jail, and a program does not"));
    }
    if !program.cards.is_empty() {
        return Err(ExportError::whole("it has network cards of its own, which QEMU plugs in"));
    }
    let os = Os::FreeBsd;
    let known = golden.map(|body| expected(os, body, program.steps.len()));
    let mut data = String::new();
    let mut main = String::new();
    for (index, step) in program.steps.iter().enumerate() {
        let expected = known.as_ref().and_then(|known| known.get(index));
        match step {
            Step::Send(send) => {
                write!(data, "static unsigned char step{index}[] = {{\n{}}};\n\n", array(os, &send.data))
                    .ok();
                data.push_str(&expectation(index, expected, &program.groups));
                asked(&mut main, index, send);
            }
            Step::Exec { argv, .. } => {
                let words: Vec<_> = argv.iter().map(|word| quoted(word.as_bytes())).collect();
                let status = expected.and_then(|expected| expected.status).unwrap_or(-1);
                let argv = words.join(", ");
                line(
                    &mut main,
                    &format!("run({index}, (const char *const []){{ {argv}, NULL }}, {status});"),
                );
            }
            Step::Wait { quiet_ms, limit_ms } => {
                line(&mut main, &format!("wait_quiet({quiet_ms}, {limit_ms});"));
            }
            Step::Race(_) => {
                return Err(ExportError::step(index, "sockets race in it, and a program has one"));
            }
            Step::Count(_) | Step::Watch(_) | Step::Hardware(_) => {
                return Err(ExportError::for_none(index, step));
            }
        }
    }
    let run = "cc -Wall -o vector THIS.c && jail -c vnet path=/ command=./vector";
    let exit = match golden {
        Some(_) => "Exit status: 0 if all is as expected, 1 if not, 2 if it cannot run.",
        None => {
            "Nothing is known of what to expect. Exit status: 0 if every answer ends, 1 if not, 2 if it cannot run."
        }
    };
    let head: String = head(vector, run, exit).lines().map(|line| format!(" * {line}\n")).collect();
    let mut text =
        format!("/*-\n{} */\n\n{SUPPORT}\n{data}", head.replace("*/", "* /").replace(" * \n", " *\n"));
    text.push_str("int\nmain(void)\n{\n");
    begin(&mut text, vector, program);
    text.push_str(&main);
    line(&mut text, "printf(differs ? \"not as expected\\n\" : \"as expected\\n\");");
    line(&mut text, "return (differs);");
    text.push_str("}\n");
    Ok(text)
}

/// What is done before the first step.
fn begin(text: &mut String, vector: &Vector, program: &Program) {
    if program.privilege == Privilege::Unprivileged {
        line(text, "if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)");
        line(text, "\terr(2, \"cannot become nobody\");");
    }
    line(text, "setvbuf(stdout, NULL, _IOLBF, 0);");
    line(text, "open_sockets();");
    let options = &program.socket;
    for (name, on) in [
        ("NETLINK_EXT_ACK", options.ext_ack),
        ("NETLINK_CAP_ACK", options.cap_ack),
        ("NETLINK_GET_STRICT_CHK", options.strict),
    ] {
        if on {
            line(text, &format!("set_option(requests, SOL_NETLINK, {name}, 1);"));
        }
    }
    for (socket, bytes) in [("requests", options.receive_buffer), ("events", options.event_buffer)] {
        if let Some(bytes) = bytes {
            line(text, &format!("set_option({socket}, SOL_SOCKET, SO_RCVBUF, {bytes});"));
        }
    }
    for (group, name) in program.groups.iter().zip(&vector.groups) {
        line(text, &format!("join({group});\t/* {name} */"));
    }
}

fn asked(main: &mut String, index: usize, send: &Send) {
    for patch in &send.patches {
        let name = quoted(patch.ifname.as_bytes());
        line(main, &format!("put_index(step{index} + {}, {name});", patch.offset));
    }
    let end = match send.end {
        ReplyEnd::Message => "END_MESSAGE",
        ReplyEnd::End => "END_ACK",
        ReplyEnd::Nothing => "END_NOTHING",
    };
    let seq = send.seq;
    line(main, &format!("ask({index}, step{index}, sizeof(step{index}), {seq}, {end}, &expect{index});"));
}

/// What is expected of a step; without a golden nothing is compared.
fn expectation(index: usize, expected: Option<&Expected>, groups: &[u32]) -> String {
    let mut text = String::new();
    let Some(expected) = expected.filter(|expected| !expected.partial) else {
        return format!(
            "static const struct expect expect{index} = {{ .nreplies = -1, .nevents = -1 }};\n\n"
        );
    };
    let mut replies = String::new();
    for (number, reply) in expected.replies.iter().enumerate() {
        let Reply { kind, error, fixed, attrs } = reply;
        let fitting: Vec<&Attr> = attrs.iter().filter(|attr| attr.path.len() < PATH).collect();
        let list = match fitting.is_empty() {
            true => "NULL".to_owned(),
            false => {
                writeln!(text, "static const struct attr step{index}_reply{number}[] = {{").ok();
                fitting.iter().for_each(|attr| text.push_str(&attr_line(attr)));
                text.push_str("};\n");
                format!("step{index}_reply{number}")
            }
        };
        let error = error.unwrap_or(-1);
        writeln!(replies, "\t\t{{ {kind}, {error}, {fixed}, {}, {list} }},", fitting.len()).ok();
    }
    writeln!(text, "static const struct expect expect{index} = {{").ok();
    writeln!(text, "\t.nreplies = {},", expected.replies.len()).ok();
    if !replies.is_empty() {
        write!(text, "\t.replies = (const struct reply []){{\n{replies}\t}},\n").ok();
    }
    let events: Vec<_> = expected.events.iter().map(u16::to_string).collect();
    if !groups.is_empty() {
        writeln!(text, "\t.nevents = {},", events.len()).ok();
    }
    if !events.is_empty() {
        writeln!(text, "\t.events = (const int []){{ {} }},", events.join(", ")).ok();
    }
    text.push_str("};\n\n");
    text
}

fn attr_line(attr: &Attr) -> String {
    let path: Vec<_> = attr.path.iter().map(u16::to_string).collect();
    let (len, bytes) = match &attr.value {
        Value::Bytes(bytes) => (bytes.len().to_string(), quoted(bytes)),
        Value::Index(name) => ("INDEX".to_owned(), quoted(name.as_bytes())),
        Value::Any => ("ANY".to_owned(), "NULL".to_owned()),
    };
    format!("\t{{ {}, {{ {} }}, {len}, {bytes} }},\n", quoted(attr.name.as_bytes()), path.join(", "))
}

fn line(text: &mut String, line: &str) {
    text.push('\t');
    text.push_str(line);
    text.push('\n');
}

/// A text of C.
fn quoted(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            // Three octal digits end by themselves, whatever follows.
            byte => drop(write!(quoted, "\\{byte:03o}")),
        }
    }
    quoted.push('"');
    quoted
}
