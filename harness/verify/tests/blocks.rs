// SPDX-License-Identifier: BSD-2-Clause
//! Blocks of a kernel that the test lays out byte for byte, and what is said of files that have none.

use nlproof_verify::{BlocksError, KernelCode, module_blocks};
use proptest::prelude::*;

const TEXT: u64 = 0xffff_ffff_8000_1000;
const TABLE: u64 = 0xffff_ffff_8000_2000;

/// `f`: a switch of two cases, one of which calls `g` and traps; padding between them. `g`: returns.
const CODE: [u8; 0x21] = [
    0x83, 0xff, 0x01, // 00 cmp edi, 1
    0x77, 0x0c, // 03 ja 11
    0xff, 0x24, 0xfd, 0x00, 0x20, 0x00, 0x80, // 05 jmp *TABLE(,%rdi,8)
    0x31, 0xc0, // 0c xor eax, eax
    0xc3, // 0e ret
    0x90, 0x90, // 0f padding
    0xe8, 0x0a, 0x00, 0x00, 0x00, // 11 call g
    0x0f, 0x0b, // 16 ud2
    0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, // 18 between functions
    0xc3, // 20 ret
];

/// A section of [`elf`]: name, type, flags, address, contents, link, size of an entry.
type Section<'a> = (&'a str, u32, u64, u64, Vec<u8>, u32, u64);

/// A linked ELF file of these sections.
fn elf(mut sections: Vec<Section<'_>>) -> Vec<u8> {
    let mut names = vec![0_u8];
    let mut name = |text: &str| {
        let at = u32::try_from(names.len()).unwrap();
        names.extend(text.bytes().chain([0]));
        at
    };
    let mut at = 64_usize;
    let mut headers = vec![0_u8; 64];
    let mut body: Vec<u8> = Vec::new();
    let starts: Vec<u32> = sections.iter().map(|section| name(section.0)).collect();
    let own = name(".shstrtab");
    sections.push((".shstrtab", 3, 0, 0, names, 0, 0));
    for (section, name) in sections.iter().zip(starts.into_iter().chain([own])) {
        let (_, kind, flags, address, data, link, entry) = section;
        headers.extend(name.to_le_bytes());
        headers.extend(kind.to_le_bytes());
        for word in [*flags, *address, at as u64, data.len() as u64] {
            headers.extend(word.to_le_bytes());
        }
        headers.extend(link.to_le_bytes());
        headers.extend(1_u32.to_le_bytes());
        for word in [4, *entry] {
            headers.extend(word.to_le_bytes());
        }
        body.extend(data);
        at += data.len();
    }
    let mut file = b"\x7fELF\x02\x01\x01\x09\0\0\0\0\0\0\0\0".to_vec();
    for half in [2_u16, 62] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [TEXT, 0, at as u64] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [
        64_u16,
        56,
        0,
        64,
        u16::try_from(sections.len() + 1).unwrap(),
        u16::try_from(sections.len()).unwrap(),
    ] {
        file.extend(half.to_le_bytes());
    }
    file.extend(body);
    file.extend(headers);
    file
}

fn note(id: &[u8]) -> Vec<u8> {
    let length = u32::try_from(id.len()).unwrap();
    let words = [4, length, 3].map(u32::to_le_bytes).concat();
    [words, b"GNU\0".to_vec(), id.to_vec()].concat()
}

fn symbol(name: u32, info: u8, section: u16, value: u64, size: u64) -> Vec<u8> {
    let head = [&name.to_le_bytes()[..], &[info, 0], &section.to_le_bytes()[..]].concat();
    [head, value.to_le_bytes().to_vec(), size.to_le_bytes().to_vec()].concat()
}

fn kernel(symbols: bool) -> Vec<u8> {
    let table = [TEXT + 0xc, TEXT + 0x11, 0].map(u64::to_le_bytes).concat();
    let strings = b"\0f\0g\0alias_of_f\0".to_vec();
    let entries = [
        vec![0; 24],
        symbol(5, 0x02, 1, TEXT, 0x18),
        symbol(1, 0x12, 1, TEXT, 0x18),
        symbol(3, 0x12, 1, TEXT + 0x20, 1),
    ];
    let mut sections = vec![
        (".text", 1, 6, TEXT, CODE.to_vec(), 0, 0),
        (".rodata", 1, 2, TABLE, table, 0, 0),
        (".note.gnu.build-id", 7, 2, 0, note(&[0xab, 0xcd]), 0, 0),
    ];
    if symbols {
        sections.push((".symtab", 2, 0, 0, entries.concat(), 5, 24));
        sections.push((".strtab", 3, 0, 0, strings, 0, 0));
    }
    elf(sections)
}

#[test]
fn blocks_begin_at_targets_and_behind_branches_and_padding_is_none() {
    let bytes = kernel(true);
    let kernel = KernelCode::read(&bytes).unwrap();
    assert_eq!(kernel.build_id(), Some("abcd"));
    assert_eq!(kernel.names().collect::<Vec<_>>(), ["f", "g"]);
    assert_eq!(kernel.end(), TABLE + 24);
    let functions = kernel.blocks(&|_, file| file.is_none());
    let starts: Vec<Vec<u64>> = functions
        .iter()
        .map(|function| function.blocks.iter().map(|block| block.start - function.start).collect())
        .collect();
    // A call ends no block, `jmp *table` leads to both cases, and what stands behind the first `ret` is padding.
    assert_eq!(starts, [vec![0, 5, 0xc, 0x11], vec![0]]);
    assert_eq!(functions[0].blocks[3].end, TEXT + 0x18);
    assert_eq!(kernel.blocks(&|name, _| name == "g").len(), 1);
}

#[test]
fn a_kernel_without_symbols_and_no_kernel_are_told_apart() {
    assert_eq!(KernelCode::read(&kernel(false)).err(), Some(BlocksError::NoSymbols));
    assert!(matches!(KernelCode::read(b"no kernel").err(), Some(BlocksError::NotElf(_))));
    assert!(matches!(module_blocks(b"no module").err(), Some(BlocksError::NotElf(_))));
}

#[test]
fn debug_information_of_another_build_is_rejected_and_so_is_one_without_lines() {
    let bytes = kernel(true);
    let mut kernel = KernelCode::read(&bytes).unwrap();
    let other = elf(vec![(".note.gnu.build-id", 7, 2, 0, note(&[1]), 0, 0)]);
    let error = kernel.is_debug(&other).unwrap_err();
    assert_eq!(error.to_string(), "is of another build: its build id is 01, the kernel's is abcd");
    assert_eq!(kernel.add_debug(&other), Err(error));
    assert!(matches!(kernel.is_debug(&elf(vec![])), Err(BlocksError::OtherBuild { .. })));
    assert!(matches!(kernel.is_debug(b"text"), Err(BlocksError::NotElf(_))));
    let copy = bytes.clone();
    let error = KernelCode::read(&bytes).unwrap().add_debug(&copy).unwrap_err();
    assert!(matches!(error, BlocksError::NoLines(_)), "{error}");
}

proptest! {
    #[test]
    fn damage_is_an_error_or_other_blocks_and_no_panic(at in 0..2000_usize, byte: u8) {
        let mut bytes = kernel(true);
        let length = bytes.len();
        bytes[at % length] = byte;
        if let Ok(kernel) = KernelCode::read(&bytes) {
            for function in kernel.blocks(&|_, _| true) {
                prop_assert!(function.blocks.iter().all(|block| block.start < block.end));
            }
        }
    }
}
