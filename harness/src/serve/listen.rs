// SPDX-License-Identifier: BSD-2-Clause
//! Where a page is served: loopback, unless the user asks for more.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on. The default is any free port of 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Address and port; port 0 is any that is free.
    pub address: SocketAddr,
}

impl Listen {
    /// Whether others than this machine's programs reach it.
    pub fn is_open_to_others(self) -> bool {
        !self.address.ip().to_canonical().is_loopback()
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self { address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0) }
    }
}

impl FromStr for Listen {
    type Err = String;

    /// Reads `ADDRESS`, `ADDRESS:PORT` or `:PORT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let local =
            |port: &str| port.parse().ok().map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        let address = match text.strip_prefix(':').filter(|rest| !rest.starts_with(':')) {
            Some(port) => local(port),
            None => {
                text.parse().ok().or_else(|| text.parse().ok().map(|address: IpAddr| (address, 0).into()))
            }
        };
        address.map(|address| Self { address }).ok_or_else(|| {
            "it is none of `ADDRESS`, `ADDRESS:PORT` and `:PORT`; an address is one of numbers, such as 127.0.0.1 or [::1]".into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ports_are_read() {
        for (text, address, open) in [
            ("127.0.0.1", "127.0.0.1:0", false),
            ("127.0.0.1:80", "127.0.0.1:80", false),
            (":8080", "127.0.0.1:8080", false),
            ("::1", "[::1]:0", false),
            ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]:0", false),
            ("[::1]:9", "[::1]:9", false),
            ("0.0.0.0", "0.0.0.0:0", true),
            ("::", "[::]:0", true),
            ("192.0.2.1:80", "192.0.2.1:80", true),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!(
                (listen.address.to_string().as_str(), listen.is_open_to_others()),
                (address, open),
                "{text}"
            );
        }
        for text in ["", ":", "localhost", "127.0.0.1:x", ":65536", "1.2.3", "example.org:80"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
        assert!(!Listen::default().is_open_to_others());
    }
}
