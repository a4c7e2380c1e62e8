// SPDX-License-Identifier: BSD-2-Clause
//! What a request says about a gif: `nl_parsed_gif` of `net/if_gif.c`, which main of summer 2026 has (read at git
//! revision a6c9cdc41420), and no release.

use nlproof_wire::consts::freebsd::{IFLA_IPTUN_FLAGS, IFLA_IPTUN_LOCAL, IFLA_IPTUN_REMOTE};

use crate::address::SocketAddress;
use crate::attributes::{Attribute, AttributeSet};
use crate::driver_data::DriverData;
use crate::errno::Errno;
use crate::report::Report;

/// `GIF_OPTMASK` of `net/if_gif.h`: GIF_NOCLAMP and GIF_IGNORE_SOURCE.
const FLAGS: u32 = 3;

/// The two ends of a tunnel, of one family, and neither is the address of nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// IFLA_IPTUN_LOCAL.
    pub local: SocketAddress,
    /// IFLA_IPTUN_REMOTE.
    pub remote: SocketAddress,
}

/// What is asked of a gif. If an attribute comes twice, the last one holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GifRequest {
    local: Option<SocketAddress>,
    remote: Option<SocketAddress>,
    flags: Option<u32>,
}

impl<'a> AttributeSet<'a> for GifRequest {
    fn attribute(&mut self, attribute: &Attribute<'a>, report: &mut Report) -> Result<(), Errno> {
        match attribute.kind() {
            IFLA_IPTUN_LOCAL => self.local = Some(attribute.ip(report)?),
            IFLA_IPTUN_REMOTE => self.remote = Some(attribute.ip(report)?),
            IFLA_IPTUN_FLAGS => self.flags = Some(attribute.u32(report)?),
            _ => {}
        }
        Ok(())
    }
}

impl GifRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// EINVAL, ENOTSUP or ENOBUFS for data that cannot be read.
    pub fn of(data: &DriverData<'_>, report: &mut Report) -> Result<Self, Errno> {
        let mut request = Self::default();
        data.read(&mut request, report)?;
        Ok(request)
    }

    /// The tunnel that is asked for; `None`: the request is not about one.
    ///
    /// # Errors
    /// EINVAL for one end without the other, EADDRNOTAVAIL for ends of two families or an unspecified address.
    pub fn tunnel(&self, report: &mut Report) -> Result<Option<Tunnel>, Errno> {
        let (local, remote) = match (self.local, self.remote) {
            (None, None) => return Ok(None),
            (Some(local), Some(remote)) => (local, remote),
            _ => {
                say(report, "Specify both remote and local address together");
                return Err(Errno::EINVAL);
            }
        };
        let nobody = |address| match address {
            SocketAddress::Inet(bytes) => bytes == [0; 4],
            SocketAddress::Inet6(bytes) => bytes == [0; 16],
            SocketAddress::Link(_) | SocketAddress::Other(_) => true,
        };
        if local.family() != remote.family() || nobody(local) || nobody(remote) {
            return Err(Self::refused(Errno::EADDRNOTAVAIL, report));
        }
        Ok(Some(Tunnel { local, remote }))
    }

    /// The flags that are asked for: GIF_NOCLAMP 1, GIF_IGNORE_SOURCE 2.
    ///
    /// # Errors
    /// EINVAL for a bit that is neither.
    pub fn flags(&self, report: &mut Report) -> Result<Option<u32>, Errno> {
        if self.flags.is_some_and(|flags| flags & !FLAGS != 0) {
            say(report, "gif flags are invalid");
            return Err(Errno::EINVAL);
        }
        Ok(self.flags)
    }

    /// Reports why a tunnel was not made (`gif_set_addr_nl`).
    pub fn refused(error: Errno, report: &mut Report) -> Errno {
        match error {
            Errno::EADDRNOTAVAIL => say(report, "address is invalid"),
            Errno::EEXIST => say(report, "remote and local addresses are the same"),
            Errno::EAFNOSUPPORT => say(report, "address family is not supported"),
            _ => {}
        }
        error
    }
}

