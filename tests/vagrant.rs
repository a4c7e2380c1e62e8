// SPDX-License-Identifier: BSD-2-Clause
//! The Vagrantfile, read as Vagrant would: needs ruby, not Vagrant.

#[path = "support/skip.rs"]
mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn validate(vagrantfile: &Path, provider: &str) -> Output {
    Command::new("ruby")
        .arg(root("tests/fixtures/vagrant/validate.rb"))
        .arg(vagrantfile)
        .arg(provider)
        .output()
        .unwrap()
}

fn no_ruby(test: &str) -> bool {
    let ruby = Command::new("ruby").arg("--version").output();
    let missing = !ruby.is_ok_and(|output| output.status.success());
    if missing {
        support::say(&format!("skipped: {test}: no ruby (Debian: ruby)"));
    }
    missing
}

#[test]
fn both_providers_get_a_whole_machine() {
    if no_ruby("both_providers_get_a_whole_machine") {
        return;
    }
    for provider in ["libvirt", "virtualbox"] {
        let output = validate(&root("Vagrantfile"), provider);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let seen = String::from_utf8(output.stdout).unwrap();
        let cpus = format!("{provider}.cpus 2");
        for wanted in ["vm.box ", "vm.guest freebsd", "ssh.shell sh", &cpus, "folder . /nlproof rsync"] {
            assert!(seen.lines().any(|line| line.starts_with(wanted)), "{provider}: no {wanted}:\n{seen}");
        }
        // What the machine is provisioned with is a script that a shell can read.
        let script: Vec<_> = seen.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert!(script.iter().any(|line| line.contains("pkg install rust")), "{seen}");
        let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(script.join("\n").as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success(), "{script:#?}");
    }
}

#[test]
fn a_damaged_vagrantfile_is_refused() {
    if no_ruby("a_damaged_vagrantfile_is_refused") {
        return;
    }
    let good = std::fs::read_to_string(root("Vagrantfile")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Vagrantfile");
    for (from, to, what) in [
        ("Vagrant.configure(\"2\") do |config|\n", "", "yntax"),
        ("libvirt.cpus", "libvirt.processors", "libvirt has no setting `processors=`"),
        ("provider \"libvirt\"", "provider \"libwirt\"", "no provider `libwirt`"),
        ("configure(\"2\")", "configure(\"3\")", "version 3"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        std::fs::write(&path, bad).unwrap();
        let output = validate(&path, "libvirt");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(what), "{from}: {stderr}");
    }
}
