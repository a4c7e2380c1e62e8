// SPDX-License-Identifier: BSD-2-Clause
//! A box for Vagrant's libvirt provider: a gzipped tar archive of a qcow2 disk, `metadata.json` and a `Vagrantfile`.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use flate2::{Compression, GzBuilder};

/// The box's own Vagrantfile; what a project says overrules it.
fn vagrantfile(user: &str) -> String {
    let sudo = if user == "root" { "  config.ssh.sudo_command = \"%c\"\n" } else { "" };
    format!(
        "Vagrant.configure(\"2\") do |config|\n  config.vm.guest = :freebsd\n  config.ssh.shell = \"sh\"\n  \
         config.ssh.username = \"{user}\"\n  # The keys are those that the image was exported with.\n  \
         config.ssh.insert_key = false\n  config.ssh.keys_only = false\n{sudo}  \
         config.vm.synced_folder \".\", \"/vagrant\", disabled: true\nend\n"
    )
}

/// Writes the box; `bytes` is the size of the disk that the guest sees.
pub(super) fn write(disk: &Path, bytes: u64, user: &str, to: &Path) -> io::Result<()> {
    // Whole gigabytes, as vagrant-libvirt counts.
    let size = bytes.div_ceil(1 << 30);
    let metadata =
        serde_json::json!({ "provider": "libvirt", "format": "qcow2", "virtual_size": size }).to_string();
    // No time and no name: the same box every time.
    let gzip = GzBuilder::new().write(File::create_new(to)?, Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, text) in [("metadata.json", metadata + "\n"), ("Vagrantfile", vagrantfile(user))] {
        archive.append_data(&mut header(text.len() as u64), name, text.as_bytes())?;
    }
    let file = File::open(disk)?;
    archive.append_data(&mut header(file.metadata()?.len()), "box.img", file)?;
    archive.into_inner()?.finish()?.flush()
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read as _};

    use super::*;

    #[test]
    fn a_box_has_its_three_files_and_the_same_bytes_every_time() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("disk"), "qcow2").unwrap();
        for name in ["a.box", "b.box"] {
            write(&at("disk"), (8 << 30) - 1, "root", &at(name)).unwrap();
        }
        assert_eq!(std::fs::read(at("a.box")).unwrap(), std::fs::read(at("b.box")).unwrap());
        let gzip = flate2::read::GzDecoder::new(File::open(at("a.box")).unwrap());
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(gzip).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), text);
        }
        assert_eq!(files["box.img"], "qcow2");
        let metadata: serde_json::Value = serde_json::from_str(&files["metadata.json"]).unwrap();
        assert_eq!(metadata["virtual_size"], 8);
        assert!(files["Vagrantfile"].contains("username = \"root\"\n"), "{files:?}");
    }
}
