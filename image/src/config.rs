// SPDX-License-Identifier: BSD-2-Clause
//! The files that make a release's root tree a guest of ours.

use std::{collections::BTreeSet, fmt::Write as _};

use sha2::Digest as _;

use crate::{
    error::ImageError,
    loader_module::LoaderModule,
    modules,
    options::BuildOptions,
    path::TreePath,
    tree::{Meta, Tree, TreeError},
};

/// A file of ours in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestFile {
    /// Absolute path of the file.
    pub path: String,
    /// Permissions of the file; the owner is root.
    pub mode: u32,
    /// What is in it.
    pub contents: Vec<u8>,
}

/// Source of a file's contents.
enum Body {
    /// A text that is the same in every image.
    Text(&'static str),
    /// The same, when the stock `/etc/rc` is not asked for.
    OwnRc(&'static str),
    /// The same, when it is.
    StockRc(&'static str),
    /// `loader.conf`, with the modules that this kernel has.
    Loader(&'static str),
}

/// Files written into the tree: path, mode, contents, reason.
const FILES: &[(&str, u32, Body, &str)] = &[
    (
        "boot.config",
        0o644,
        Body::Text(include_str!("../guest/boot.config")),
        "gptboot: no wait of three seconds for a key, messages to the serial port (boot.config(5))",
    ),
    (
        "boot/loader.conf",
        0o644,
        Body::Loader(include_str!("../guest/loader.conf")),
        "loader: serial console, no delay, interface modules; kernel: a panic ends quickly",
    ),
    (
        "etc/fstab",
        0o644,
        Body::Text(include_str!("../guest/fstab")),
        "the loader reads from it where the root file system is, whatever driver the disk gets",
    ),
    ("etc/rc", 0o755, Body::OwnRc(include_str!("../guest/rc")), "27 s of a 35 s boot under TCG"),
    (
        "etc/rc.d/nlproof_ready",
        0o755,
        Body::StockRc(include_str!("../guest/rc.ready")),
        "the same mark on the console when the stock /etc/rc starts the guest",
    ),
    (
        "etc/rc.d/nlproof_seed",
        0o755,
        Body::StockRc(include_str!("../guest/rc.seed")),
        "keys and addresses of the run when the stock /etc/rc starts the guest",
    ),
    ("etc/rc.conf", 0o644, Body::Text(include_str!("../guest/rc.conf")), "for the stock /etc/rc"),
    (
        "etc/sysctl.conf",
        0o644,
        Body::Text(include_str!("../guest/sysctl.conf")),
        "what a panicked kernel is asked by its own debugger",
    ),
    ("etc/ttys", 0o644, Body::Text(include_str!("../guest/ttys")), "ten getty processes less to start"),
    (
        "etc/ssh/sshd_config",
        0o644,
        Body::Text(include_str!("../guest/sshd_config")),
        "root by key alone, no name look-ups, no PAM",
    ),
];

/// Files that base.txz must hold for the guest to be reachable, with the reason.
pub(crate) const NEEDED: &[(&str, &str)] = &[
    ("sbin/init", "the kernel starts it first"),
    ("bin/sh", "init runs /etc/rc with it"),
    ("boot/loader", "gptboot starts it"),
    ("usr/sbin/sshd", "the harness talks to it"),
    ("bin/pax", "the guest unpacks its seed disk with it"),
    ("etc/pwd.db", "root could not log in without the password database"),
    ("etc/spwd.db", "root could not log in without the password database"),
];

/// Writes our files into `tree`.
pub(crate) fn configure(tree: &mut Tree, options: &BuildOptions) -> Result<(), ImageError> {
    let modules = modules::to_load(tree, options.module_names())?;
    let own = options.loader_module.as_ref();
    let loader =
        |text: &str| loader_conf(text, &modules) + &own.map_or_else(String::new, LoaderModule::loader_conf);
    if let Some(module) = own {
        tree.put(&module.path(), 0o555, &module.bytes)?;
    }
    for (path, mode, body, _) in FILES {
        let Some(contents) = contents(body, options, loader) else {
            continue;
        };
        tree.write(TreePath::known(path), Meta::ours(*mode), &contents)
            .map_err(|error| refused(path, error))?;
    }
    Ok(())
}

/// Our files of /boot for a disk whose root file system is on another one, with path and mode.
pub(crate) fn boot_files(modules: &[&str]) -> Vec<(&'static str, u32, Vec<u8>)> {
    let contents = |body: &Body| match body {
        Body::Text(text) => Some((*text).to_owned().into_bytes()),
        Body::Loader(text) => {
            let root = format!(
                "# The root file system is that of a release; this disk has the kernel.\n\
                 vfs.root.mountfrom=\"ufs:/dev/gpt/{}\"\nvfs.root.mountfrom.options=\"rw\"\n",
                crate::disk::ROOT_LABEL
            );
            Some((loader_conf(text, modules) + &root).into_bytes())
        }
        Body::OwnRc(_) | Body::StockRc(_) => None,
    };
    let ours = FILES.iter().filter(|(path, ..)| path.starts_with("boot"));
    ours.filter_map(|(path, mode, body, _)| Some((*path, *mode, contents(body)?))).collect()
}

/// Contents of a file; `None` if this guest does not get it.
fn contents(body: &Body, options: &BuildOptions, loader: impl Fn(&str) -> String) -> Option<Vec<u8>> {
    Some(match body {
        Body::OwnRc(_) if options.stock_rc => return None,
        Body::StockRc(_) if !options.stock_rc => return None,
        Body::Text(text) | Body::OwnRc(text) | Body::StockRc(text) => (*text).to_owned().into_bytes(),
        Body::Loader(text) => loader(text).into_bytes(),
    })
}

/// Our files for a guest that has a root tree of its own: all but what depends on how our disks are made.
pub(crate) fn files(options: &BuildOptions) -> Vec<GuestFile> {
    let mut files = Vec::new();
    for (path, mode, body, _) in FILES.iter().filter(|(path, ..)| !THE_IMAGES_OWN.contains(path)) {
        if let Some(contents) = contents(body, options, str::to_owned) {
            files.push(GuestFile { path: format!("/{path}"), mode: *mode, contents });
        }
    }
    files
}

/// Files that a ready image keeps as its own: its fstab names its own root and swap.
const THE_IMAGES_OWN: &[&str] = &["etc/fstab"];

/// Script for sh(1) in such a guest before the files are written: it makes their directories.
pub(crate) fn prepare(files: &[GuestFile]) -> String {
    let directories: BTreeSet<&str> =
        files.iter().filter_map(|file| file.path.rsplit_once('/')).map(|(directory, _)| directory).collect();
    let mut script = "set -e\n".to_owned();
    for directory in directories.into_iter().filter(|directory| !directory.is_empty()) {
        // A write to a String does not fail.
        writeln!(script, "mkdir -p {directory}").ok();
    }
    script
}

/// Script for sh(1) once the files are there; only the guest knows which modules it has.
pub(crate) fn script(files: &[GuestFile], options: &BuildOptions) -> String {
    let mut script = "set -e\n".to_owned();
    for GuestFile { path, mode, .. } in files {
        writeln!(script, "chmod {mode:04o} {path}").ok();
    }
    writeln!(
        script,
        "for module in {}; do\n\
         \t[ -f /boot/kernel/$module.ko ] || continue\n\
         \t# What the kernel holds itself is in no file that is loaded.\n\
         \tkldstat -q -n $module.ko || ! kldstat -q -m $module || continue\n\
         \techo \"${{module}}_load=\\\"YES\\\"\" >> /boot/loader.conf\ndone\n\
         # Keys that were made in this boot: each run brings its own.\n\
         rm -f /etc/ssh/ssh_host_* /boot/entropy /entropy",
        Vec::from_iter(options.module_names()).join(" ")
    )
    .ok();
    script
}

/// A digest over everything above, so that an image of an older builder is not taken for a new one.
pub(crate) fn version(hasher: &mut sha2::Sha256) {
    for (path, mode, body, _) in FILES {
        let (Body::Text(text) | Body::OwnRc(text) | Body::StockRc(text) | Body::Loader(text)) = body;
        hasher.update(format!("{path} {mode:o} {}\n{text}", text.len()));
    }
}

fn loader_conf(text: &str, modules: &[&str]) -> String {
    let mut conf = text.to_owned();
    for module in modules {
        // A write to a String does not fail.
        writeln!(conf, "{module}_load=\"YES\"").ok();
    }
    conf
}

fn refused(path: &'static str, error: TreeError) -> ImageError {
    match error {
        TreeError::Image(error) => error,
        TreeError::Refused(reason) => ImageError::Unusable {
            release: "the release".to_owned(),
            archive: "base.txz",
            file: path,
            reason: format!("nlproof's own file cannot be put there: {reason}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(stock_rc: bool) -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::create(dir.path().join("root")).unwrap();
        tree.write(TreePath::known("etc/rc"), Meta::ours(0o644), b"stock").unwrap();
        tree.write(TreePath::known("boot/kernel/if_epair.ko"), Meta::ours(0o555), b"").unwrap();
        let options = BuildOptions { stock_rc, ..BuildOptions::default() };
        configure(&mut tree, &options).unwrap();
        (dir, tree)
    }

    fn text(tree: &Tree, path: &'static str) -> String {
        std::fs::read_to_string(tree.file(path).unwrap()).unwrap()
    }

    #[test]
    fn only_modules_that_are_there_are_loaded() {
        let (_dir, tree) = configured(false);
        let conf = text(&tree, "boot/loader.conf");
        assert!(conf.contains("if_epair_load=\"YES\"\n"), "{conf}");
        assert!(!conf.contains("if_bridge"), "{conf}");
    }

    #[test]
    fn a_module_for_the_loader_lies_beside_the_kernels_own_and_is_named_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::create(dir.path().join("root")).unwrap();
        let module =
            LoaderModule { name: "ours".into(), bytes: b"ko".to_vec(), settings: "a=\"b\"\n".into() };
        let options = BuildOptions { loader_module: Some(module), ..BuildOptions::default() };
        configure(&mut tree, &options).unwrap();
        assert_eq!(text(&tree, "boot/modules/ours.ko"), "ko");
        assert!(text(&tree, "boot/loader.conf").ends_with("ours_load=\"YES\"\na=\"b\"\n"));
    }

    #[test]
    fn the_stock_rc_stays_when_asked_for() {
        let ready = "nlproof: ready";
        let (_dir, stock) = configured(true);
        assert_eq!(text(&stock, "etc/rc"), "stock");
        assert!(text(&stock, "etc/rc.d/nlproof_ready").contains(ready));
        let (_dir, ours) = configured(false);
        assert!(text(&ours, "etc/rc").contains(ready));
        assert_eq!(ours.file("etc/rc.d/nlproof_ready"), None);
    }

    #[test]
    fn the_root_file_system_is_named_as_its_partition_is() {
        let (_dir, tree) = configured(false);
        assert!(text(&tree, "etc/fstab").starts_with(&format!("/dev/gpt/{}\t/\t", crate::disk::ROOT_LABEL)));
    }

    #[test]
    fn a_ready_image_gets_our_files_but_not_our_fstab() {
        let files = files(&BuildOptions::default());
        let names: Vec<(&str, u32)> = files.iter().map(|file| (file.path.as_str(), file.mode)).collect();
        for expected in [("/etc/rc", 0o755), ("/etc/ssh/sshd_config", 0o644), ("/boot/loader.conf", 0o644)] {
            assert!(names.contains(&expected), "{names:?}");
        }
        assert!(!names.iter().any(|(path, _)| *path == "/etc/fstab" || path.contains("nlproof_ready")));
        let (before, after) = (prepare(&files), script(&files, &BuildOptions::default()));
        assert!(before.contains("mkdir -p /etc/ssh\n"), "{before}");
        assert!(!before.contains("mkdir -p \n"), "{before}");
        assert!(after.contains("chmod 0755 /etc/rc\n"), "{after}");
        assert!(after.contains("for module in carp if_bridge if_disc"), "{after}");
        assert!(after.contains(r#"echo "${module}_load=\"YES\"" >> /boot/loader.conf"#), "{after}");
    }

    #[test]
    fn no_key_and_no_address_is_among_our_files() {
        for stock_rc in [false, true] {
            let (_dir, tree) = configured(stock_rc);
            for (path, kind, _) in tree.nodes() {
                let name = String::from_utf8_lossy(path.as_bytes()).into_owned();
                assert!(
                    !name.contains("ssh_host") && !name.contains("authorized") && !name.contains("entropy"),
                    "{name}"
                );
                if matches!(kind, crate::tree::Kind::File) {
                    let text = std::fs::read_to_string(path.on_host(tree.root())).unwrap();
                    assert!(!text.contains("PRIVATE KEY") && !text.contains("10.0.2."), "{name}: {text}");
                }
            }
        }
    }

    #[test]
    fn a_base_that_puts_a_directory_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::create(dir.path().join("root")).unwrap();
        tree.dir(TreePath::known("etc/fstab"), Meta::ours(0o755)).unwrap();
        let error = configure(&mut tree, &BuildOptions::default()).unwrap_err().to_string();
        assert!(error.contains("etc/fstab") && error.contains("directory"), "{error}");
    }
}
