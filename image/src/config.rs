// SPDX-License-Identifier: BSD-2-Clause
//! The files that make a release's root tree a guest of ours.

use std::{collections::BTreeSet, fmt::Write as _};

use sha2::Digest as _;

use crate::{
    error::ImageError,
    keys::GuestKeys,
    modules,
    options::BuildOptions,
    path::TreePath,
    provision::GuestFile,
    tree::{Meta, Tree, TreeError},
};

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
    HostKey,
    HostPublicKey,
    AuthorizedKeys,
    Entropy,
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
        "boot/entropy",
        0o600,
        Body::Entropy,
        "the loader hands it to random(4): sshd does not wait for entropy to gather",
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
    ("etc/ssh/ssh_host_ed25519_key", 0o600, Body::HostKey, "the harness knows whom it talks to"),
    ("etc/ssh/ssh_host_ed25519_key.pub", 0o644, Body::HostPublicKey, "for the stock /etc/rc.d/sshd"),
    ("root/.ssh/authorized_keys", 0o600, Body::AuthorizedKeys, "the only way in"),
];

/// Bytes of entropy that the stock `/etc/rc.d/random` keeps in `/boot/entropy`.
const ENTROPY_BYTES: usize = 4096;

/// Files that base.txz must hold for the guest to be reachable, with the reason.
pub(crate) const NEEDED: &[(&str, &str)] = &[
    ("sbin/init", "the kernel starts it first"),
    ("bin/sh", "init runs /etc/rc with it"),
    ("boot/loader", "gptboot starts it"),
    ("usr/sbin/sshd", "the harness talks to it"),
    ("etc/pwd.db", "root could not log in without the password database"),
    ("etc/spwd.db", "root could not log in without the password database"),
];

/// Writes our files into `tree`.
pub(crate) fn configure(tree: &mut Tree, keys: &GuestKeys, options: &BuildOptions) -> Result<(), ImageError> {
    // sshd refuses keys in a directory that others may write to.
    tree.dir(TreePath::known("root/.ssh"), Meta::ours(0o700)).map_err(|error| refused("root/.ssh", error))?;
    let modules = modules::to_load(tree, options.module_names())?;
    for (path, mode, body, _) in FILES {
        let Some(contents) = contents(body, keys, options, |text| loader_conf(text, &modules))? else {
            continue;
        };
        tree.write(TreePath::known(path), Meta::ours(*mode), &contents)
            .map_err(|error| refused(path, error))?;
    }
    Ok(())
}

/// Our files of /boot for a disk whose root file system is on another one, with path and mode; `secret` is what nobody
/// else knows.
pub(crate) fn boot_files(modules: &[&str], secret: &[u8]) -> Vec<(&'static str, u32, Vec<u8>)> {
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
        Body::Entropy => Some(entropy(secret)),
        _ => None,
    };
    let ours = FILES.iter().filter(|(path, ..)| path.starts_with("boot"));
    ours.filter_map(|(path, mode, body, _)| Some((*path, *mode, contents(body)?))).collect()
}

/// Contents of a file; `None` if this guest does not get it.
fn contents(
    body: &Body,
    keys: &GuestKeys,
    options: &BuildOptions,
    loader: impl Fn(&str) -> String,
) -> Result<Option<Vec<u8>>, ImageError> {
    Ok(Some(match body {
        Body::OwnRc(_) if options.stock_rc => return Ok(None),
        Body::StockRc(_) if !options.stock_rc => return Ok(None),
        Body::Text(text) | Body::OwnRc(text) | Body::StockRc(text) => (*text).to_owned().into_bytes(),
        Body::Loader(text) => loader(text).into_bytes(),
        Body::HostKey => keys.host_private()?.into_bytes(),
        Body::HostPublicKey => line(keys.host_public()?),
        Body::AuthorizedKeys => line(keys.client_public()?),
        Body::Entropy => entropy(keys.host_private()?.as_bytes()),
    }))
}

