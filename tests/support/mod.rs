// SPDX-License-Identifier: BSD-2-Clause
//! A copy of the project's own vectors and goldens, for tests to spoil.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A project in a temporary directory.
pub(crate) struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    /// The project's own matrix, inventory, vectors and goldens.
    pub(crate) fn copy() -> Project {
        let directory = tempfile::tempdir().unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        for file in ["matrix.yaml", "inventory.yaml"] {
            fs::copy(own.join(file), directory.path().join(file)).unwrap();
        }
        for part in ["vectors", "golden"] {
            copy_tree(&own.join(part), &directory.path().join(part));
        }
        Project { directory }
    }

    /// The project's own matrix with these of its vectors and their goldens, and an inventory that they reach: commands
    /// that read it take no time.
    #[allow(dead_code, reason = "not every test program needs it")]
    pub(crate) fn small(vectors: &[&str]) -> Project {
        let directory = tempfile::tempdir().unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        fs::copy(own.join("matrix.yaml"), directory.path().join("matrix.yaml")).unwrap();
        let project = Project { directory };
        project.write("inventory.yaml", "kinds:\n  requests:\n    - {message: '> newlink'}\n");
        let copy = |file: String| {
            let (from, to) = (own.join(&file), project.path(&file));
            if from.exists() {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(from, to).unwrap();
            }
        };
        let layers: Vec<_> = fs::read_dir(own.join("golden")).unwrap().map(|entry| entry.unwrap()).collect();
        for vector in vectors {
            copy(format!("vectors/{vector}.yaml"));
            for layer in layers.iter().map(|layer| layer.file_name().into_string().unwrap()) {
                copy(format!("golden/{layer}/{vector}.trace"));
                copy(format!("golden/{layer}/{vector}.ktrace"));
            }
        }
        project
    }

    /// The program, pointed at this project, with a cache of its own.
    pub(crate) fn nlproof(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nlproof"));
        command
            .arg("--tests")
            .arg(self.directory.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("CI")
            .env_remove("NLPROOF_TESTS")
            .env_remove("NLPROOF_DISTS");
        command
    }

    /// The raw trace in a report directory, of the cell and vector that the arguments name.
    pub(crate) fn raw_trace(&self, report: &Path, arguments: &[&str]) -> String {
        let output = self.nlproof().args(["report", "raw"]).arg(report).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A path in the project.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The vectors' files, relative to `vectors`.
    pub(crate) fn vector_files(&self) -> Vec<PathBuf> {
        let root = self.path("vectors");
        let mut files = Vec::new();
        let mut directories = vec![root.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.push(path.strip_prefix(&root).unwrap().to_owned());
                }
            }
        }
        files
    }

    /// How many vectors there are.
    pub(crate) fn vectors(&self) -> usize {
        self.vector_files().len()
    }
}

/// All that a program printed.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
