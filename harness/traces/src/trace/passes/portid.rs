// SPDX-License-Identifier: BSD-2-Clause
//! `nlmsg_pid`: the request socket's own port id is `$self`; any other number stays.

use super::super::item::Trace;
use super::super::node::Val;
use super::messages;

pub(super) fn rename(trace: &mut Trace) {
    let own = trace.pid;
    for message in messages(trace) {
        message.walk_mut(&mut |node| {
            if let Val::Pid(pid) = node.value {
                node.value =
                    if pid == own && own != 0 { Val::Text("$self".into()) } else { Val::Num(pid.into()) };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{replies, values, with};
    use super::*;

    #[test]
    fn only_the_own_port_is_renamed() {
        let mut trace = replies([77, 0, 78].map(|pid| with("pid", Val::Pid(pid))).into());
        rename(&mut trace);
        assert_eq!(values(&trace, "pid"), [Val::Text("$self".into()), Val::Num(0), Val::Num(78)]);
    }
}
