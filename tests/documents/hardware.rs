// SPDX-License-Identifier: BSD-2-Clause
//! The table of docs/hardware.md that says what drivers say, made from the goldens of the suite `hardware`.
//! `TRYCMD=overwrite` writes it anew.

use std::fs;

use nlproof::golden::{Golden, Origin, Store};

use super::document::root;

/// The models, in the table's order: those that pass on what they see of their link come first.
const MODELS: [&str; 7] = ["virtio-net-pci", "e1000", "rtl8139", "i82559c", "pcnet", "tulip", "usb-net"];

/// Layers of goldens that have observed ones of the suite.
const LAYERS: [&str; 2] = ["common", "freebsd-15"];

/// Releases that the table calls "all four".
const RELEASES: [&str; 4] = ["14.0-STABLE", "14.2-STABLE", "15.0-RELEASE", "15.1-RELEASE"];

/// What the vectors do: a vector's name before its model, what the table calls it, the steps in which events come, and the
/// step that asks.
const DEEDS: [(&str, &str, &[usize], usize); 8] = [
    ("link-down", "link down, interface down", &[0], 1),
    ("link-up", "link down, interface up", &[2], 3),
    ("link-up", "link up, interface up", &[5], 6),
    ("lose-link-while-down", "interface up whose link went while it was down", &[4, 5], 6),
    ("lose-link-while-down", "link up after that", &[7], 8),
    ("detach", "detach", &[2], 3),
    ("unplug", "unplug", &[2], 3),
    ("plug", "plug", &[0], 1),
];

/// Flags of a message that the table tells.
const FLAGS: [&str; 5] = ["up", "drv_running", "drv_oactive", "lower_up", "dying"];

const HEAD: &str = "| model | what is done | releases | noticed | events: operstate/carrier, flags | what GETLINK says then |
|---|---|---|---|---|---|
";

/// The lines of a golden's step.
fn step(golden: &str, number: usize) -> impl Iterator<Item = &str> {
    let lines = golden.lines().skip_while(move |line| *line != format!("step {number}"));
    lines.skip(1).take_while(|line| !line.starts_with("step "))
}

/// The value of a word `key=value` of a line.
fn value<'a>(line: &'a str, key: &str) -> &'a str {
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
}

/// Messages of a step that begin like that, as the table tells them.
fn messages(golden: &str, number: usize, begin: &str) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for line in step(golden, number) {
        let words = line.trim_start();
        if let Some(message) = line.strip_prefix(begin).filter(|message| message.contains("link ")) {
            let flags: Vec<_> = value(message, "flags").split('|').collect();
            let flags: Vec<_> = FLAGS.into_iter().filter(|flag| flags.contains(flag)).collect();
            let flags = if flags.is_empty() { "-".to_owned() } else { flags.join("+") };
            let change = match value(message, "change") {
                "-" | "" => String::new(),
                change => format!(" change {change}"),
            };
            let name = message.split(' ').next().unwrap_or_default();
            told.push(format!("{name} OPERSTATE/CARRIER `{flags}`{change}"));
        } else if let Some(last) = told.last_mut() {
            for (word, place) in [("operstate ", "OPERSTATE"), ("carrier ", "CARRIER")] {
                if let Some(value) = words.strip_prefix(word) {
                    *last = last.replace(place, value);
                }
            }
        }
    }
    told
}

/// Events of a step, equal ones that follow each other together.
fn events(golden: &str, number: usize) -> Vec<String> {
    let told = messages(golden, number, "  * link: ");
    let groups = told.chunk_by(|one, other| one == other);
    groups
        .map(|group| match (group, group.len()) {
            ([one, ..], 1) => one.clone(),
            ([one, ..], count) => format!("{count} × {one}"),
            ([], _) => String::new(),
        })
        .collect()
}

/// What the kernel says to a request in that step.
fn answer(golden: &str, number: usize) -> String {
    let replies = messages(golden, number, "  < ");
    let errors = step(golden, number).filter(|line| line.starts_with("  < error "));
    let said = replies.first().and_then(|reply| reply.strip_prefix("newlink ")).map(str::to_owned);
    let said = said.or_else(|| errors.map(|line| value(line, "error").to_owned()).next());
    let mut said = said.unwrap_or_else(|| "nothing".to_owned());
    let made = events(golden, number);
    if !made.is_empty() {
        said += &format!("; asking makes {}", made.join(", "));
    }
    said
}

