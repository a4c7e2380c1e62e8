// SPDX-License-Identifier: BSD-2-Clause
//! Which differences between a release's own code and the module are meant: those of `divergences.yaml`.

use iface_core::Profile;

use super::compare::{Explained, all_changes};
use super::finding::Class;
use crate::file::FileError;
use crate::golden::{Change, Divergences, Found, Golden, Origin};

/// Explains each difference between the stock code's answer and the module's. What is declared and does not occur is a
/// difference too.
pub(super) fn explain(
    divergences: &Divergences,
    profile: Profile,
    id: &str,
    stock: &str,
    rust: &str,
) -> Vec<(Change, Explained)> {
    let unexplained = |why: &str| (Class::Unexplained, why.to_owned());
    let found = all_changes(stock, rust);
    let golden = Golden::new(id, Origin::predicted(&profile.to_string()), stock);
    let found_there = Found { layer: String::new(), path: "the stock code".into(), golden };
    let allowed = match divergences.apply(profile, found_there) {
        Ok(applied) => all_changes(stock, &applied.golden.body),
        Err(error) => {
            let reason = unexplained(&format!("divergences.yaml: {}", told(&error)));
            return match found.is_empty() {
                true => vec![(nothing(), reason)],
                false => found.into_iter().map(|change| (change, reason.clone())).collect(),
            };
        }
    };
    let not_followed = allowed.iter().filter(|change| !found.contains(change)).cloned();
    let not_followed: Vec<_> = not_followed
        .map(|change| (change, unexplained("divergences.yaml declares it, and the module does not do it")))
        .collect();
    let explained = |change: Change| {
        let reason = match allowed.contains(&change) {
            true => (Class::Allowed, "divergences.yaml".to_owned()),
            false => unexplained("divergences.yaml does not declare it"),
        };
        (change, reason)
    };
    found.into_iter().map(explained).chain(not_followed).collect()
}

fn told(error: &FileError) -> &str {
    &error.what
}

/// The difference of a row that is about nothing.
fn nothing() -> Change {
    let place = crate::golden::Place { message: "a declared deviation".into(), attr: String::new() };
    Change { place, from: None, to: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str = "step 0\n  < error - error=EPERM\n";

    fn divergences(rust: &str) -> Divergences {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("divergences.yaml");
        let row = format!(
            "divergences:\n- {{vector: link/a, profiles: ['15'], stock: < error - error=EPERM, rust: {rust}, why: x, reference: y}}\n"
        );
        std::fs::write(&path, row).unwrap();
        Divergences::load(&path, &["link/a"]).unwrap()
    }

    #[test]
    fn what_is_declared_is_allowed_and_nothing_else() {
        let declared = divergences("< error - error=EINVAL");
        let classes = |stock: &str, rust: &str| {
            let found = explain(&declared, Profile::R15, "link/a", stock, rust);
            found.into_iter().map(|(_, (class, why))| format!("{}: {why}", class.word())).collect::<Vec<_>>()
        };
        let rust = |errno: &str| STOCK.replace("EPERM", errno);
        assert_eq!(classes(STOCK, &rust("EINVAL")), ["allowed: divergences.yaml"]);
        assert_eq!(
            classes(STOCK, &rust("ENOENT")),
            [
                "unexplained: divergences.yaml does not declare it",
                "unexplained: divergences.yaml declares it, and the module does not do it"
            ]
        );
        assert_eq!(
            classes(STOCK, STOCK),
            ["unexplained: divergences.yaml declares it, and the module does not do it"]
        );
        // A row about what the stock code does not say.
        let other = rust("ENOENT");
        assert!(classes(&other, &other)[0].starts_with("unexplained: divergences.yaml: the stock code"));
        let none = Divergences::default();
        assert_eq!(explain(&none, Profile::R15, "link/a", STOCK, STOCK), []);
        let found = explain(&none, Profile::R15, "link/a", STOCK, &rust("EINVAL"));
        assert_eq!(found[0].1.0, Class::Unexplained);
    }
}
