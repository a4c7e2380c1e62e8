// SPDX-License-Identifier: BSD-2-Clause
//! Creation by a cloner: the `create_f` of each.

use crate::call::Call;
use crate::cloners::Cloner;
use crate::context::Sleepable;
use crate::errno::Errno;
use crate::kernel::{Kernel, Requester};
use crate::link;
use crate::link_request::LinkRequest;
use crate::name::Name;
use crate::probe::{self, CloneOp};
use crate::report::Report;
use crate::vlan::VlanRequest;

/// What vlan's `create_f` takes for the last id; the driver refuses the last itself, but never hears of it.
const LAST_VLAN_ID: u16 = 4095;

impl Cloner {
    /// `create_f`: makes the interface; the generic one also changes it as the request says.
    ///
    /// vlan's checks id and parent and then forgets them: what is made is whatever the name says, and a VLAN of that
    /// name is on nothing.
    pub(crate) fn create<K: Kernel, R: Requester>(
        self,
        call: &Call<'_, K, R>,
        thread: &mut Sleepable,
        name: &[u8],
        wanted: &LinkRequest<'_>,
        report: &mut Report,
    ) -> Result<(), Errno> {
        let kernel = call.kernel;
        match self {
            Self::Generic => link::create_by_name(call, thread, name, wanted, report),
            Self::Vlan => {
                VlanRequest::for_create(wanted.driver_data.as_ref(), LAST_VLAN_ID, report)?;
                probe::by_index(kernel, thread, wanted.index).ok_or(Errno::ENOENT)?;
                probe::cloner(kernel, CloneOp::Create, 0, Name::truncated(name), || {
                    kernel.create(thread, name, wanted).map(drop)
                })
            }
        }
    }
}
