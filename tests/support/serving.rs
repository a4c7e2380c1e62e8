// SPDX-License-Identifier: BSD-2-Clause
//! A program that serves a page, and what is asked of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A program that serves a page.
pub(crate) struct Serving {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    /// `/TOKEN/`
    pub(crate) path: String,
}

impl Serving {
    /// Starts it, and waits until it says where.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("page: http://").unwrap_or_else(|| panic!("{line}"));
        let (host, path) = address.split_at(address.find('/').unwrap());
        Self { process, stdout, host: host.to_owned(), path: path.to_owned() }
    }

    pub(crate) fn connect(&self, path: &str, more: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n{more}\r\n", self.host).unwrap();
        BufReader::new(stream)
    }

    /// Everything that is answered.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut text = String::new();
        self.connect(path, "Connection: close\r\n").read_to_string(&mut text).unwrap();
        text
    }

    /// Asks it to end as Ctrl-C does. What it still said, and how it ended.
    pub(crate) fn end(mut self) -> Output {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> Output {
        let mut stdout = Vec::new();
        self.stdout.read_to_end(&mut stdout).unwrap();
        let mut stderr = Vec::new();
        self.process.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Output { status: self.process.wait().unwrap(), stdout, stderr }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
