// SPDX-License-Identifier: BSD-2-Clause
//! Every vector of the project as a conversation with every profile, even where no kernel of the profile has
//! answered it. `NLPROOF_FUZZ_SEEDS=DIR` writes the conversations there, as inputs to begin with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use iface_sim::{Privilege, SocketOptions};
use nlproof::vector::{compile, load_suite};
use nlproof_agent::{Program, Step};
use nlproof_fuzz::Conversation;
use nlproof_wire::Os;

/// Indexes are known when a program runs only; lo0 has 3 here, and the first interface that is made 4.
fn conversation(program: &Program) -> Conversation {
    let mut datagrams = Vec::new();
    for step in &program.steps {
        let Step::Send(send) = step else { continue };
        let mut data = send.data.clone();
        for patch in &send.patches {
            let index: u32 = if patch.ifname == "lo0" { 3 } else { 4 };
            let start = patch.offset as usize;
            data[start..start + 4].copy_from_slice(&index.to_le_bytes());
        }
        datagrams.push(data);
    }
    let socket = program.socket;
    let options = SocketOptions {
        ext_ack: socket.ext_ack,
        cap_ack: socket.cap_ack,
        strict: socket.strict,
        bound: true,
    };
    let privilege = match program.privilege {
        nlproof_agent::Privilege::Root | nlproof_agent::Privilege::Outside => Privilege::Root,
        nlproof_agent::Privilege::Unprivileged => Privilege::Unprivileged,
        nlproof_agent::Privilege::Jailed => Privilege::Jailed,
    };
    Conversation { options, privilege, small: socket.receive_buffer.is_some(), datagrams }
}

fn conversations() -> Vec<(String, Conversation)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let suite = load_suite(&root).unwrap();
    let compiled = suite.vectors.iter().map(|vector| {
        let program = compile(vector, Os::FreeBsd, 0).unwrap();
        (vector.id.clone(), conversation(&program))
    });
    compiled.filter(|(_, conversation)| !conversation.datagrams.is_empty()).collect()
}

#[test]
fn every_vector_with_every_profile() {
    let seeds = std::env::var_os("NLPROOF_FUZZ_SEEDS").map(PathBuf::from);
    let mut seen = BTreeSet::new();
    for (id, conversation) in conversations() {
        let bytes = conversation.encode();
        assert_eq!(Conversation::decode(&bytes), conversation, "{id}");
        nlproof_fuzz::netlink(&bytes);
        conversation.datagrams.iter().for_each(|datagram| nlproof_fuzz::wire(datagram));
        if let Some(seeds) = &seeds {
            let name = id.replace('/', "-");
            for (target, bytes) in [("netlink", &bytes), ("wire", &conversation.datagrams.concat())] {
                fs::create_dir_all(seeds.join(target)).unwrap();
                fs::write(seeds.join(target).join(&name), bytes).unwrap();
            }
        }
        seen.insert(bytes);
    }
    assert!(seen.len() > 400, "{} different conversations", seen.len());
}
