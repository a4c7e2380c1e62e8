// SPDX-License-Identifier: BSD-2-Clause
//! `report serve` and `test-matrix --serve`: the page over HTTP.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::serving::Serving;
use crate::support::{Project, text};

const VECTORS: [&str; 2] = ["link/create-lo", "link/modify-mtu-71"];

/// Runs sim/15 into a report directory.
fn run(project: &Project, report: &Path) {
    let output = project
        .nlproof()
        .args(["test-matrix", "--target", "sim", "--release", "15", "--report-dir"])
        .arg(report)
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
}

/// The next news.
fn news(events: &mut BufReader<TcpStream>) -> serde_json::Value {
    loop {
        let mut line = String::new();
        assert!(events.read_line(&mut line).unwrap() > 0, "the news have ended");
        if let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str(data).unwrap();
        }
    }
}

fn serve(project: &Project, report: &Path, more: &[&str]) -> Command {
    let mut command = project.nlproof();
    command.args(["report", "serve"]).arg(report).args(more);
    command
}

#[test]
fn a_report_is_served_to_who_knows_the_address_and_followed() {
    let project = Project::small(&VECTORS);
    let report = project.path("report");
    run(&project, &report);
    let serving = Serving::start(&mut serve(&project, &report, &["--baseline", report.to_str().unwrap()]));
    assert!(serving.host.starts_with("127.0.0.1:"), "{}", serving.host);
    let page = serving.get(&serving.path);
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<h1>Passed</h1>"), "{page}");
    assert!(page.contains("Since report") && page.contains("connect-src 'self'"), "{page}");
    for path in
        ["/", "/news", "/report.json", &format!("/{}/", "0".repeat(32)), &format!("/{}/news", "0".repeat(32))]
    {
        let answer = serving.get(path);
        assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("<h1>"), "{path}: {answer}");
    }
    let mut events = serving.connect(&format!("{}news", serving.path), "");
    assert_eq!(news(&mut events)["page"], 0);
    // The report is another.
    let golden = project.path("golden/freebsd-15/link/modify-mtu-71.trace");
    let right = fs::read_to_string(&golden).unwrap();
    fs::write(&golden, right.replace("error=EINVAL", "error=EPERM")).unwrap();
    run(&project, &report);
    assert_eq!(news(&mut events)["page"], 1);
    assert!(serving.get(&serving.path).contains("<h1>Not passed</h1>"));
    // It is damaged: that is said, and the server lives.
    fs::write(report.join("report.json"), "{").unwrap();
    assert_eq!(news(&mut events)["page"], 2);
    let answer = serving.get(&serving.path);
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("report.json:1:"), "{answer}");
    fs::remove_file(report.join("report.json")).unwrap();
    let output = serving.end();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("warning"), "{}", text(&output));
    let mut rest = Vec::new();
    events.read_to_end(&mut rest).unwrap();
}

#[test]
fn other_addresses_than_loopback_are_warned_of_and_taken_ports_are_errors() {
    let project = Project::small(&VECTORS);
    let report = project.path("report");
    run(&project, &report);
    let serving = Serving::start(&mut serve(&project, &report, &["--listen", "0.0.0.0"]));
    assert!(serving.get(&serving.path).starts_with("HTTP/1.1 200 "));
    let port = serving.host.rsplit(':').next().unwrap().to_owned();
    let output = serve(&project, &report, &["--listen", &format!(":{port}")]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("without a port in --listen a free one is taken"), "{}", text(&output));
    let output = serving.end();
    assert!(
        text(&output).contains("warning: 0.0.0.0 can be reached from other machines"),
        "{}",
        text(&output)
    );
    for (listen, wanted) in
        [("localhost", "it is none of"), ("192.0.2.1", "this machine has no such address")]
    {
        let output = serve(&project, &report, &["--listen", listen]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(wanted), "{}", text(&output));
    }
    let output = serve(&project, &project.path("none"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("a report is what"), "{}", text(&output));
}

fn served_run(project: &Project, more: &[&str]) -> Command {
    let mut command = project.nlproof();
    command.args(["test-matrix", "--serve", "--target", "sim"]).args(more);
    command
}

#[test]
fn a_run_is_served_while_it_goes_on_and_its_readers_get_the_end() {
    let project = Project::copy();
    let mut serving = Serving::start(&mut served_run(&project, &["--listen", "127.0.0.1"]));
    let mut events = serving.connect(&format!("{}news", serving.path), "");
    let first = news(&mut events);
    let mut over = first.clone();
    while over["over"] == false {
        over = news(&mut events);
    }
    assert!(over["page"].as_u64() > first["page"].as_u64(), "{first} {over}");
    assert!(over["line"].as_str().unwrap().contains("vectors passed, 0 did not, in 8 cells"), "{over}");
    // The server waits for whoever listens.
    let page = serving.get(&serving.path);
    assert!(page.contains("<h1>Passed</h1>") && page.contains("link/create-lo"), "{}", &page[..2000]);
    assert!(!page.contains("EventSource"), "the last page follows nothing");
    let output = serving.wait();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(TcpStream::connect(&serving.host).is_err(), "nothing listens after the run");
}

#[test]
fn nothing_listens_unless_asked() {
    let project = Project::small(&VECTORS);
    let output =
        project.nlproof().args(["test-matrix", "--target", "sim", "--listen", "127.0.0.1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("--serve"), "{}", text(&output));
    let output = project.nlproof().args(["test-matrix", "--target", "sim"]).output().unwrap();
    assert!(!text(&output).contains("http:"), "{}", text(&output));
}
