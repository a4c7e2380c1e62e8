// SPDX-License-Identifier: BSD-2-Clause
//! Names for addresses of a kernel, from its own symbol table.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use object::{Object as _, ObjectSymbol as _, SymbolKind};

/// Placeholder name of an address outside any function.
const UNKNOWN: &str = "?";

/// Functions of a kernel file by address. Those of modules are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Functions {
    /// Address, size and name, by address.
    functions: Vec<(u64, u64, String)>,
}

impl Functions {
    /// The functions of a kernel file in which these addresses are; none if it is no kernel.
    pub(crate) fn around(kernel: &[u8], addresses: impl IntoIterator<Item = u64>) -> Functions {
        let addresses: BTreeSet<u64> = addresses.into_iter().collect();
        let file = object::File::parse(kernel).ok();
        let symbols = file.iter().flat_map(|file| file.symbols());
        let mut functions: Vec<_> = symbols
            .filter(|symbol| symbol.kind() == SymbolKind::Text)
            .filter(|symbol| {
                let end = symbol.address().saturating_add(symbol.size());
                symbol.address() < end && addresses.range(symbol.address()..end).next().is_some()
            })
            .filter_map(|symbol| Some((symbol.address(), symbol.size(), symbol.name().ok()?.to_owned())))
            .collect();
        functions.sort();
        Functions { functions }
    }

    /// The function that this address is in, and how far behind its beginning: `rtnl_handle_newlink+0x1e5`.
    pub(crate) fn place(&self, address: u64) -> Option<String> {
        let (start, ..) = self.at(address)?;
        Some(format!("{}+{:#x}", self.name(address)?, address - start))
    }

    /// The function that this address is in.
    pub(super) fn name(&self, address: u64) -> Option<&str> {
        self.at(address).map(|(_, _, name)| name.as_str())
    }

    fn at(&self, address: u64) -> Option<&(u64, u64, String)> {
        let behind = self.functions.partition_point(|(start, _, _)| *start <= address);
        let function = self.functions.get(behind.checked_sub(1)?)?;
        (address - function.0 < function.1).then_some(function)
    }

    /// The calls in which more than half of these stacks agree, innermost first: where a processor stays whatever else it
    /// does, an interrupt say. Stacks are addresses, innermost first.
    pub(super) fn common_calls(&self, stacks: &[Vec<u64>]) -> Vec<String> {
        let mut named: Vec<Vec<&str>> = stacks
            .iter()
            .map(|stack| stack.iter().rev().map(|address| self.name(*address).unwrap_or(UNKNOWN)).collect())
            .collect();
        let mut common = Vec::new();
        loop {
            let depth = common.len();
            let next = |stack: &Vec<&str>| stack.get(depth).map(|name| (*name).to_owned());
            let names: Vec<_> = named.iter().filter_map(next).collect();
            let most = names.iter().max_by_key(|name| names.iter().filter(|other| other == name).count());
            let Some(name) = most.cloned() else { break };
            named.retain(|stack| stack.get(depth) == Some(&name.as_str()));
            if named.len() * 2 <= stacks.len() {
                break;
            }
            common.push(name);
        }
        // The outermost have no names: the assembly in which a thread begins.
        let named = common.iter().position(|name| name != UNKNOWN).unwrap_or(common.len());
        common.drain(..named);
        common.reverse();
        common
    }
}

/// The addresses of all functions of each of these names; `None` if there is none of one of them.
pub(crate) fn functions_named(kernel: &[u8], names: &[String]) -> Option<Vec<Vec<Range<u64>>>> {
    let file = object::File::parse(kernel).ok()?;
    let mut found: Vec<Vec<Range<u64>>> = vec![Vec::new(); names.len()];
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let named = names.iter().zip(&mut found).filter(|(name, _)| symbol.name() == Ok(name.as_str()));
        for (_, ranges) in named {
            ranges.push(symbol.address()..symbol.address().saturating_add(symbol.size()));
        }
    }
    found.iter().all(|ranges| !ranges.is_empty()).then_some(found)
}

/// Addresses of these symbols of a kernel file, of those that it has.
pub(crate) fn addresses<'n>(kernel: &[u8], names: &[&'n str]) -> BTreeMap<&'n str, u64> {
    let file = object::File::parse(kernel).ok();
    let symbols = file.iter().flat_map(|file| file.symbols());
    let known =
        |symbol: &object::Symbol<'_, '_>| names.iter().find(|name| symbol.name() == Ok(**name)).copied();
    symbols.filter_map(|symbol| Some((known(&symbol)?, symbol.address()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions() -> Functions {
        let function = |start, size, name: &str| (start, size, name.to_owned());
        Functions {
            functions: vec![
                function(0x100, 0x10, "fork_exit"),
                function(0x200, 0x40, "vlan_ioctl"),
                function(0x300, 0x20, "sx_slock"),
                function(0x400, 0x20, "delay"),
            ],
        }
    }

    #[test]
    fn addresses_have_the_names_of_the_functions_around_them() {
        let functions = functions();
        assert_eq!(functions.name(0x200), Some("vlan_ioctl"));
        assert_eq!(functions.name(0x23f), Some("vlan_ioctl"));
        assert_eq!(functions.name(0x240), None);
        assert_eq!(functions.name(0x50), None);
        assert_eq!(functions.place(0x23f).as_deref(), Some("vlan_ioctl+0x3f"));
        assert_eq!(functions.place(0x240), None);
        assert!(addresses(b"no kernel", &["vlan_ioctl"]).is_empty());
        assert_eq!(functions_named(b"no kernel", &["vlan_ioctl".to_owned()]), None);
        assert_eq!(Functions::around(b"no kernel", [0x200]).functions, []);
    }

    #[test]
    fn what_most_stacks_share_is_where_the_processor_stays() {
        let functions = functions();
        let stays = vec![0x310, 0x210, 0x105];
        let deeper = vec![0x404, 0x312, 0x210, 0x105];
        let interrupted = vec![0x999, 0x888];
        assert_eq!(
            functions.common_calls(&[stays.clone(), deeper.clone(), stays.clone(), interrupted.clone()]),
            ["sx_slock", "vlan_ioctl", "fork_exit"]
        );
        assert_eq!(functions.common_calls(&[stays, interrupted]), [""; 0]);
        assert_eq!(functions.common_calls(&[deeper]), ["delay", "sx_slock", "vlan_ioctl", "fork_exit"]);
        let of_a_module = vec![0x310, 0x777, 0x105, 0x50];
        assert_eq!(functions.common_calls(&[of_a_module]), ["sx_slock", "?", "fork_exit"]);
        assert_eq!(functions.common_calls(&[]), [""; 0]);
    }
}
