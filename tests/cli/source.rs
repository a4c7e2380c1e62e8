// SPDX-License-Identifier: BSD-2-Clause
//! Kernels from source trees, with a stand-in for FreeBSD's build in a tree that the test makes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use object::Architecture;

use crate::kernel::kernel;
use crate::support::{Project, text};

/// What make.py of the tree does: the kernel is a file of the tree, and other files of it say what goes wrong.
const MAKE: &str = r#"
import os, shutil, sys, time
tree = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
target = next(word for word in sys.argv if word in ("kernel-toolchain", "buildkernel"))
print(">>> " + target, flush=True)
if target == "buildkernel":
    for name in ("broken", "full", "endless"):
        if os.path.exists(os.path.join(tree, name)):
            print(open(os.path.join(tree, name)).read(), flush=True)
            if name == "endless":
                time.sleep(600)
            sys.exit(2)
    conf = next(word for word in sys.argv if word.startswith("KERNCONF=")).split("=")[1]
    made = os.environ["MAKEOBJDIRPREFIX"] + tree + "/amd64.amd64/sys/" + conf
    os.makedirs(made + "/modules/if_epair", exist_ok=True)
    print("===> if_epair (all)")
    if os.path.exists(tree + "/kernel.bin"):
        shutil.copy(tree + "/kernel.bin", made + "/kernel")
    open(made + "/modules/if_epair/if_epair.ko", "w").close()
"#;

struct Tree {
    project: Project,
    path: PathBuf,
}

impl Tree {
    /// `None`, said by name, where there is no python3 to play make(1).
    fn new(test: &str) -> Option<Tree> {
        let python = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
        if !python.is_ok_and(|status| status.success()) {
            crate::skip::say(&format!("skipped: {test}: no python3"));
            return None;
        }
        let project = Project::small(&["link/create-lo"]);
        let path = project.path("src");
        for directory in ["sys/modules/if_epair", "tools/build"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        fs::write(path.join("sys/modules/if_epair/Makefile"), "").unwrap();
        fs::write(path.join("tools/build/make.py"), MAKE).unwrap();
        let bytes = kernel(Architecture::X86_64, 1_400_507, "14.0-STABLE", "x");
        fs::write(path.join("kernel.bin"), bytes).unwrap();
        fs::create_dir_all(project.path("llvm")).unwrap();
        for program in ["clang", "clang++", "clang-cpp", "ld.lld"] {
            fs::write(project.path("llvm").join(program), "").unwrap();
        }
        Some(Tree { project, path })
    }

    fn nlproof(&self) -> Command {
        let mut command = self.project.nlproof();
        command
            .env("NLPROOF_LLVM", self.project.path("llvm"))
            .env("NLPROOF_DISTS", self.project.path("dists"));
        command
    }

    fn build(&self) -> Command {
        let mut command = self.nlproof();
        command.args(["kernel", "build", "--src"]).arg(&self.path);
        command
    }

    fn fails(&self, name: &str, says: &str) -> Output {
        fs::write(self.path.join(name), says).unwrap();
        let output = self.build().output().unwrap();
        fs::remove_file(self.path.join(name)).unwrap();
        output
    }

    fn objects(&self) -> PathBuf {
        self.project.path("cache/nlproof/kernels/objects")
    }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"];
    let output =
        Command::new("git").arg("-C").arg(directory).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_tree_is_built_listed_and_removed_and_its_tools_are_built_once() {
    let Some(tree) = Tree::new("a_tree_is_built_listed_and_removed_and_its_tools_are_built_once") else {
        return;
    };
    let output = tree.build().output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in [
        "kernel-toolchain",
        "directory 1 of 1: modules/if_epair",
        "FreeBSD 14.0-STABLE #0 x: Mon (1 modules)",
        "ident     GENERIC",
    ] {
        assert!(said.contains(part), "{part} not in {said}");
    }
    let again = text(&tree.build().args(["--kernconf", "MINE", "--make-arg", "SRCCONF=x"]).output().unwrap());
    assert!(again.contains("kernel-toolchain"), "another configuration has objects of its own: {again}");
    let again = text(&tree.build().output().unwrap());
    assert!(!again.contains("kernel-toolchain"), "{again}");
    let listed = text(&tree.nlproof().args(["kernel", "list"]).output().unwrap());
    assert!(listed.contains(" GENERIC revision unknown to git") && listed.contains(" MINE "), "{listed}");
    let removed = text(&tree.nlproof().args(["kernel", "rm"]).arg(&tree.path).output().unwrap());
    assert!(removed.contains("2 directories of objects were removed"), "{removed}");
    let unknown = tree.nlproof().args(["kernel", "rm"]).arg(&tree.path).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2), "{}", text(&unknown));
}

