// SPDX-License-Identifier: BSD-2-Clause
//! What is served: the news of a page, and whoever makes the page.

use serde::Serialize;

/// What a reader hears of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct News {
    /// Number of the page: a higher one is another page.
    pub page: u64,
    /// How far it is, in a line.
    pub line: String,
    /// The page does not change any more.
    pub over: bool,
}

/// Makes the page for these news; or says why there is none.
pub type Source = Box<dyn Fn(&News) -> Result<String, String> + Send + Sync>;
