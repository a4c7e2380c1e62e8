// SPDX-License-Identifier: BSD-2-Clause
//! Differences between a branch and the one before it: those known from its sources, and no others.

use super::support::{Project, text};

/// What `diff` says of the goldens of two profiles of the simulator, of which no kernel was recorded for the second.
fn diff(from: &str, to: &str) -> String {
    let output =
        Project::copy().nlproof().args(["diff", "--all"]).args([from, to].map(sim)).output().unwrap();
    assert_eq!(output.status.code(), Some(104), "{}", text(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(&format!("nothing of {} is observed", sim(to))), "{said}");
    said
}

/// What it says of what they answer.
fn live(from: &str, to: &str) -> String {
    let args = ["diff", "--live", "--all"];
    let output = Project::copy().nlproof().args(args).args([from, to].map(sim)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn sim(profile: &str) -> String {
    format!("sim/{profile}")
}

/// The differences: their place, what was, what is, and the vectors.
fn differences(diff: &str) -> Vec<Vec<&str>> {
    let all = diff.split("\n\n").skip(1);
    let is_one = |d: &Vec<&str>| d.len() > 1 && d[1].starts_with(['-', '+']);
    all.map(|block| block.trim_end().lines().map(str::trim).collect()).filter(is_one).collect()
}

#[test]
fn seed_answers_as_13() {
    let by_goldens = diff("seed", "13");
    assert_eq!(differences(&by_goldens), Vec::<Vec<&str>>::new(), "{by_goldens}");
    assert!(by_goldens.contains("both sides look in the same "), "{by_goldens}");
    let asked = live("seed", "13");
    assert_eq!(differences(&asked), Vec::<Vec<&str>>::new(), "{asked}");
    assert!(asked.contains("\n0 of "), "{asked}");
}

#[test]
fn from_14_2_to_14_3_only_the_scope_of_inet_addresses_differs() {
    let diff = diff("14.2", "14.3");
    let differences = differences(&diff);
    assert!(!differences.is_empty(), "{diff}");
    // Without `scope=...`, which is a word of the line.
    let rest = |line: &str| -> Vec<String> {
        line[2..].split(' ').filter(|word| !word.starts_with("scope=")).map(str::to_owned).collect()
    };
    for difference in differences {
        let [place, from, to, vectors] = difference[..] else { panic!("{difference:?}") };
        assert_eq!(place, "< newaddr", "{difference:?}");
        assert!(
            from.contains("family=inet ") && from.starts_with("- ") && to.starts_with("+ "),
            "{difference:?}"
        );
        assert_eq!(rest(from), rest(to), "{difference:?}");
        assert!(vectors.split(", ").all(|vector| vector.ends_with(" (predicted)")), "{vectors}");
    }
}

#[test]
fn a_release_that_is_played_beside_its_profile_differs_in_a_driver_and_a_route_alone() {
    for (profile, release, vector) in
        [("14.0", "14.2", "link/getlink-tun"), ("15", "15.0", "addr/getaddr-epair-down")]
    {
        let diff = live(profile, release);
        let differences = differences(&diff);
        assert!(!differences.is_empty(), "{diff}");
        for difference in &differences {
            let capability = ["freebsd caps mask", "freebsd caps value"];
            // In 14.2 a route to a host takes the place of one that the host has to itself.
            let of_routes = [
                "addr/newaddr-lo0-own-address-of-tunnel",
                "addr/newaddr-tunnel-to-own-address",
                "addr/newaddr-inet6-of-another-interface",
            ];
            let vectors = difference.last().copied().unwrap_or_default();
            let is_route = release == "14.2" && vectors.split(", ").all(|vector| of_routes.contains(&vector));
            let is_driver = capability.iter().any(|end| difference[0].ends_with(end));
            assert!(is_driver || is_route, "{difference:?}");
        }
        assert!(diff.contains(vector) && !diff.contains("create-lo"), "{diff}");
    }
}

#[test]
fn from_15_to_16_only_what_main_of_2026_has_differs() {
    let diff = diff("15", "16");
    let differences = differences(&diff);
    let mut places: Vec<_> = differences.iter().map(|difference| difference[0]).collect();
    places.sort_unstable();
    places.dedup();
    let groups = ["freebsd group", "freebsd group group", "freebsd group group group"];
    let mut expected: Vec<String> = Vec::new();
    for message in ["< newlink", "* link: newlink", "* link: dellink"] {
        expected.extend(groups.map(|path| format!("{message} {path}")));
        // vlan(4) and gif(4) tell what they are; gif(4) its name once more.
        expected.extend(["link", "ifname", "linkinfo data"].map(|path| format!("{message} {path}")));
        // A type is a filter; a new name is told without a flag.
        expected.push(message.into());
    }
    let data = ["flags", "id", "local", "protocol", "remote"];
    for message in ["< newlink", "* link: newlink"] {
        expected.extend(data.map(|name| format!("{message} linkinfo data {name}")));
    }
    // Requests of gif(4) and IFLA_EXT_MASK are looked at: errors instead of a cookie, or of an MTU that was set.
    expected.extend(
        ["< error", "< error cookie", "< error cookie ifname", "< error cookie new_ifindex"]
            .map(String::from),
    );
    expected.extend(["< error msg", "< error offs", "< error request", "< newlink mtu"].map(String::from));
    expected.sort_unstable();
    assert_eq!(places, expected, "{diff}");
    let renames: Vec<_> = differences.iter().filter(|lines| lines[1].contains("|renaming")).collect();
    assert_eq!(renames.len(), 2, "{diff}");
    for rename in renames {
        assert_eq!(rename[1].replace("|renaming", ""), rename[2].replace("+ ", "- "), "{diff}");
    }
}

#[test]
fn what_the_simulator_answers_differs_as_its_goldens_do() {
    let (by_goldens, asked) = (diff("14.0", "14.3"), live("14.0", "14.3"));
    let without_mark = |differences: Vec<Vec<&str>>| -> Vec<String> {
        differences.iter().map(|lines| lines.join("\n").replace(" (predicted)", "")).collect()
    };
    assert_eq!(without_mark(differences(&by_goldens)), without_mark(differences(&asked)), "{asked}");
}
