// SPDX-License-Identifier: BSD-2-Clause
//! The tree as an mtree(5) specification, from which `makefs -F` learns owners, modes and times
//! that an ordinary user cannot give to files on the host.

use std::fmt::Write as _;

use crate::tree::{Kind, Tree};

/// One line a node, parents first.
pub(crate) fn specification(tree: &Tree) -> String {
    let mut text = String::from("#mtree\n");
    for (path, kind, meta) in tree.nodes() {
        let (kind, link) = match kind {
            Kind::Dir => ("dir", None),
            Kind::File => ("file", None),
            Kind::Symlink(target) => ("link", Some(target)),
        };
        text.push('.');
        if !path.is_root() {
            text.push('/');
            encode(path.as_bytes(), &mut text);
        }
        let (uid, gid, mode, time) = (meta.uid, meta.gid, meta.mode, meta.mtime);
        // A write to a String does not fail.
        write!(text, " type={kind} uid={uid} gid={gid} mode={mode:04o} time={time}.0").ok();
        if let Some(target) = link {
            text.push_str(" link=");
            encode(target, &mut text);
        }
        text.push('\n');
    }
    text
}

/// vis(3) with octal codes: what separates words, starts a comment, or makes mtree read a name as a
/// pattern (`/bin/[` is a program, not the start of a character class).
fn encode(bytes: &[u8], text: &mut String) {
    for &byte in bytes {
        match byte {
            b'#' | b'\\' | b'=' | b'*' | b'?' | b'[' | b']' => {}
            0x21..=0x7e => {
                text.push(char::from(byte));
                continue;
            }
            _ => {}
        }
        write!(text, "\\{byte:03o}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{path::TreePath, tree::Meta};

    #[test]
    fn every_node_has_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::create(dir.path().join("root")).unwrap();
        let setuid = Meta { mode: 0o4555, uid: 0, gid: 5, mtime: 1_700_000_000 };
        tree.write(TreePath::known("bin/[ #1"), setuid, b"").unwrap();
        tree.symlink(TreePath::known("tmp"), Meta::ours(0o777), b"var/a b").unwrap();
        assert_eq!(
            specification(&tree),
            "#mtree\n\
             . type=dir uid=0 gid=0 mode=0755 time=0.0\n\
             ./bin type=dir uid=0 gid=0 mode=0755 time=0.0\n\
             ./bin/\\133\\040\\0431 type=file uid=0 gid=5 mode=4555 time=1700000000.0\n\
             ./tmp type=link uid=0 gid=0 mode=0777 time=0.0 link=var/a\\040b\n"
        );
    }
}
