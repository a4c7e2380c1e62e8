// SPDX-License-Identifier: BSD-2-Clause
//! Commands whose outputs cannot be written: they do not exit with 0, and do not panic.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::disk::on_small_disk;
use crate::skip::say;
use crate::support::{Project, text};

/// An output could not be written.
const UNWRITTEN: i32 = 105;
const VECTORS: [&str; 2] = ["link/create-lo", "link/modify-without-target"];
const SIM: [&str; 4] = ["--target", "sim", "--release", "15"];

/// Every command that needs no guest, with its exit code if nothing fails. What stands in capitals is a path.
const COMMANDS: &[(&str, i32)] = &[
    ("--help", 0),
    ("-h", 0),
    ("--version", 0),
    ("help report merge", 0),
    ("test-matrix --target sim", 0),
    ("test-matrix --report-dir REPORT", 0),
    ("test-matrix --list", 0),
    ("test-matrix --dry-run", 0),
    ("run link/create-lo", 0),
    ("run link/create-lo --raw", 0),
    ("trace link/create-lo", 0),
    ("trace link/create-lo --aggregate", 0),
    ("trace link/create-lo --flame", 0),
    ("record --target sim --release 15", 0),
    ("review", 0),
    ("review --check", 0),
    ("accept --all", 0),
    ("diff sim/14.0 sim/15", 0),
    ("matrix", 0),
    ("matrix --json", 0),
    ("report show REPORT", 0),
    ("report annotate REPORT", 0),
    ("report merge --into JOINED REPORT", 0),
    ("fuzz --target sim --release 15 --rounds 1 --findings NEW", 0),
    ("coverage --profile 15", 0),
    ("decode 1400000003000200000000000000000000000000", 0),
    ("import MESSAGE", 0),
    ("reduce link/create-lo --keep newlink --release 15 -o NEW", 0),
    ("export link/create-lo --c -", 0),
    ("verify --explain stack", 0),
    ("verify MODULE", 102),
    ("verify --format json MODULE", 102),
    ("verify --format sarif MODULE", 102),
    ("verify vectors", 0),
    ("verify vectors --format json", 0),
    ("verify vectors --format sarif", 0),
    ("console REPORT", 0),
    ("bench wire --seconds 0.001", 0),
    ("bench report REPORT --turns 1", 0),
    ("image list", 0),
    ("image gc", 0),
    ("kernel list", 0),
    ("doctor", 0),
    ("schema vector", 0),
    ("completions fish", 0),
    // Nothing is printed on standard output: it cannot fail.
    ("no-such-command", 2),
    ("run no/such", 2),
];
/// Commands that print nothing on standard output, or nothing before there is a guest or a compiler for it; `qualify`, which
/// needs a signed bundle, fills a disk in a test of its own (qualify.rs).
const SILENT: [&str; 9] = ["repro", "shell", "kmod", "man", "bisect", "qualify", "watch", "replay", "atf"];

/// Number of the next directory that is not there yet.
static NEW: AtomicUsize = AtomicUsize::new(0);

struct Outputs {
    project: Project,
}

impl Outputs {
    fn new() -> Self {
        let project = Project::small(&VECTORS);
        project.write("module.ko", "no module");
        let getlink = "20000000120005000100000000000000";
        project.write("message", &format!("{getlink}{}", "0".repeat(32)));
        let outputs = Outputs { project };
        assert_eq!(outputs.run("test-matrix --report-dir REPORT").status.code(), Some(0));
        outputs.project.write("report/freebsd-x.console", "FreeBSD\n");
        outputs
    }

    fn command(&self, words: &str) -> Command {
        let mut command = self.project.nlproof();
        for word in words.split_whitespace() {
            match word {
                "REPORT" => command.arg(self.project.path("report")),
                "JOINED" => command.arg(self.project.path("joined")),
                "NEW" => {
                    command.arg(self.project.path(&format!("new-{}", NEW.fetch_add(1, Ordering::Relaxed))))
                }
                "MESSAGE" => command.arg(self.project.path("message")),
                "MODULE" => command.arg(self.project.path("module.ko")),
                word => command.arg(word),
            };
        }
        command.env("NLPROOF_DISTS", self.project.path("no-dists")).env("PATH", "");
        command
    }

    fn run(&self, words: &str) -> std::process::Output {
        self.command(words).output().unwrap()
    }
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (_, writer) = io::pipe().unwrap();
    writer.into()
}

