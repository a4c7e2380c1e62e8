// SPDX-License-Identifier: BSD-2-Clause
//! The call graph: calls, cycles, and the deepest chain of frames.

use iced_x86::FlowControl;

use crate::code::{Code, Goes};
use crate::flow::Flow;

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Callee {
    /// Index into [`Code::functions`].
    Function(usize),
    /// Index into the module's symbols.
    Import(usize),
}

/// A call or tail call at an instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) insn: usize,
    pub(crate) to: Callee,
}

/// The call graph with what follows from it.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// For each function its calls in the order of the code.
    pub(crate) edges: Vec<Vec<Edge>>,
    /// Cycles, each with its functions in the order of the file.
    pub(crate) cycles: Vec<Vec<usize>>,
    /// Deepest chain in bytes from each function, its own frame included.
    pub(crate) chain: Vec<u64>,
    /// The call that the deepest chain takes.
    pub(crate) deepest: Vec<Option<Edge>>,
}

impl Graph {
    /// Builds the graph from what is reached; `declared` adds the declared targets of indirect branches.
    pub(crate) fn build(code: &Code, flows: &[Flow], frames: &[u64], declared: &[Vec<Callee>]) -> Self {
        let mut graph = Self::default();
        for (index, function) in code.functions.iter().enumerate() {
            let mut edges = Vec::new();
            for (at, insn) in function.insns.iter().enumerate() {
                if !flows[index].reached.get(at).copied().unwrap_or(false) {
                    continue;
                }
                let is_call = insn.ins.flow_control() == FlowControl::Call;
                match insn.goes {
                    Goes::Function(to) => edges.push(Edge { insn: at, to: Callee::Function(to) }),
                    Goes::Import(to) => edges.push(Edge { insn: at, to: Callee::Import(to) }),
                    Goes::Inside(0) if is_call => edges.push(Edge { insn: at, to: Callee::Function(index) }),
                    Goes::Indirect => {
                        edges.extend(declared[index].iter().map(|&to| Edge { insn: at, to }));
                    }
                    _ => {}
                }
            }
            graph.edges.push(edges);
        }
        graph.components(frames);
        graph
    }

    /// Tarjan's algorithm without recursion: components come out callees first, which is the order in
    /// which chains can be summed.
    fn components(&mut self, frames: &[u64]) {
        const UNSEEN: usize = usize::MAX;
        let count = self.edges.len();
        let (mut order, mut low) = (vec![UNSEEN; count], vec![0_usize; count]);
        let mut component = vec![UNSEEN; count];
        let (mut stack, mut next, mut components) = (Vec::new(), 0, 0);
        self.chain = vec![0; count];
        self.deepest = vec![None; count];
        for root in 0..count {
            if order[root] != UNSEEN {
                continue;
            }
            let mut path = vec![(root, 0_usize)];
            while let Some(&mut (at, ref mut edge)) = path.last_mut() {
                if *edge == 0 {
                    (order[at], low[at]) = (next, next);
                    next += 1;
                    stack.push(at);
                }
                let callee = self.edges[at].get(*edge).map(|edge| edge.to);
                *edge += 1;
                match callee {
                    Some(Callee::Function(to)) if order[to] == UNSEEN => path.push((to, 0)),
                    Some(Callee::Function(to)) if component[to] == UNSEEN => low[at] = low[at].min(order[to]),
                    Some(_) => {}
                    None => {
                        path.pop();
                        if let Some(&(caller, _)) = path.last() {
                            low[caller] = low[caller].min(low[at]);
                        }
                        if low[at] == order[at] {
                            let mut members = Vec::new();
                            while let Some(member) = stack.pop() {
                                component[member] = components;
                                members.push(member);
                                if member == at {
                                    break;
                                }
                            }
                            components += 1;
                            self.sum(members, frames, &component);
                        }
                    }
                }
            }
        }
        self.cycles.sort();
    }

    fn sum(&mut self, mut members: Vec<usize>, frames: &[u64], component: &[usize]) {
        members.sort_unstable();
        let alone = members.len() == 1
            && !self.edges[members[0]].iter().any(|edge| edge.to == Callee::Function(members[0]));
        // Once round a waived cycle: what bounds it is in the waiver, not in the code.
        let own: u64 = members.iter().fold(0, |sum, &member| sum.saturating_add(frames[member]));
        let mut best: u64 = 0;
        for &member in &members {
            let deepest = self.edges[member]
                .iter()
                .filter_map(|edge| match edge.to {
                    Callee::Function(to) if component[to] != component[member] => {
                        Some((self.chain[to], *edge))
                    }
                    _ => None,
                })
                .reduce(|best, other| if other.0 > best.0 { other } else { best });
            if let Some((chain, edge)) = deepest {
                self.deepest[member] = Some(edge);
                best = best.max(chain);
            }
        }
        for &member in &members {
            self.chain[member] = own.saturating_add(best);
        }
        if !alone {
            self.cycles.push(members);
        }
    }
}
