// SPDX-License-Identifier: BSD-2-Clause
//! What ran of a kernel's own code on the page of a report: `report html --blocks`, blocks.json beside a report, and what is
//! wrong with either.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::kernel_report::{KERNEL, SOURCE, UNREACHED, as_kernel, blocks};
use crate::support::{Project, text};

/// A project with the report of a kernel in `report`.
fn project() -> Project {
    let project = Project::small(&["link/create-lo"]);
    let output = project
        .nlproof()
        .args(["test-matrix", "--target", "sim", "--release", "14.0", "--report-dir"])
        .arg(project.path("report"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    as_kernel(&project.path("report"));
    fs::create_dir_all(project.path("unreached")).unwrap();
    project.write("unreached/14.0-STABLE.yaml", UNREACHED);
    fs::create_dir_all(project.path("src/sys/netlink/route")).unwrap();
    project.write("src/sys/netlink/route/iface.c", SOURCE);
    project
}

fn html(project: &Project, more: &[&str]) -> Output {
    let report = project.path("report");
    let path =
        |word: &&str| if word.starts_with("--") { word.into() } else { project.path(word).into_os_string() };
    project.nlproof().args(["report", "html"]).arg(report).args(more.iter().map(path)).output().unwrap()
}

fn page(project: &Project) -> String {
    fs::read_to_string(project.path("report/report.html")).unwrap()
}

const SECTION: &str = "Blocks of the kernel's own code";

#[test]
fn blocks_are_shown_with_their_vectors_and_their_reasons() {
    let project = project();
    let output = html(&project, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!page(&project).contains(SECTION), "there are none");
    project.write("some.json", &blocks());
    let output = html(&project, &["--blocks", "some.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("warning"), "{}", text(&output));
    let shown = page(&project);
    for part in [
        SECTION,
        "2 of 3 blocks reached by 3 vectors, 1 of 1 function entered",
        "id=\"blocks-freebsd/14.0-STABLE/stock-dump_&lt;iface&gt;\"",
        "<th scope=\"row\">+0x0</th><td>iface.c:3</td><td><a href=\"#link/create-lo\">link/create-lo</a></td>",
        "<th scope=\"row\">+0x4</th><td>iface.c:5</td><td>not reached: no memory &lt;here&gt;</td>",
        "reached first by link/not-here, which is not in this report",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shown.contains("id=\"link/create-lo\""), "the link leads somewhere");
    // Beside the report the file is found by its name.
    project.write("report/blocks.json", &blocks());
    assert_eq!(html(&project, &[]).status.code(), Some(0));
    assert_eq!(page(&project), shown);
}

#[test]
fn source_is_shown_from_the_user_s_own_tree_and_is_never_markup() {
    let project = project();
    project.write("report/blocks.json", &blocks());
    let output = html(&project, &["--source", "src"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let shown = page(&project);
    assert!(shown.contains("<td class=\"code\">\tif (x &lt;b&gt;y&lt;/b&gt; 0)</td>"), "{shown}");
    assert!(
        shown.contains("<span class=\"idle\">+0x4 not reached: no memory &lt;here&gt;</span>"),
        "{shown}"
    );
    // What the tree does not have is said, and the blocks are shown without it.
    fs::remove_file(project.path("src/sys/netlink/route/iface.c")).unwrap();
    let output = html(&project, &["--source", "src"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("sys/netlink/route/iface.c: cannot be read"), "{}", text(&output));
    assert!(page(&project).contains("<th scope=\"row\">+0x4</th>"));
    // No tree, and nothing that sources could stand beside.
    let output = html(&project, &["--source", "no-such-tree"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("no-such-tree: is no directory"), "{}", text(&output));
    fs::remove_file(project.path("report/blocks.json")).unwrap();
    let output = html(&project, &["--source", "src"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(
        text(&output).contains("help: nlproof coverage --kernel-blocks --report-dir DIR"),
        "{}",
        text(&output)
    );
}

#[test]
fn blocks_that_do_not_belong_to_the_report_are_left_out_and_said() {
    let project = project();
    let good = blocks();
    let cut = &good[..good.len() / 2];
    let old = good.replace("nlproof-blocks-1", "nlproof-blocks-0");
    // Asked for, such a file is wrong; beside the report it costs the section.
    for (wrong, wanted) in [
        (cut, "some.json:1:"),
        (old.as_str(), "is of schema nlproof-blocks-0; this nlproof reads nlproof-blocks-1"),
        ("[]", "it has no `schema`"),
    ] {
        project.write("some.json", wrong);
        let output = html(&project, &["--blocks", "some.json"]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(wanted), "{wanted}: {}", text(&output));
        project.write("report/blocks.json", wrong);
        let output = html(&project, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(
            text(&output).contains("warning: ") && !page(&project).contains(SECTION),
            "{}",
            text(&output)
        );
    }
    let output = html(&project, &["--blocks", "none.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let other = "cd".repeat(32);
    for (wrong, wanted) in [
        (
            good.replace(KERNEL, &other),
            format!("it is of another kernel: sha256 {other}, and the report's is {KERNEL}"),
        ),
        (good.replace(&format!("\"kernel\":\"{KERNEL}\","), ""), "an older nlproof wrote it".into()),
        (good.replace("14.0-STABLE/stock", "14.0-STABLE/rust"), "this report has no such cell".into()),
    ] {
        assert_ne!(wrong, good);
        project.write("report/blocks.json", &wrong);
        let output = html(&project, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let wanted = format!(": block coverage is left out: {wanted}");
        assert!(text(&output).contains(&wanted), "{wanted}: {}", text(&output));
        let shown = page(&project);
        assert!(!shown.contains(SECTION) && shown.contains("block coverage is left out"), "{shown}");
    }
}

#[test]
fn coverage_puts_its_blocks_into_a_report() {
    let project = project();
    project.write("slice.json", &blocks());
    let merge = |into: &Path| {
        let mut command = project.nlproof();
        command.args(["coverage", "--kernel-blocks", "--merge"]).arg(project.path("slice.json"));
        command.arg("--report-dir").arg(into).output().unwrap()
    };
    let output = merge(&project.path("report"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(page(&project).contains(SECTION) && !text(&output).contains("note: "), "{}", text(&output));
    // Where there is no report there is no page, and that is said.
    let output = merge(&project.path("new"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("has no report.json, and a page needs one"), "{}", text(&output));
    assert!(project.path("new/blocks.json").exists() && !project.path("new/report.html").exists());
}
