// SPDX-License-Identifier: BSD-2-Clause
//! What a case needs, by its Kyuafile and by itself, and how it is run.

use std::collections::BTreeMap;
use std::time::Duration;

/// Time that a case has if nobody says otherwise, as with kyua(1).
const TIMEOUT: Duration = Duration::from_secs(300);
/// Longest time that a case may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// The needs of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Programs, by name or path.
    pub programs: Vec<String>,
    /// Files, by path.
    pub files: Vec<String>,
    /// Kernel modules.
    pub modules: Vec<String>,
    /// Time for its body, and for its cleanup.
    pub timeout: Duration,
    /// The case has something to run afterwards.
    pub cleanup: bool,
    /// Parameters of the jail in which the case runs.
    pub jail: Option<String>,
    /// What no guest gives it; it is not run for this reason.
    pub unmet: Option<String>,
}

impl Needs {
    /// The needs by the properties of a Kyuafile and of a list of cases; the list's go first. Guests are amd64, and
    /// cases run as root.
    pub fn of(kyuafile: &BTreeMap<String, String>, listed: &BTreeMap<String, String>) -> Self {
        let get = |atf: &str, kyua: &str| listed.get(atf).or_else(|| kyuafile.get(kyua)).map(String::as_str);
        // Both ask: who lists a program in one place does not take back the other.
        let all = |atf: &str, kyua: &str| {
            let both = [kyuafile.get(kyua), listed.get(atf)].into_iter().flatten();
            let mut found: Vec<String> = Vec::new();
            for word in both.flat_map(|text| text.split_whitespace()) {
                if !found.iter().any(|known| known == word) {
                    found.push(word.to_owned());
                }
            }
            found
        };
        let mut unmet = None;
        let mut lacks = |what: String| {
            unmet.get_or_insert(what);
        };
        match get("require.user", "required_user") {
            None | Some("root" | "") => {}
            Some(user) => lacks(format!("needs the user `{user}`, and cases run as root")),
        }
        let variables = all("require.config", "required_configs");
        if !variables.is_empty() {
            lacks(format!("needs {}, which nobody has configured", variables.join(", ")));
        }
        for (atf, kyua) in
            [("require.arch", "allowed_architectures"), ("require.machine", "allowed_platforms")]
        {
            let allowed = all(atf, kyua);
            if !allowed.is_empty() && !allowed.iter().any(|one| one == "amd64") {
                lacks(format!("is for {}, and the guest is amd64", allowed.join(", ")));
            }
        }
        let seconds =
            get("timeout", "timeout").and_then(|text| text.parse().ok()).filter(|number| *number > 0);
        let jail = (get("execenv", "execenv") == Some("jail"))
            .then(|| get("execenv.jail.params", "execenv_jail_params").unwrap_or_default().to_owned());
        Self {
            programs: all("require.progs", "required_programs"),
            files: all("require.files", "required_files"),
            modules: all("require.kmods", "required_kmods"),
            timeout: seconds.map_or(TIMEOUT, Duration::from_secs).min(LONGEST),
            cleanup: get("has.cleanup", "has_cleanup") == Some("true"),
            jail,
            unmet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(kyuafile: &[(&str, &str)], listed: &[(&str, &str)]) -> Needs {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        Needs::of(&map(kyuafile), &map(listed))
    }

    #[test]
    fn needs_of_both_are_joined_and_the_case_goes_first() {
        let found = needs(
            &[
                ("required_programs", "python jq"),
                ("timeout", "10"),
                ("execenv", "jail"),
                ("execenv_jail_params", "vnet"),
            ],
            &[
                ("require.progs", "jq scapy"),
                ("timeout", "20"),
                ("require.user", "root"),
                ("has.cleanup", "true"),
            ],
        );
        assert_eq!(found.programs, ["python", "jq", "scapy"]);
        assert_eq!((found.timeout, found.cleanup), (Duration::from_secs(20), true));
        assert_eq!((found.jail.as_deref(), found.unmet), (Some("vnet"), None));
    }

    #[test]
    fn what_asks_for_nothing_gets_the_defaults() {
        let found = needs(&[], &[]);
        assert_eq!((found.timeout, found.cleanup, found.jail, found.unmet), (TIMEOUT, false, None, None));
        assert_eq!(needs(&[], &[("timeout", "0")]).timeout, TIMEOUT);
        assert_eq!(needs(&[], &[("timeout", "99999999")]).timeout, LONGEST);
    }

    #[test]
    fn what_no_guest_gives_is_told() {
        let unmet = |listed: &[(&str, &str)]| needs(&[], listed).unmet.unwrap_or_default();
        assert!(unmet(&[("require.user", "unprivileged")]).contains("`unprivileged`"));
        assert!(unmet(&[("require.config", "fibs")]).contains("needs fibs"));
        assert!(unmet(&[("require.arch", "arm64 riscv64")]).contains("is for arm64, riscv64"));
        assert_eq!(unmet(&[("require.arch", "amd64 i386"), ("require.user", "root")]), "");
    }
}
