// SPDX-License-Identifier: BSD-2-Clause
//! What a cloner adds to the message about its interface: `ifc_dump_ifp_nl` of `net/if_clone.c`.

use iface_core::{Name, Writer, link_info};
use nlproof_wire::consts::{IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO};

use crate::interface::{Driver, IfRef};
use crate::stack::Stack;
use crate::tracer::Fault;
use crate::writer::NlWriter;

impl Stack {
    /// The driver's own words, where the branch asks for them.
    pub(crate) fn cloner_describes(&self, ifp: &IfRef, stream: &mut NlWriter) {
        if self.tracer.makes(Fault::MessageWithoutMemory) {
            stream.fail();
        }
        match ifp.driver {
            Driver::Vlan if self.variant.drivers_describe => Self::vlan_describe(ifp, stream),
            Driver::Gif if self.variant.drivers_describe => Self::gif_describe(ifp, stream),
            driver => link_info(stream, Name::truncated(driver.name().as_bytes())),
        }
    }
}

/// IFLA_LINKINFO of a driver that has IFLA_INFO_DATA to write.
pub(crate) fn link_info_with(stream: &mut NlWriter, driver: Driver, data: impl FnOnce(&mut NlWriter)) {
    if let Some(info) = stream.nest(IFLA_LINKINFO) {
        stream.string(IFLA_INFO_KIND, driver.name().as_bytes());
        if let Some(nest) = stream.nest(IFLA_INFO_DATA) {
            data(stream);
            stream.end_nest(nest);
        }
        stream.end_nest(info);
    }
}