/// One row's cells behind the releases, from one golden.
fn cells(golden: &str, steps: &[usize], asks: usize) -> String {
    let last = steps.last().copied().unwrap_or_default();
    let noticed = !step(golden, last).any(|line| line.contains(" was not noticed within "));
    let events = steps.iter().flat_map(|number| events(golden, *number)).collect::<Vec<_>>();
    let events = if events.is_empty() { "none".to_owned() } else { events.join(", ") };
    let noticed = if noticed { "yes" } else { "no" };
    format!("{noticed} | {events} | {}", answer(golden, asks))
}

/// Releases from which a golden was observed.
fn observed(golden: &Golden) -> Vec<&str> {
    let origins = golden.origins.iter();
    let releases = origins.filter_map(|origin| match origin {
        Origin::Observed { release, .. } => Some(release.as_str()),
        Origin::Predicted { .. } => None,
    });
    releases.collect()
}

/// The rows of one deed with one model: one, if all releases agree.
fn rows(model: &str, what: &str, goldens: &[Golden], steps: &[usize], asks: usize) -> String {
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for golden in goldens {
        let cells = cells(&golden.body, steps, asks);
        match told.iter_mut().find(|(other, _)| *other == cells) {
            Some((_, releases)) => releases.extend(observed(golden)),
            None => told.push((cells, observed(golden))),
        }
    }
    let releases = |mut of: Vec<&str>| {
        of.sort_unstable();
        if of == RELEASES { "all four".to_owned() } else { of.join(", ") }
    };
    told.into_iter()
        .map(|(cells, of)| format!("| {model} | {what} | {} | {cells} |\n", releases(of)))
        .collect()
}

fn table() -> String {
    let store = Store::new(&root().join("tests/golden"));
    let mut table = HEAD.to_owned();
    for model in MODELS {
        for (vector, what, steps, asks) in DEEDS {
            let id = format!("hardware/{vector}-{model}");
            let goldens: Vec<Golden> =
                LAYERS.iter().filter_map(|layer| store.read(layer, &id).unwrap()).collect();
            table += &rows(model, what, &goldens, steps, asks);
        }
    }
    table
}

#[test]
fn what_drivers_say_is_what_the_goldens_say() {
    let path = root().join("docs/hardware.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(HEAD).expect("docs/hardware.md has the table");
    let after = rest.find("\n\n").map_or("", |end| &rest[end + 1..]);
    let wanted = format!("{before}{}{after}", table());
    if std::env::var_os("TRYCMD").is_some_and(|value| value == "overwrite") {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(
        page == wanted,
        "the table of docs/hardware.md is not that of the goldens: TRYCMD=overwrite writes it"
    );
}

#[test]
fn a_row_is_made_of_a_golden() {
    let golden = |release: &str, operstate: &str| {
        let origin =
            Origin::parse(&format!("observed: {release} osreldate=1 kernel=sha256:{}", "0".repeat(64)));
        let body = format!(
            "step 0\n  ! nic1 link-down\n  ! the loss of link of nic1 (re0) was not \
             noticed within 2000 ms\nstep 1\n  > getlink request\n  < newlink request flags=up|broadcast change=-\n      \
             operstate {operstate}\n      carrier 0\n  * link: newlink - flags=up|lower_up change=up\n      operstate \
             up\n      carrier 1\n  * link: newlink - flags=up|lower_up change=up\n      operstate up\n      carrier 1\n"
        );
        Golden::new("hardware/w-m", origin.unwrap(), &body)
    };
    let row = |releases: &str, state: &str| {
        format!(
            "| m | w | {releases} | no | none | {state}/0 `up`; asking makes 2 × newlink up/1 `up+lower_up` change up |\n"
        )
    };
    let of = |goldens: &[Golden]| rows("m", "w", goldens, &[0], 1);
    let same = RELEASES.map(|release| golden(release, "down"));
    assert_eq!(of(&same), row("all four", "down"));
    let other = [golden("14.0-STABLE", "down"), golden("15.1-RELEASE", "unknown")];
    assert_eq!(of(&other), row("14.0-STABLE", "down") + &row("15.1-RELEASE", "unknown"));
    assert_eq!(cells("step 0\nstep 1\n  < error - seq=+0 error=ENODEV\n", &[0], 1), "yes | none | ENODEV");
}