#[test]
fn a_kernel_from_a_tree_is_a_cell() {
    let Some(tree) = Tree::new("a_kernel_from_a_tree_is_a_cell") else { return };
    let base = tree.project.path("dists/14.0-STABLE");
    fs::create_dir_all(&base).unwrap();
    let line = |file: &str| format!("{file}\t{}\t1\tx\t\"x\"\ton\n", "0".repeat(64));
    fs::write(base.join("MANIFEST"), line("base.txz") + &line("kernel.txz")).unwrap();
    ["base.txz", "kernel.txz"].iter().for_each(|file| fs::write(base.join(file), "").unwrap());
    let source = format!("--src={}", tree.path.display());
    let output = tree.nlproof().args(["matrix", "--kernconf", "GENERIC", &source]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("freebsd/14.0-STABLE+src/stock"), "{}", text(&output));
}

#[test]
fn what_goes_wrong_in_a_build_is_told_with_its_cause() {
    let Some(tree) = Tree::new("what_goes_wrong_in_a_build_is_told_with_its_cause") else { return };
    let error = "sys/netlink/route/iface.c:9:1: error: unknown type name 'x'\n    9 | x y;\n      | ^";
    let broken = tree.fails("broken", error);
    assert_eq!(broken.status.code(), Some(101), "{}", text(&broken));
    for part in
        ["buildkernel of", "| sys/netlink/route/iface.c:9:1: error:", "|     9 | x y;", "the whole log:"]
    {
        assert!(text(&broken).contains(part), "{part} not in {}", text(&broken));
    }
    let full = tree.fails("full", "ld: cannot write: No space left on device");
    assert_eq!(full.status.code(), Some(101));
    assert!(text(&full).contains("the disk is full; make room"), "{}", text(&full));
    fs::rename(tree.path.join("kernel.bin"), tree.path.join("elsewhere")).unwrap();
    let none = tree.build().output().unwrap();
    assert_eq!(none.status.code(), Some(101));
    assert!(text(&none).contains("left no kernel in"), "{}", text(&none));
    let no_sys =
        tree.nlproof().args(["kernel", "build", "--src"]).arg(tree.project.path("llvm")).output().unwrap();
    assert_eq!(no_sys.status.code(), Some(2), "{}", text(&no_sys));
    assert!(text(&no_sys).contains("it has no sys"), "{}", text(&no_sys));
    let no_tools = tree.build().env("NLPROOF_LLVM", "/nonexistent").output().unwrap();
    assert_eq!(no_tools.status.code(), Some(104));
    assert!(text(&no_tools).contains("apt-get install"), "{}", text(&no_tools));
    fs::remove_dir_all(tree.objects()).unwrap();
    fs::write(tree.objects(), "in the way").unwrap();
    let unwritable = tree.build().output().unwrap();
    assert_eq!(unwritable.status.code(), Some(101));
    for part in ["cannot write", "XDG_CACHE_HOME"] {
        assert!(text(&unwritable).contains(part), "{}", text(&unwritable));
    }
}

#[test]
fn of_two_builds_of_one_tree_the_second_waits() {
    let Some(tree) = Tree::new("of_two_builds_of_one_tree_the_second_waits") else { return };
    assert!(tree.build().status().unwrap().success());
    let locks = fs::read_dir(tree.objects()).unwrap().map(|entry| entry.unwrap().path());
    let lock = locks.into_iter().find(|path| path.extension().is_some_and(|end| end == "lock")).unwrap();
    let held = fs::File::open(lock).unwrap();
    held.lock().unwrap();
    let mut second = tree.build().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("wait for another build of this tree"));
    held.unlock().unwrap();
    lines.for_each(drop);
    assert!(second.wait().unwrap().success());
}

#[test]
fn an_interrupted_build_ends_and_the_next_one_goes_on() {
    let Some(tree) = Tree::new("an_interrupted_build_ends_and_the_next_one_goes_on") else { return };
    fs::write(tree.path.join("endless"), "===> begun (all)").unwrap();
    let mut build = tree.build().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(build.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("directory 1 of 1")), "it did not begin");
    let killed = Command::new("kill").args(["-INT", &build.id().to_string()]).status().unwrap();
    assert!(killed.success());
    lines.for_each(drop);
    assert_eq!(build.wait().unwrap().code(), Some(130));
    fs::remove_file(tree.path.join("endless")).unwrap();
    let next = tree.build().output().unwrap();
    assert_eq!(next.status.code(), Some(0), "{}", text(&next));
    assert!(!text(&next).contains("kernel-toolchain"), "{}", text(&next));
}

