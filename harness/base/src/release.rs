// SPDX-License-Identifier: BSD-2-Clause
//! The name of a release.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;
use core::ops::Deref;
use core::str::FromStr;

/// The longest name, in bytes: with what stands beside it, it is still the name of a file.
const LONGEST: usize = 100;

/// The name of a release such as `14.0-STABLE`, which is that of its directory and part of names of files.
///
/// It has 1 to 100 letters and digits of ASCII, dots, dashes, underscores and pluses, the first one a letter or digit: no
/// path leads out of a directory by it, and no shell reads anything but a word in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseName(String);

/// A text that is no name of a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` cannot be the name of a release: it has 1 to {LONGEST} letters and digits, dots, dashes, underscores and \
     pluses, the first one a letter or digit, such as 14.0-STABLE",
    .0.escape_debug()
)]
pub struct NotAReleaseName(String);

impl ReleaseName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReleaseName {
    type Err = NotAReleaseName;

    fn from_str(text: &str) -> Result<Self, NotAReleaseName> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
        if first && text.len() <= LONGEST && text.bytes().all(rest) {
            Ok(Self(text.to_owned()))
        } else {
            // As much of it as is worth showing.
            Err(NotAReleaseName(text.chars().take(LONGEST).collect()))
        }
    }
}

impl Deref for ReleaseName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ReleaseName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_directories_are_names_and_paths_are_not() {
        for name in ["14.0-STABLE", "15.1-RELEASE", "MYKERNEL", "16.0-CURRENT-main_2+x", "9"] {
            assert_eq!(name.parse::<ReleaseName>().unwrap().as_str(), name);
        }
        let long = "1".repeat(LONGEST + 1);
        for name in
            ["", ".", "..", "../x", "a/b", "a\\b", "a\nb", "a\0", "-r", " 14", "14 0", "a;b", "é", &long]
        {
            assert!(name.parse::<ReleaseName>().is_err(), "{name:?}");
        }
        let error = "a\n../b".parse::<ReleaseName>().unwrap_err().to_string();
        assert!(error.starts_with("`a\\n../b` cannot be the name of a release: "), "{error}");
    }

    proptest! {
        #[test]
        fn a_name_stays_in_its_directory(text in ".*") {
            if let Ok(name) = text.parse::<ReleaseName>() {
                let path = std::path::Path::new("/d").join(name.as_str());
                prop_assert_eq!(path.components().count(), 3);
                prop_assert_eq!(path.parent(), Some(std::path::Path::new("/d")));
                prop_assert_eq!(format!("{name}"), text);
            }
        }
    }
}
