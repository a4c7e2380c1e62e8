// SPDX-License-Identifier: BSD-2-Clause
//! Which tests are wanted: directories, programs and cases below `/usr/tests`.

use super::kyuafile::{AbsentDirectory, KyuafileError, TestProgram, programs};

/// What touches interfaces.
pub const DEFAULT: [&str; 5] = ["sys/netlink", "sys/net", "sbin/ifconfig", "sys/netinet", "sys/netinet6"];

/// A selected program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The program.
    pub program: TestProgram,
    /// Only these cases; empty: all.
    pub cases: Vec<String>,
}

/// What is selected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The programs, each once, in the order of the Kyuafiles.
    pub programs: Vec<Selected>,
    /// Selected directories whose Kyuafile is not in the archive, each once.
    pub absent: Vec<AbsentDirectory>,
}

/// The programs that the words select: `sys/net`, `sys/net/if_clone_test` or `sys/net/if_clone_test:create`. A
/// directory of [`DEFAULT`] that the archive does not have is passed over where no words are given.
///
/// # Errors
/// A Kyuafile is not understood, or a word selects nothing.
pub fn select<'f>(
    words: &[String],
    read: &impl Fn(&str) -> Option<&'f str>,
) -> Result<Selection, SelectError> {
    let defaults: Vec<String> = DEFAULT.map(str::to_owned).to_vec();
    let mut found: Vec<Selected> = Vec::new();
    let mut absent: Vec<AbsentDirectory> = Vec::new();
    for word in if words.is_empty() { &defaults } else { words } {
        let word = word.trim_matches('/').trim_start_matches("usr/tests/");
        let (path, case) = word.split_once(':').map_or((word, None), |(path, case)| (path, Some(case)));
        let path = if path == "usr/tests" { "" } else { path };
        let is_directory = read(&format!("{path}/Kyuafile")).is_some() || path.is_empty();
        if !is_directory && words.is_empty() {
            continue;
        }
        let within = if is_directory { path } else { path.rsplit_once('/').map_or("", |(parent, _)| parent) };
        if read(format!("{within}/Kyuafile").trim_start_matches('/')).is_none() {
            return Err(SelectError::Nothing(word.to_owned()));
        }
        let listed = programs(within, read)?;
        let wanted = listed.found.into_iter().filter(|program| is_directory || program.path == path);
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() || (is_directory && case.is_some()) {
            return Err(SelectError::Nothing(word.to_owned()));
        }
        if is_directory {
            for directory in listed.absent {
                if absent.iter().all(|known| known.path != directory.path) {
                    absent.push(directory);
                }
            }
        }
        for program in wanted {
            match found.iter_mut().find(|one| one.program.path == program.path) {
                // All of it is wanted already, or by this word.
                Some(known) if known.cases.is_empty() || case.is_none() => known.cases.clear(),
                Some(known) => known.cases.extend(case.map(str::to_owned)),
                None => {
                    found.push(Selected { program, cases: case.map(str::to_owned).into_iter().collect() });
                }
            }
        }
    }
    if found.is_empty() { Err(SelectError::NoDefault) } else { Ok(Selection { programs: found, absent }) }
}

/// Why nothing is selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A Kyuafile.
    #[error("tests.txz: {0}")]
    Kyuafile(#[from] KyuafileError),
    /// A word.
    #[error("tests.txz has no test `{0}`")]
    Nothing(String),
    /// The archive has nothing of what is run without words.
    #[error("tests.txz has none of {}", DEFAULT.join(", "))]
    NoDefault,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<&'static str> {
        match path {
            "Kyuafile" => Some("include(\"sys/Kyuafile\")"),
            "sys/Kyuafile" => Some("include(\"net/Kyuafile\")\ninclude(\"netlink/Kyuafile\")"),
            "sys/net/Kyuafile" => Some("atf_test_program{name=\"a\"}\natf_test_program{name=\"b\"}"),
            "sys/netlink/Kyuafile" => Some("atf_test_program{name=\"c\"}"),
            _ => None,
        }
    }

    fn selected(words: &[&str]) -> Vec<String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        match select(&words, &read) {
            Ok(found) => found
                .programs
                .into_iter()
                .map(|one| {
                    let cases: String = one.cases.iter().map(|case| format!(":{case}")).collect();
                    format!("{}{cases}", one.program.path)
                })
                .collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn directories_programs_and_cases_are_selected() {
        assert_eq!(selected(&[]), ["sys/netlink/c", "sys/net/a", "sys/net/b"]);
        assert_eq!(selected(&["sys/net/"]), ["sys/net/a", "sys/net/b"]);
        assert_eq!(selected(&["/usr/tests/sys/net/b"]), ["sys/net/b"]);
        assert_eq!(
            selected(&["sys/net/b:x", "sys/net/b:y", "sys/netlink"]),
            ["sys/net/b:x:y", "sys/netlink/c"]
        );
        assert_eq!(selected(&["sys/net/b:x", "sys/net"]), ["sys/net/b", "sys/net/a"]);
        assert_eq!(selected(&["/usr/tests"]), ["sys/net/a", "sys/net/b", "sys/netlink/c"]);
    }

    #[test]
    fn a_directory_without_its_kyuafile_is_told_once_where_it_is_selected() {
        let read = |path: &str| match path {
            "sys/Kyuafile" => Some("include(\"gone/Kyuafile\")\natf_test_program{name=\"a\"}"),
            _ => None,
        };
        let absent = |words: &[&str]| -> Vec<String> {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            select(&words, &read).unwrap().absent.into_iter().map(|one| one.path).collect()
        };
        assert_eq!(absent(&["sys", "sys/"]), ["sys/gone"]);
        assert!(absent(&["sys/a"]).is_empty());
    }

    #[test]
    fn what_selects_nothing_is_told() {
        for word in ["sys/net/z", "sys/none", "none", "sys/net:x"] {
            assert_eq!(selected(&[word]), [format!("tests.txz has no test `{word}`")]);
        }
        assert_eq!(select(&[], &|_| None), Err(SelectError::NoDefault));
    }
}