#[test]
fn a_bisection_skips_what_does_not_build_and_leaves_the_checkout_alone() {
    let Some(tree) = Tree::new("a_bisection_skips_what_does_not_build_and_leaves_the_checkout_alone") else {
        return;
    };
    if Command::new("git").arg("--version").stdout(Stdio::null()).status().is_err() {
        crate::skip::say(
            "skipped: a_bisection_skips_what_does_not_build_and_leaves_the_checkout_alone: no git",
        );
        return;
    }
    git(&tree.path, &["init", "-q", "-b", "main"]);
    fs::write(tree.path.join("broken"), "x.c:1:1: error: it does not compile").unwrap();
    for number in 0..4 {
        fs::write(tree.path.join("number"), number.to_string()).unwrap();
        git(&tree.path, &["add", "-A"]);
        git(&tree.path, &["commit", "-q", "-m", &format!("change {number}")]);
    }
    fs::write(tree.path.join("number"), "not committed").unwrap();
    let before = (git(&tree.path, &["status", "--porcelain"]), git(&tree.path, &["rev-parse", "HEAD"]));
    let bisect = |until: &str| {
        let mut command = tree.nlproof();
        command.args(["bisect", "link/create-lo", "--good", "main~3", "--bad", "main", "--until", until]);
        command.args(["--module", "stock", "--release", "14.0-STABLE", "--profile", "14.0", "--src"]);
        command.arg(&tree.path).output().unwrap()
    };
    let output = bisect("differs");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(104), "{said}");
    assert!(
        said.contains("skip: ")
            && said.contains("buildkernel of")
            && said.contains("git bisect cannot go on"),
        "{said}"
    );
    assert_eq!(
        before,
        (git(&tree.path, &["status", "--porcelain"]), git(&tree.path, &["rev-parse", "HEAD"]))
    );
    let again = text(&bisect("differs"));
    assert!(again.contains("goes on in"), "{again}");
    assert!(!text(&bisect("panics")).contains("goes on in"));
    let mut unknown = tree.nlproof();
    unknown.args(["bisect", "link/create-lo", "--good", "nowhere", "--bad", "main", "--src"]);
    assert_eq!(unknown.arg(&tree.path).output().unwrap().status.code(), Some(2));
    // What another commit would not mend ends the search.
    fs::write(tree.path.join("broken"), "ld: cannot write: No space left on device").unwrap();
    git(&tree.path, &["commit", "-q", "-a", "-m", "full"]);
    git(&tree.path, &["commit", "-q", "--allow-empty", "-m", "full still"]);
    let bisect = |good: &str, bad: &str| {
        let mut command = tree.nlproof();
        command.args(["bisect", "link/create-lo", "--good", good, "--bad", bad, "--release", "14.0-STABLE"]);
        command.arg("--src").arg(&tree.path).output().unwrap()
    };
    let full = bisect("main~2", "main");
    assert_eq!(full.status.code(), Some(101), "{}", text(&full));
    assert!(text(&full).contains("the disk is full") && !text(&full).contains("skip: "), "{}", text(&full));
    // Of two neighbours nothing is left to ask, and both are looked at for what they answer.
    let believed = bisect("main~3", "main~2");
    assert_eq!(believed.status.code(), Some(104), "{}", text(&believed));
    assert!(text(&believed).contains("was believed to be good, and is not to be built or booted"));
    // The worktree is listed, and goes with its objects and nothing of the repository.
    let listed = text(&tree.nlproof().args(["kernel", "list"]).output().unwrap());
    let worktree = format!("worktree of {}, for bisect", tree.path.display());
    assert!(listed.contains(&worktree) && listed.contains(" GENERIC revision "), "{listed}");
    let removed = text(&tree.nlproof().args(["kernel", "rm"]).arg(&tree.path).output().unwrap());
    assert!(removed.contains("removed the worktree of "), "{removed}");
    let left = text(&tree.nlproof().args(["kernel", "list"]).output().unwrap());
    assert!(left.contains("no objects of kernels"), "{left}");
    assert_eq!(git(&tree.path, &["worktree", "list"]).lines().count(), 1);
}

#[test]
fn a_build_in_the_background_hears_what_one_at_a_terminal_does() {
    let test = "a_build_in_the_background_hears_what_one_at_a_terminal_does";
    let Some(tree) = Tree::new(test) else { return };
    // bmake(1) tests itself before it is used, with interruptions too; shells have what they start in the background
    // ignore those.
    let says = "import signal\nprint('>>> interrupted by', signal.getsignal(signal.SIGINT), flush=True)\n";
    let make = fs::read_to_string(tree.path.join("tools/build/make.py")).unwrap();
    fs::write(tree.path.join("tools/build/make.py"), make + says).unwrap();
    let mut command = Command::new("sh");
    let build = tree.build();
    command
        .args(["-c", "trap '' INT QUIT; exec \"$@\"", "sh"])
        .arg(build.get_program())
        .args(build.get_args());
    for (name, value) in build.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let said = text(&command.stdin(Stdio::null()).output().unwrap());
    assert!(said.contains("interrupted by <built-in function default_int_handler>"), "{said}");
}