#[test]
fn no_command_ends_well_whose_output_finds_no_room() {
    if !Path::new("/dev/full").exists() {
        say("skipped: no_command_ends_well_whose_output_finds_no_room: no /dev/full");
        return;
    }
    let outputs = Outputs::new();
    for (words, code) in COMMANDS {
        let plain = outputs.run(words);
        assert_eq!(plain.status.code(), Some(*code), "{words}: {}", text(&plain));
        assert_eq!(plain.stdout.is_empty(), *code == 2, "{words}");
        let lost = outputs.command(words).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        let expected = if *code == 0 { UNWRITTEN } else { *code };
        assert_eq!(lost.status.code(), Some(expected), "{words}: {}", text(&lost));
        let told = "error: standard output cannot be written: No space left on device";
        assert_eq!(text(&lost).matches(told).count(), usize::from(*code != 2), "{words}: {}", text(&lost));
    }
}

#[test]
fn a_reader_that_has_seen_enough_changes_no_exit_code() {
    let outputs = Outputs::new();
    for (words, code) in COMMANDS {
        let output = outputs.command(words).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(*code), "{words}: {}", text(&output));
        assert!(!text(&output).contains("panicked"), "{words}: {}", text(&output));
        assert!(!text(&output).contains("cannot be written"), "{words}: {}", text(&output));
    }
}

#[test]
fn a_broken_standard_error_changes_nothing() {
    let outputs = Outputs::new();
    for (words, code) in COMMANDS {
        for (name, stderr) in [("closed", closed as fn() -> Stdio), ("full", full)] {
            let output = outputs.command(words).stdout(Stdio::piped()).stderr(stderr()).output().unwrap();
            assert_eq!(output.status.code(), Some(*code), "{words}, {name}: {}", text(&output));
            assert_eq!(output.stdout.is_empty(), *code == 2, "{words}, {name}");
        }
        // As with `2>&1 | head -1`: both are one pipe.
        let output = outputs.command(words).stdout(closed()).stderr(closed()).output().unwrap();
        assert_eq!(output.status.code(), Some(*code), "{words}");
    }
}

#[test]
fn every_command_is_in_the_table() {
    let help = text(&Outputs::new().run("-h"));
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let names = list.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  "));
    let names: Vec<_> = names
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() > 15, "{help}");
    for name in names {
        let listed = COMMANDS.iter().any(|(words, _)| words.split_whitespace().next() == Some(name));
        assert!(listed || SILENT.contains(&name), "{name}: no test writes its output to a full disk");
    }
}

#[test]
fn a_full_report_directory_costs_the_report_and_not_the_outcome() {
    let test = "a_full_report_directory_costs_the_report_and_not_the_outcome";
    let outputs = Outputs::new();
    let report = outputs.project.path("small");
    fs::create_dir(&report).unwrap();
    let run = |kib: u32, scripts: (&str, &str)| {
        let mut command = outputs.command("test-matrix --report-dir");
        on_small_disk(command.arg(&report).args(SIM), &report, kib, scripts)
            .map(|mut command| command.output().unwrap())
    };
    // Not one byte.
    let none = match run(64, ("cat /dev/zero > fill 2> /dev/null", "")) {
        Ok(output) => output,
        Err(why) => return say(&format!("skipped: {test}: no small disk: {why}")),
    };
    assert_eq!(none.status.code(), Some(UNWRITTEN), "{}", text(&none));
    let told = text(&none);
    assert!(told.contains("not kept: raw trace: "), "{told}");
    for file in ["report.json", "junit.xml"] {
        assert!(told.contains(&format!("{file}: No space left on device")), "{told}");
    }
    assert!(told.contains("test-matrix: 2 vectors passed, 0 did not, in 1 cell;"), "{told}");
    let mut merge = outputs.command("report merge REPORT --into");
    let filled = ("cat /dev/zero > fill 2> /dev/null", "ls");
    let joined = on_small_disk(merge.arg(&report), &report, 64, filled).unwrap().output().unwrap();
    assert_eq!(joined.status.code(), Some(UNWRITTEN), "{}", text(&joined));
    assert!(text(&joined).contains("report: 16 vectors passed, 0 did not"), "{}", text(&joined));
    assert!(!text(&joined).contains(".ndjson.zst\n"), "no half of a trace is left: {}", text(&joined));
    // Room for the report alone, which then says what is not beside it.
    let one_page = ("head -c 4096 /dev/zero > fill", "ls; cat report.json");
    let some = run(24, one_page).unwrap();
    let told = text(&some);
    assert!(told.contains("\nreport.json\n") && told.contains("\njunit.xml\n"), "{told}");
    if told.contains("not kept: raw trace") {
        assert_eq!(some.status.code(), Some(UNWRITTEN), "{told}");
        assert!(!told.contains("sim-15.ndjson.zst\n"), "no half of a trace is left: {told}");
        assert!(told.contains("\"not kept\": \"raw trace: "), "{told}");
    }
    // What the vectors say comes first.
    let golden = outputs.project.path("golden/common/link/modify-without-target.trace");
    let good = fs::read_to_string(&golden).unwrap();
    fs::write(&golden, good.replacen("error=EPERM", "error=EPERN", 1)).unwrap();
    let failed = run(64, ("cat /dev/zero > fill 2> /dev/null", "")).unwrap();
    assert_eq!(failed.status.code(), Some(100), "{}", text(&failed));
    assert!(text(&failed).contains("FAILED sim/15 link/modify-without-target"), "{}", text(&failed));
    assert!(text(&failed).contains("1 vector passed, 1 did not"), "{}", text(&failed));
}

