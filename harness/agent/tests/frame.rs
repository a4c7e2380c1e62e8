// SPDX-License-Identifier: BSD-2-Clause
//! The frame reader with any stream in any pieces.

use nlproof_agent::console::{Lines, MAX_LINE};
use nlproof_agent::frame::{FrameError, FrameReader, begun, encode_frame, encode_hello};
use nlproof_agent::{Body, ConsoleLine, DropSource, ErrorStage, Phase, Record};
use proptest::collection::vec;
use proptest::prelude::*;

fn body() -> impl Strategy<Value = Body> {
    let bytes = || vec(any::<u8>(), 0..200);
    prop_oneof![
        any::<u32>().prop_map(|pid| Body::Start { pid }),
        Just(Body::Begin),
        (any::<Option<u32>>(), bytes(), any::<u32>(), any::<bool>()).prop_map(
            |(priority, text, cut, whole)| Body::Console(ConsoleLine { priority, text, cut, whole })
        ),
        (any::<u32>(), any::<u64>(), any::<bool>()).prop_map(|(lines, bytes, overrun)| Body::ConsoleRead {
            lines,
            bytes,
            overrun
        }),
        (any::<i32>(), any::<String>()).prop_map(|(errno, text)| Body::NoConsole { errno, text }),
        (any::<String>(), any::<u32>()).prop_map(|(ifname, ifindex)| Body::Resolved { ifname, ifindex }),
        bytes().prop_map(|data| Body::Sent { data }),
        (bytes(), any::<u32>()).prop_map(|(data, full_len)| Body::Reply { data, full_len }),
        (any::<u32>(), bytes()).prop_map(|(group, data)| Body::Event { group, data }),
        (any::<i32>(), bytes(), bytes()).prop_map(|(status, stdout, stderr)| Body::Exec {
            status,
            stdout,
            stderr
        }),
        (any::<bool>(), bytes()).prop_map(|(stderr, data)| Body::Output { stderr, data }),
        bytes().prop_map(|data| Body::Traced { data }),
        (any::<u32>(), any::<i32>())
            .prop_map(|(group, errno)| Body::Drop { source: DropSource::Group(group), errno }),
        Just(Body::Timeout),
        (any::<i32>(), any::<String>()).prop_map(|(errno, text)| Body::Error {
            stage: ErrorStage::Send,
            errno,
            text
        }),
        vec((proptest::sample::select(&Phase::ALL[..]), any::<u64>()), 0..9).prop_map(Body::Spent),
        any::<Option<i32>>().prop_map(|died| Body::End { died }),
    ]
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let record = (any::<u32>(), any::<u32>(), any::<u64>(), body());
    vec(record.prop_map(|(program, step, t_ns, body)| Record { program, step, t_ns, body }), 0..12)
}

fn stream(records: &[Record]) -> Vec<u8> {
    let frames = records.iter().map(|record| encode_frame(record).unwrap());
    encode_hello().into_iter().chain(frames.flatten()).collect()
}

/// All values that can be taken now.
fn take(reader: &mut FrameReader) -> Result<Vec<Record>, FrameError> {
    std::iter::from_fn(|| reader.next().transpose()).collect()
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_records(records in records(), cuts in vec(any::<prop::sample::Index>(), 0..20)) {
        let stream = stream(&records);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut reader = FrameReader::new();
        let mut taken = Vec::new();
        for piece in cuts.windows(2) {
            reader.push(&stream[piece[0]..piece[1]]);
            taken.extend(take(&mut reader).unwrap());
        }
        prop_assert_eq!(taken, records);
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_cut_stream_gives_the_whole_records_and_says_that_it_is_cut(
        records in records(),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = stream(&records);
        let cut = cut.index(stream.len());
        let mut reader = FrameReader::new();
        reader.push(&stream[..cut]);
        let taken = take(&mut reader).unwrap();
        prop_assert_eq!(&taken[..], &records[..taken.len()]);
        let whole: usize = encode_hello().len()
            + taken.iter().map(|record| encode_frame(record).unwrap().len()).sum::<usize>();
        match reader.finish() {
            Ok(()) => prop_assert_eq!(whole, cut),
            Err(FrameError::Truncated { missing, .. }) => {
                prop_assert!(missing > 0 && cut + missing <= stream.len());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn the_beginning_of_a_step_is_found_among_frames(record in (any::<u32>(), any::<u32>(), any::<u64>(), body())) {
        let (program, step, t_ns, body) = record;
        let begins = body == Body::Begin;
        let frame = encode_frame(&Record { program, step, t_ns, body }).unwrap();
        prop_assert_eq!(begun(&frame), Ok(begins.then_some((step, t_ns))));
    }

    #[test]
    fn the_kernels_lines_are_the_same_in_any_pieces(
        texts in vec((any::<Option<u32>>(), 0..1_000_000_u64, vec(any::<u8>(), 0..2000)), 0..6),
        cuts in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for (priority, micros, text) in &texts {
            let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\n').collect();
            stream.extend(priority.map_or(String::new(), |priority| format!("<{priority}>")).into_bytes());
            stream.extend(format!("[7.{micros:06}] ").into_bytes());
            stream.extend(&text);
            stream.push(b'\n');
            let kept = text[..text.len().min(MAX_LINE)].to_vec();
            expected.push((7_000_000 + micros, *priority, kept, text.len()));
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut lines = Lines::default();
        let printed: Vec<_> = cuts.windows(2).flat_map(|piece| lines.push(&stream[piece[0]..piece[1]])).collect();
        prop_assert_eq!(lines.unfinished(), None);
        let taken: Vec<_> = printed
            .into_iter()
            .map(|it| (it.t_us, it.line.priority, it.line.text.clone(), it.line.text.len() + it.line.cut as usize))
            .collect();
        prop_assert_eq!(taken, expected);
    }

    #[test]
    fn garbage_is_an_error_or_waits_for_more_and_never_panics(pieces in vec(vec(any::<u8>(), 0..40), 0..10)) {
        let mut reader = FrameReader::new();
        for piece in &pieces {
            reader.push(piece);
            let first = take(&mut reader);
            let beyond = matches!(&first, Err(FrameError::Magic { .. } | FrameError::Version { .. }));
            if beyond {
                prop_assert_eq!(take(&mut reader), first);
            }
        }
        let garbage = pieces.concat();
        if garbage.len() >= 4 && !garbage.starts_with(b"NLPA") {
            prop_assert!(matches!(reader.finish(), Err(FrameError::Magic { .. })), "{:?}", reader.finish());
        }
    }

    #[test]
    fn garbage_after_the_hello_never_panics(garbage in vec(any::<u8>(), 0..400)) {
        let mut reader = FrameReader::new();
        reader.push(&encode_hello());
        reader.push(&garbage);
        // Each call consumes a frame, waits for more, or fails for good: it comes to an end.
        let mut left = garbage.len() + 1;
        while left > 0 {
            match reader.next::<Record>() {
                Ok(None) => break,
                Err(error @ FrameError::TooLong { .. }) => {
                    prop_assert_eq!(reader.finish(), Err(error));
                    break;
                }
                Ok(Some(_)) | Err(FrameError::Decode { .. } | FrameError::Surplus { .. }) => left -= 1,
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
        prop_assert!(left > 0);
    }
}
