// SPDX-License-Identifier: BSD-2-Clause
//! Conversations as the fuzz target `netlink` reads them out of any bytes.

/// The options of a conversation and its datagrams. Any bytes are one.
///
/// ```text
///  0       1       3
///  |options|length | datagram |length | datagram | ...
/// ```
/// `length` is little-endian, in bytes; one that is longer than what is left takes what is left.
pub fn conversation(data: &[u8]) -> (u8, Vec<&[u8]>) {
    let (&options, mut rest) = data.split_first().unwrap_or((&0, &[]));
    let mut datagrams = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (datagram, after) = after.split_at(length);
        datagrams.push(datagram);
        rest = after;
    }
    (options, datagrams)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_a_conversation() {
        assert_eq!(conversation(&[]), (0, vec![]));
        assert_eq!(conversation(&[5]), (5, vec![]));
        assert_eq!(conversation(&[5, 2, 0, 7, 8, 9, 0, 1]), (5, vec![&[7, 8][..], &[1]]));
        assert_eq!(conversation(&[5, 0, 0, 1]), (5, vec![&[][..]]));
    }
}