/// Our files for a guest that has a root tree of its own: all but what depends on how our disks are made.
pub(crate) fn files(keys: &GuestKeys, options: &BuildOptions) -> Result<Vec<GuestFile>, ImageError> {
    let mut files = Vec::new();
    for (path, mode, body, _) in FILES.iter().filter(|(path, ..)| !THE_IMAGES_OWN.contains(path)) {
        if let Some(contents) = contents(body, keys, options, str::to_owned)? {
            files.push(GuestFile { path: format!("/{path}"), mode: *mode, contents });
        }
    }
    Ok(files)
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
    script.push_str("chmod 700 /root/.ssh\n");
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
         \techo \"${{module}}_load=\\\"YES\\\"\" >> /boot/loader.conf\ndone",
        Vec::from_iter(options.module_names()).join(" ")
    )
    .ok();
    script
}

/// A digest over everything above, so that an image of an older builder is not taken for a new one.
pub(crate) fn version(hasher: &mut sha2::Sha256) {
    for (path, mode, body, _) in FILES {
        let (Body::Text(text) | Body::OwnRc(text) | Body::StockRc(text) | Body::Loader(text)) = body else {
            hasher.update(format!("{path} {mode:o} generated\n"));
            continue;
        };
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

/// Bytes that nobody can guess who does not have the host key: SHA-256 of it and a counter.
fn entropy(secret: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTROPY_BYTES);
    for counter in 0_u32.. {
        if bytes.len() >= ENTROPY_BYTES {
            break;
        }
        let block = sha2::Sha256::new_with_prefix(secret).chain_update(counter.to_be_bytes()).finalize();
        bytes.extend_from_slice(&block);
    }
    bytes
}

fn line(mut text: String) -> Vec<u8> {
    text.push('\n');
    text.into_bytes()
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
        configure(&mut tree, &GuestKeys::generate().unwrap(), &options).unwrap();
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
        let keys = GuestKeys::generate().unwrap();
        let files = files(&keys, &BuildOptions::default()).unwrap();
        let names: Vec<(&str, u32)> = files.iter().map(|file| (file.path.as_str(), file.mode)).collect();
        for expected in
            [("/etc/rc", 0o755), ("/root/.ssh/authorized_keys", 0o600), ("/boot/loader.conf", 0o644)]
        {
            assert!(names.contains(&expected), "{names:?}");
        }
        assert!(!names.iter().any(|(path, _)| *path == "/etc/fstab" || path.contains("nlproof_ready")));
        let (before, after) = (prepare(&files), script(&files, &BuildOptions::default()));
        assert!(
            before.contains("mkdir -p /root/.ssh\n") && before.contains("chmod 700 /root/.ssh\n"),
            "{before}"
        );
        assert!(!before.contains("mkdir -p \n"), "{before}");
        assert!(after.contains("chmod 0600 /root/.ssh/authorized_keys\n"), "{after}");
        assert!(after.contains("for module in carp if_bridge if_disc"), "{after}");
        assert!(after.contains(r#"echo "${module}_load=\"YES\"" >> /boot/loader.conf"#), "{after}");
    }

    #[test]
    fn the_login_key_is_where_sshd_accepts_it() {
        let (_dir, tree) = configured(false);
        let mode = |path: &str| {
            let (_, _, meta) = tree.nodes().find(|(p, ..)| p.as_bytes() == path.as_bytes()).unwrap();
            (meta.mode, meta.uid)
        };
        assert_eq!(mode("root/.ssh"), (0o700, 0));
        assert_eq!(mode("root/.ssh/authorized_keys"), (0o600, 0));
        assert_eq!(mode("etc/ssh/ssh_host_ed25519_key"), (0o600, 0));
        assert_eq!(std::fs::read(tree.file("boot/entropy").unwrap()).unwrap().len(), ENTROPY_BYTES);
    }

    #[test]
    fn a_base_that_puts_a_directory_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::create(dir.path().join("root")).unwrap();
        tree.dir(TreePath::known("etc/fstab"), Meta::ours(0o755)).unwrap();
        let keys = GuestKeys::generate().unwrap();
        let error = configure(&mut tree, &keys, &BuildOptions::default()).unwrap_err().to_string();
        assert!(error.contains("etc/fstab") && error.contains("directory"), "{error}");
    }
}