fn say(report: &mut Report, what: &str) {
    report.say(|text| {
        text.str(what);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    const LOCAL: [u8; 8] = [8, 0, 1, 0, 192, 0, 2, 1];
    const REMOTE: [u8; 8] = [8, 0, 2, 0, 192, 0, 2, 2];

    fn ask<T>(
        bytes: &[u8],
        what: impl FnOnce(&GifRequest, &mut Report) -> Result<T, Errno>,
    ) -> (Result<T, Errno>, String) {
        let attribute = Attribute { raw_kind: 2, data: bytes, offset: 40, base: 0 };
        let mut report = Report::default();
        let read = GifRequest::of(&DriverData::of(&attribute), &mut report);
        let answer = read.and_then(|request| what(&request, &mut report));
        (answer, String::from_utf8_lossy(report.text().unwrap_or_default()).into_owned())
    }

    fn tunnel(bytes: &[u8]) -> (Result<Option<Tunnel>, Errno>, String) {
        ask(bytes, GifRequest::tunnel)
    }

    #[test]
    fn both_ends_make_a_tunnel() {
        let ends = [LOCAL, REMOTE].concat();
        let made = Tunnel {
            local: SocketAddress::Inet([192, 0, 2, 1]),
            remote: SocketAddress::Inet([192, 0, 2, 2]),
        };
        assert_eq!(tunnel(&ends), (Ok(Some(made)), String::new()));
        assert_eq!(tunnel(&[]), (Ok(None), String::new()));
        let mut one = [20, 0, 1, 0].to_vec();
        one.extend([0; 15]);
        one.extend([1, 20, 0, 2, 0]);
        one.extend([0; 15]);
        one.push(2);
        assert!(matches!(tunnel(&one).0, Ok(Some(Tunnel { local: SocketAddress::Inet6(_), .. }))));
    }

    #[test]
    fn what_is_no_tunnel() {
        let together = "Specify both remote and local address together";
        assert_eq!(tunnel(&LOCAL), (Err(Errno::EINVAL), together.into()));
        assert_eq!(tunnel(&REMOTE), (Err(Errno::EINVAL), together.into()));
        let invalid = (Err(Errno::EADDRNOTAVAIL), String::from("address is invalid"));
        let nobody = [8, 0, 2, 0, 0, 0, 0, 0];
        assert_eq!(tunnel(&[LOCAL, nobody].concat()), invalid);
        let mut families = LOCAL.to_vec();
        families.extend([20, 0, 2, 0]);
        families.extend([1; 16]);
        assert_eq!(tunnel(&families), invalid);
        let mut unspecified = [20, 0, 1, 0].to_vec();
        unspecified.extend([0; 16]);
        unspecified.extend([20, 0, 2, 0]);
        unspecified.extend([1; 16]);
        assert_eq!(tunnel(&unspecified), invalid);
        assert_eq!(
            tunnel(&[6, 0, 1, 0, 1, 2, 0, 0]),
            (Err(Errno::ENOTSUP), "unknown IP len: 2 for rta type 1".into())
        );
    }

    #[test]
    fn flags_that_there_are() {
        assert_eq!(ask(&[8, 0, 3, 0, 3, 0, 0, 0], GifRequest::flags), (Ok(Some(3)), String::new()));
        assert_eq!(ask(&[], GifRequest::flags).0, Ok(None));
        let invalid = (Err(Errno::EINVAL), String::from("gif flags are invalid"));
        assert_eq!(ask(&[8, 0, 3, 0, 4, 0, 0, 0], GifRequest::flags), invalid);
    }

    #[test]
    fn each_refusal_has_its_text() {
        for (error, text) in [
            (Errno::EADDRNOTAVAIL, Some("address is invalid")),
            (Errno::EEXIST, Some("remote and local addresses are the same")),
            (Errno::EAFNOSUPPORT, Some("address family is not supported")),
            (Errno::ENXIO, None),
        ] {
            let mut report = Report::default();
            assert_eq!(GifRequest::refused(error, &mut report), error);
            assert_eq!(report.text(), text.map(str::as_bytes));
        }
    }
}
