// SPDX-License-Identifier: BSD-2-Clause
//! The agent over ssh, against this machine's Linux kernel in a network namespace: the path that a FreeBSD
//! guest takes, without the guest.

use std::path::Path;
use std::time::Duration;

use nlproof::guest::{SshError, agent_path, install_agent, run_agent};
use nlproof::trace::{Trace, normalise};
use nlproof::vector::{compile, load_suite, seqs_of};
use nlproof::vm::{GuestFailure, NoWatch, Wait};
use nlproof_agent::{Batch, Body, ErrorStage, Record};
use nlproof_wire::Os;

use crate::server::{LIMIT, Server, skip};

const AGENT: &[u8] = include_bytes!(env!("NLPROOF_AGENT_LINUX"));

/// The project's own vectors for Linux.
fn batch(filter: &str) -> Batch {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let suite = load_suite(&root).unwrap_or_else(|errors| panic!("{errors:?}"));
    let wanted = suite.vectors.iter().filter(|vector| vector.id == filter);
    let programs = (0..).zip(wanted).map(|(id, vector)| compile(vector, Os::Linux, id).unwrap()).collect();
    Batch { programs }
}

async fn run(server: &Server, batch: &Batch) -> (Vec<Record>, Result<(), SshError>) {
    let ssh = server.connect().await;
    let directory = server.path().to_str().unwrap();
    let path = install_agent(&ssh, directory, AGENT, &mut NoWatch).await.unwrap();
    assert_eq!(path, agent_path(directory, AGENT));
    // The second time it is there.
    assert_eq!(install_agent(&ssh, directory, AGENT, &mut NoWatch).await.unwrap(), path);
    let mut records = Vec::new();
    let result = run_agent(&ssh, &path, batch, &Wait::new("the batch", LIMIT), &mut NoWatch, &mut |record| {
        records.push(record);
    })
    .await;
    (records, result.map(drop))
}

/// A machine on which no namespace can be made says so in every program.
fn cannot_isolate(records: &[Record]) -> bool {
    records.iter().any(|record| matches!(&record.body, Body::Error { stage: ErrorStage::Isolate, .. }))
}

#[tokio::test]
async fn a_vector_s_conversation_with_linux_comes_back_over_ssh() {
    let test = "a_vector_s_conversation_with_linux_comes_back_over_ssh";
    let Some(server) = Server::start(test) else { return };
    let batch = batch("link/getlink-unknown-name");
    assert_eq!(batch.programs.len(), 1);
    let (records, result) = run(&server, &batch).await;
    result.unwrap();
    if cannot_isolate(&records) {
        return skip(test, "no rights to make a network namespace");
    }
    let mut trace = Trace::from_records(Os::Linux, &records, false);
    normalise(&mut trace, |step| seqs_of(step).start);
    let text = trace.to_text();
    // RFC 3549 2.3.2.2: an error answers with the request's seq; Linux names ENODEV.
    assert!(
        text.contains("  < error ack_tlvs seq=+0 pid=$self error=ENODEV")
            || text.contains("  < error - seq=+0 pid=$self error=ENODEV"),
        "{text}"
    );
    assert!(text.contains("ifname \"nosuch0\""), "{text}");
}

#[tokio::test]
async fn every_program_of_a_batch_ends() {
    let test = "every_program_of_a_batch_ends";
    let Some(server) = Server::start(test) else { return };
    let batch = batch("dump/getlink-all");
    let (records, result) = run(&server, &batch).await;
    result.unwrap();
    let ended = records.iter().filter(|record| matches!(record.body, Body::End { .. })).count();
    assert_eq!(ended, batch.programs.len());
    assert!(ended > 0);
    assert!(records.windows(2).all(|pair| pair[0].t_ns <= pair[1].t_ns), "time runs forward");
}

#[tokio::test]
async fn an_agent_that_cannot_be_run_has_died() {
    let Some(server) = Server::start("an_agent_that_cannot_be_run_has_died") else { return };
    let wait = Wait::new("a program that is no agent", Duration::from_secs(30));
    let error = run_agent(
        &server.connect().await,
        "/bin/true",
        &batch("link/getlink-by-name"),
        &wait,
        &mut NoWatch,
        &mut |_| {},
    )
    .await
    .unwrap_err();
    assert!(
        matches!(
            &error,
            SshError::Guest(GuestFailure::AgentDied { .. }) | SshError::Lost { .. } | SshError::Protocol(_)
        ),
        "{error:?}"
    );
}