#[test]
fn files_that_cannot_be_written_are_no_wrong_input() {
    let outputs = Outputs::new();
    outputs.project.write("file", "in the way");
    let below = outputs.project.path("file/below");
    for (words, told) in [
        ("test-matrix --target sim --report-dir", "error: cannot write "),
        ("trace link/create-lo --perfetto", "error: cannot write "),
        ("trace link/create-lo --ndjson", "error: cannot write "),
        ("report merge REPORT --into", "error: cannot write "),
    ] {
        let output = outputs.command(words).arg(&below).output().unwrap();
        assert_eq!(output.status.code(), Some(UNWRITTEN), "{words}: {}", text(&output));
        assert!(
            text(&output).contains(told) && text(&output).contains("file/below"),
            "{words}: {}",
            text(&output)
        );
    }
    // A trace is shown although its file cannot be written.
    let output = outputs.command("trace link/create-lo --perfetto").arg(&below).output().unwrap();
    assert!(text(&output).contains("request-in message=newlink"), "{}", text(&output));
}

#[test]
fn a_golden_that_finds_no_room_is_no_wrong_input() {
    let outputs = Outputs::new();
    let golden = outputs.project.path("golden");
    let record = outputs.command("record --target sim --release 15");
    let output = match on_small_disk(&record, &golden, 64, ("cat /dev/zero > fill 2> /dev/null", "")) {
        Ok(mut command) => command.output().unwrap(),
        Err(why) => return say(&format!("skipped: a_golden_that_finds_no_room_is_no_wrong_input: {why}")),
    };
    assert_eq!(output.status.code(), Some(UNWRITTEN), "{}", text(&output));
    assert!(text(&output).contains("create-lo.trace.new: cannot be written"), "{}", text(&output));
}

#[test]
fn whoever_may_read_the_directory_may_read_what_is_written_in_it() {
    let outputs = Outputs::new();
    for (umask, mode) in [("022", 0o644), ("027", 0o640)] {
        let written = outputs.project.path(&format!("written-{umask}"));
        fs::create_dir(&written).unwrap();
        fs::remove_dir_all(outputs.project.path("golden")).unwrap();
        let joined = written.join("joined");
        for (words, more) in [
            ("test-matrix --target sim --report-dir", written.join("report")),
            ("report merge REPORT --into", joined.clone()),
            ("trace link/create-lo --perfetto", written.join("trace.json")),
            ("trace link/create-lo --ndjson", written.join("trace.ndjson")),
            ("record --target", "sim".into()),
        ] {
            let command = outputs.command(words);
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &format!("umask {umask}; \"$@\""), "sh"]).arg(command.get_program());
            shell.args(command.get_args()).arg(&more);
            for (name, value) in command.get_envs() {
                value.map(|value| shell.env(name, value));
            }
            let output = shell.output().unwrap();
            // Without goldens vectors fail, and that is not what is asked here.
            assert!([Some(0), Some(100)].contains(&output.status.code()), "{words}: {}", text(&output));
        }
        let mut files = files_below(&written);
        files.extend(files_below(&outputs.project.path("golden")));
        files.push(outputs.project.path("cache/nlproof/timings.json"));
        for name in
            ["report.json", "junit.xml", "sim-15.ndjson.zst", "freebsd-x.console", "create-lo.trace.new"]
        {
            assert!(
                files.iter().any(|file| file.ends_with(name)) || name.ends_with("console"),
                "{name}: {files:?}"
            );
        }
        for file in files {
            let found = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "umask {umask}: {} has {found:o}", file.display());
        }
    }
}

fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
