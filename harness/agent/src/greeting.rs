// SPDX-License-Identifier: BSD-2-Clause
//! What opens a connection to an agent that stayed.
//!
//! ```text
//!  token (32 bytes) | u64 nanoseconds since 1970 of the harness's clock          (little endian, 40 bytes)
//! ```
//! Any user of the harness's machine can connect to the forwarded port. Without the token, which only the owner
//! of the saved state can read, there is no answer. The time is there because a restored guest's clock stands
//! where it stood when its state was saved.

/// Bytes of a token.
pub const TOKEN_LEN: usize = 32;
/// Bytes of a greeting.
pub const GREETING_LEN: usize = TOKEN_LEN + 8;

/// The first bytes of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Proves that the harness made the guest.
    pub token: [u8; TOKEN_LEN],
    /// Nanoseconds since 1970-01-01 00:00 UTC; 0 leaves the guest's clock alone.
    pub now_ns: u64,
}

impl Greeting {
    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; GREETING_LEN] {
        let mut bytes = [0; GREETING_LEN];
        let parts = self.token.iter().copied().chain(self.now_ns.to_le_bytes());
        for (place, byte) in bytes.iter_mut().zip(parts) {
            *place = byte;
        }
        bytes
    }

    /// The time of a greeting with this token; `None`: it has another one. Takes as long for every token.
    #[must_use]
    pub fn accept(bytes: &[u8; GREETING_LEN], token: &[u8; TOKEN_LEN]) -> Option<u64> {
        let differing = bytes.iter().zip(token).fold(0, |all, (a, b)| all | (a ^ b));
        let now: [u8; 8] = *bytes.last_chunk()?;
        (differing == 0).then_some(u64::from_le_bytes(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_accepted() {
        let token = core::array::from_fn(|n| n as u8);
        let bytes = Greeting { token, now_ns: 0x0102_0304_0506_0708 }.encode();
        assert_eq!(Greeting::accept(&bytes, &token), Some(0x0102_0304_0506_0708));
        for place in 0..TOKEN_LEN {
            let mut other = token;
            other[place] ^= 0x80;
            assert_eq!(Greeting::accept(&bytes, &other), None, "byte {place}");
        }
    }
}
