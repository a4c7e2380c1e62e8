// SPDX-License-Identifier: BSD-2-Clause
//! What nobody can guess, in the page's address.

use std::fmt;
use std::io;

use nlproof_base::{hex, random};

/// Random bytes: 128 bits.
const LENGTH: usize = 16;

/// A token, in hexadecimal digits.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(super) fn random() -> io::Result<Self> {
        Ok(Self(hex(&random::<LENGTH>()?)))
    }

    /// Whether this is it. How long that takes tells nothing of it.
    pub(super) fn is(&self, text: &str) -> bool {
        let differs =
            std::iter::zip(self.0.bytes(), text.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
        text.len() == self.0.len() && differs == 0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let token = Token::random().unwrap();
        let text = token.to_string();
        assert_eq!(text.len(), 2 * LENGTH);
        assert!(token.is(&text));
        let other = if text.starts_with('0') { "1" } else { "0" };
        for wrong in ["", &text[1..], &format!("{text}0"), &format!("{other}{}", &text[1..])] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!(!token.is(&Token::random().unwrap().to_string()));
        assert!(!format!("{token:?}").contains(&text));
    }
}
