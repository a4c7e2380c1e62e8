// SPDX-License-Identifier: BSD-2-Clause
//! The workflow files and issue forms: well-formed, jobs that exist, scripts that the shell reads, and commands that this
//! very nlproof takes. A linter of the CI systems' own is better where there is one; this is what can be known without.

#[path = "support/skip.rs"]
mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser as _;
use nlproof::cli::Cli;
use nlproof::file::parse_yaml;
use serde_json::Value;

fn checkout(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The workflow that spreads the matrix on GitHub.
const GITHUB: &str = ".github/workflows/nlproof.yml";
/// The one for GitLab.
const GITLAB: &str = "ci/gitlab-ci.yml";

/// The YAML files of a directory.
fn yaml_files(directory: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(checkout(directory)).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yml")).collect();
    assert!(!files.is_empty(), "{directory}");
    files
}

/// What is wrong with a workflow, job by job.
struct Lint(Vec<String>);

impl Lint {
    fn complain(&mut self, job: &str, what: impl std::fmt::Display) {
        self.0.push(format!("{job}: {what}"));
    }

    fn needs(&mut self, name: &str, job: &Value, jobs: &serde_json::Map<String, Value>) {
        for needed in texts(&job["needs"]) {
            if !jobs.contains_key(&needed) {
                self.complain(name, format!("needs `{needed}`, which is no job"));
            }
        }
    }

    /// A script as the runner gives it to the shell, with the values that the CI system puts in.
    fn script(&mut self, job: &str, script: &str) {
        let script = filled(script);
        let mut shell =
            Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        if !output.status.success() {
            self.complain(job, String::from_utf8_lossy(&output.stderr).trim());
        }
        for command in script.lines().filter_map(nlproof_arguments) {
            if let Err(error) =
                Cli::try_parse_from(std::iter::once("nlproof").chain(command.split_whitespace()))
            {
                self.complain(job, format!("`nlproof {command}`: {error}"));
            }
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Expressions and variables with a value that they may have.
fn filled(script: &str) -> String {
    let mut filled = script.to_owned();
    for (expression, value) in [
        ("${{ matrix.args }}", "--target sim --release 14.0"),
        ("${{ matrix.needs }}", "sim"),
        ("$CELLS", "--target sim"),
        ("$CI_NODE_INDEX", "1"),
        ("$CI_NODE_TOTAL", "2"),
    ] {
        filled = filled.replace(expression, value);
    }
    filled
}

/// The arguments of a line's nlproof command, if it has one: to the first thing that is the shell's.
fn nlproof_arguments(line: &str) -> Option<String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let place = words.iter().position(|word| *word == "nlproof" || word.ends_with("/nlproof"))?;
    // What a command is the argument of ends with it.
    let word = |word: &&str| word.trim_end_matches([';', ')']).to_owned();
    // `install .../nlproof /usr/...` and `chmod +x .../nlproof` run something else.
    if words[..place].iter().any(|word| ["install", "chmod"].contains(word)) {
        return None;
    }
    let end = |word: &&&str| !word.starts_with(['>', '|', ';']) && **word != "fi";
    let arguments: Vec<_> = words[place + 1..].iter().take_while(end).map(word).collect();
    Some(arguments.join(" "))
}

fn lint_github(text: &str) -> Vec<String> {
    let mut lint = Lint(Vec::new());
    let workflow: Value = match parse_yaml(Path::new("workflow"), text) {
        Ok(workflow) => workflow,
        Err(error) => return vec![error.to_string()],
    };
    for key in ["name", "on", "permissions", "jobs"] {
        if workflow.get(key).is_none() {
            lint.complain("workflow", format!("has no `{key}`"));
        }
    }
    let none = serde_json::Map::new();
    let jobs = workflow["jobs"].as_object().unwrap_or(&none);
    for (name, job) in jobs {
        lint.needs(name, job, jobs);
        for key in ["runs-on", "timeout-minutes", "steps"] {
            if job.get(key).is_none() {
                lint.complain(name, format!("has no `{key}`"));
            }
        }
        for step in job["steps"].as_array().unwrap_or(&Vec::new()) {
            match (step["uses"].as_str(), step["run"].as_str()) {
                (Some(action), None) if action.contains('@') => {}
                (Some(action), None) => lint.complain(name, format!("{action} names no version")),
                (None, Some(script)) => lint.script(name, script),
                _ => lint.complain(name, format!("a step must either use or run: {step}")),
            }
        }
        let text = job.to_string();
        for output in text.split("needs.").skip(1).filter_map(|rest| rest.split('.').next()) {
            if !texts(&job["needs"]).iter().any(|needed| needed == output) {
                lint.complain(name, format!("reads needs.{output}, which it does not need"));
            }
        }
    }
    lint.0
}

fn lint_gitlab(text: &str) -> Vec<String> {
    let mut lint = Lint(Vec::new());
    let pipeline: Value = match parse_yaml(Path::new("pipeline"), text) {
        Ok(pipeline) => pipeline,
        Err(error) => return vec![error.to_string()],
    };
    let stages = texts(&pipeline["stages"]);
    let none = serde_json::Map::new();
    let all = pipeline.as_object().unwrap_or(&none);
    let keywords = ["stages", "variables", "default", "include", "workflow"];
    let jobs: serde_json::Map<_, _> = all
        .iter()
        .filter(|(name, _)| !keywords.contains(&name.as_str()))
        .map(|(name, job)| (name.clone(), job.clone()))
        .collect();
    for (name, job) in &jobs {
        lint.needs(name, job, &jobs);
        if !job["stage"].as_str().is_some_and(|stage| stages.iter().any(|known| known == stage)) {
            lint.complain(name, format!("stage {} is not in `stages`", job["stage"]));
        }
        let script = texts(&job["script"]);
        if script.is_empty() {
            lint.complain(name, "has no `script`");
        }
        lint.script(name, &script.join("\n"));
    }
    lint.0
}

/// What GitHub would not show of an issue form.
fn lint_form(text: &str) -> Vec<String> {
    let mut lint = Lint(Vec::new());
    let form: Value = match parse_yaml(Path::new("form"), text) {
        Ok(form) => form,
        Err(error) => return vec![error.to_string()],
    };
    for key in ["name", "description"] {
        if !form[key].is_string() {
            lint.complain("form", format!("has no `{key}`"));
        }
    }
    let body = form["body"].as_array().cloned().unwrap_or_default();
    if body.is_empty() {
        lint.complain("form", "asks nothing");
    }
    let mut known = Vec::new();
    for element in &body {
        let id = element["id"].as_str().unwrap_or_default();
        if id.is_empty() || known.contains(&id) {
            lint.complain("form", format!("an element without an id of its own: {element}"));
        }
        known.push(id);
        let kind = element["type"].as_str().unwrap_or_default();
        if !["input", "textarea", "dropdown", "checkboxes"].contains(&kind) {
            lint.complain(id, format!("no element is a `{kind}`"));
        }
        if !element["attributes"]["label"].is_string() {
            lint.complain(id, "has no label");
        }
        if kind == "dropdown" && texts(&element["attributes"]["options"]).is_empty() {
            lint.complain(id, "has no options");
        }
    }
    lint.0
}

fn read(name: &str) -> String {
    std::fs::read_to_string(checkout(name)).unwrap()
}

#[test]
fn the_workflows_of_github_are_sound() {
    for file in yaml_files(".github/workflows") {
        let complaints = lint_github(&std::fs::read_to_string(&file).unwrap());
        assert!(complaints.is_empty(), "{}: {complaints:?}", file.display());
    }
}

#[test]
fn the_workflow_of_gitlab_is_sound() {
    assert_eq!(lint_gitlab(&read(GITLAB)), [""; 0]);
}

#[test]
fn the_issue_forms_are_sound_and_each_damage_is_found() {
    for file in yaml_files(".github/ISSUE_TEMPLATE") {
        if file.ends_with("config.yml") {
            continue;
        }
        let complaints = lint_form(&std::fs::read_to_string(&file).unwrap());
        assert!(complaints.is_empty(), "{}: {complaints:?}", file.display());
    }
    let vector = read(".github/ISSUE_TEMPLATE/vector.yml");
    for (from, to, what) in [
        ("name: A", "nam: A", "has no `name`"),
        ("type: dropdown", "type: dropdwon", "no element is a `dropdwon`"),
        ("id: draft", "id: what", "without an id of its own"),
        ("      label: A draft", "      labl: A draft", "has no label"),
        ("      options:", "      option:", "has no options"),
        ("body:", "bdy:", "asks nothing"),
    ] {
        let bad = vector.replacen(from, to, 1);
        assert_ne!(bad, vector, "{from}");
        let complaints = lint_form(&bad).join("\n");
        assert!(complaints.contains(what), "{from}: {complaints}");
    }
}

#[test]
fn the_gate_of_the_workflow_is_the_gate() {
    let workflow = read(GITHUB);
    assert!(workflow.contains("run: ci/check\n"), "{workflow}");
    assert!(read(".ci/run").contains("ci/check"), "{}", read(".ci/run"));
}

#[test]
fn each_damage_to_a_workflow_is_found() {
    let github = read(GITHUB);
    for (from, to, what) in [
        ("needs: cells\n", "needs: cels\n", "needs `cels`, which is no job"),
        ("nlproof doctor", "nlproof docter", "unrecognized subcommand"),
        ("--report-dir report", "--report-directory report", "unexpected argument"),
        ("report merge --expect artifact/matrix.json", "report merge --expect", "required"),
        ("actions/cache@v4", "actions/cache", "names no version"),
        ("; fi\n", "\n", "syntax error"),
        ("    runs-on: ubuntu-24.04\n", "", "has no `runs-on`"),
        ("needs: [cells, cell]", "needs: [cell]", "reads needs.cells"),
        ("permissions:", "permission:", "has no `permissions`"),
        ("jobs:", "jobs: [", "workflow:"),
    ] {
        let bad = github.replacen(from, to, 1);
        assert_ne!(bad, github, "{from}");
        let complaints = lint_github(&bad).join("\n");
        assert!(complaints.contains(what), "{from}: {complaints}");
    }
    let gitlab = read(GITLAB);
    for (from, to, what) in [
        ("stage: report", "stage: reports", "is not in `stages`"),
        ("\"nlproof:build\", \"nlproof:test\"", "\"nlproof:built\"", "needs `nlproof:built`"),
        ("$CI_NODE_INDEX/$CI_NODE_TOTAL", "$CI_NODE_TOTAL/$CI_NODE_INDEX", "there is no slice 2 of 1"),
    ] {
        let bad = gitlab.replacen(from, to, 1);
        assert_ne!(bad, gitlab, "{from}");
        let complaints = lint_gitlab(&bad).join("\n");
        assert!(complaints.contains(what), "{from}: {complaints}");
    }
}

/// The packages that `ci/install-debian PART...` would install.
fn packages(parts: &[&str]) -> Result<Vec<String>, String> {
    let output =
        Command::new("sh").arg(checkout("ci/install-debian")).arg("-n").args(parts).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    Ok(text(&output.stdout).lines().map(str::to_owned).collect())
}

#[test]
fn a_job_installs_what_its_cells_need_and_no_more() {
    assert_eq!(packages(&["sim"]), Ok(vec![]));
    let guest = packages(&["guest"]).unwrap();
    assert!(guest.contains(&"qemu-system-x86".to_owned()), "{guest:?}");
    assert!(!guest.iter().any(|package| ["tmux", "ruby", "g++"].contains(&package.as_str())), "{guest:?}");
    let gate = packages(&[]).unwrap();
    assert!(guest.iter().chain([&"yamllint".to_owned()]).all(|package| gate.contains(package)), "{gate:?}");
    assert!(packages(&["gest"]).unwrap_err().contains("no part `gest`"));
    // What `matrix` says that cells need is a part.
    let needs = |cells: &[&str]| {
        let tests = checkout("tests");
        let mut nlproof = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        let output =
            nlproof.arg("--tests").arg(tests).args(["matrix", "--needs"]).args(cells).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(needs(&["--target", "sim"]), "sim");
    assert_eq!(needs(&["--target", "freebsd", "--module", "stock"]), "guest");
    assert_eq!(needs(&[]), "guest module sim");
    for part in ["sim", "guest", "module"] {
        assert!(packages(&[part]).is_ok(), "{part}");
    }
}

#[test]
fn the_workflows_are_yaml_that_yamllint_takes() {
    let version = Command::new("yamllint").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        support::say("skipped: the_workflows_are_yaml_that_yamllint_takes: no yamllint (Debian: yamllint)");
        return;
    }
    let rules = "{extends: default, rules: {line-length: {max: 130}, truthy: {check-keys: false}, document-start: disable}}";
    let output = Command::new("yamllint")
        .args(["--strict", "-d", rules])
        .args(yaml_files(".github/workflows"))
        .args(yaml_files(".github/ISSUE_TEMPLATE"))
        .arg(checkout(GITLAB))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
