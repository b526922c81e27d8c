//! What a network must hold before a matcher follows it: every rule ends, and none starts with itself.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::GrammarError;
use crate::network::{END, Network, Node};

/// Checks a network; `names` are those of its first rules.
///
/// # Errors
/// A rule that no text follows, or that starts with itself.
pub(crate) fn check(network: &Network, names: &[String]) -> Result<(), GrammarError> {
    let ends = reaching_end(network, true);
    if let Some(rule) = network.starts.iter().position(|&start| !ends[start as usize]) {
        return Err(GrammarError::Endless { name: name(names, rule) });
    }
    let is_empty = reaching_end(network, false);
    let components = components(network, &is_empty);
    let starts_itself = |node: usize| match network.nodes[node] {
        Node::Call { rule, .. } if components[network.starts[rule as usize] as usize] == components[node] => {
            Some(rule)
        }
        _ => None,
    };
    match (0..network.nodes.len()).find_map(starts_itself) {
        Some(rule) => Err(GrammarError::LeftRecursion { name: name(names, rule as usize) }),
        None => Ok(()),
    }
}

fn name(names: &[String], rule: usize) -> String {
    names.get(rule).cloned().unwrap_or_else(|| format!("number {rule}"))
}

/// Nodes from which a rule's end can be reached: by any bytes, or by none.
///
/// Backwards from the end; each edge is looked at once, so that the work is linear.
fn reaching_end(network: &Network, by_bytes: bool) -> Vec<bool> {
    let before = Before::new(network);
    let mut reaches = vec![false; network.nodes.len()];
    let mut rule_ends = vec![false; network.starts.len()];
    let mut work = vec![END];
    while let Some(node) = work.pop() {
        if core::mem::replace(&mut reaches[node as usize], true) {
            continue;
        }
        for &rule in &before.rules[node as usize] {
            rule_ends[rule as usize] = true;
            let calls = before.calls[rule as usize].iter();
            work.extend(calls.filter(|&&(_, next)| reaches[next as usize]).map(|&(call, _)| call));
        }
        for &previous in &before.nodes[node as usize] {
            let is_open = match network.nodes[previous as usize] {
                Node::End => false,
                Node::Split(..) => true,
                Node::Bytes { set, .. } => by_bytes && !network.sets[set as usize].is_empty(),
                Node::Call { rule, .. } => rule_ends[rule as usize],
            };
            if is_open {
                work.push(previous);
            }
        }
    }
    reaches
}

/// A network's edges, backwards.
struct Before {
    /// For each node, those that go on at it.
    nodes: Vec<Vec<u32>>,
    /// For each node, the rules that start there.
    rules: Vec<Vec<u32>>,
    /// For each rule, its calls, and where they go on.
    calls: Vec<Vec<(u32, u32)>>,
}

impl Before {
    fn new(network: &Network) -> Self {
        let lists = || vec![Vec::new(); network.nodes.len()];
        let mut before =
            Self { nodes: lists(), rules: lists(), calls: vec![Vec::new(); network.starts.len()] };
        for (id, node) in (0..).zip(&network.nodes) {
            match *node {
                Node::End => {}
                Node::Bytes { next, .. } => before.nodes[next as usize].push(id),
                Node::Split(one, other) => {
                    before.nodes[one as usize].push(id);
                    before.nodes[other as usize].push(id);
                }
                Node::Call { rule, next } => {
                    before.nodes[next as usize].push(id);
                    before.calls[rule as usize].push((id, next));
                }
            }
        }
        (0..).zip(&network.starts).for_each(|(rule, &start)| before.rules[start as usize].push(rule));
        before
    }
}

/// Where a node leads without a byte: into a call, and past it where it may be empty.
fn silent_edges(network: &Network, is_empty: &[bool], node: usize) -> [Option<u32>; 2] {
    match network.nodes[node] {
        Node::End | Node::Bytes { .. } => [None, None],
        Node::Split(one, other) => [Some(one), Some(other)],
        Node::Call { rule, next } => {
            let start = network.starts[rule as usize];
            [Some(start), is_empty[start as usize].then_some(next)]
        }
    }
}

/// Strongly connected components of the silent edges: two nodes have the same number if each leads to the other.
///
/// Source: S. R. Kosaraju's algorithm, with explicit stacks: rules nest as deep as a client likes.
fn components(network: &Network, is_empty: &[bool]) -> Vec<u32> {
    let count = network.nodes.len();
    let edges = |node: usize| silent_edges(network, is_empty, node).into_iter().flatten();
    let mut backwards = vec![Vec::new(); count];
    (0..count).for_each(|node| edges(node).for_each(|next| backwards[next as usize].push(node)));
    let mut component = vec![u32::MAX; count];
    for (id, &root) in (0..).zip(finished(count, &edges).iter().rev()) {
        let mut work = vec![root];
        while let Some(node) = work.pop() {
            if component[node] == u32::MAX {
                component[node] = id;
                work.extend(&backwards[node]);
            }
        }
    }
    component
}

/// Nodes in the order in which a depth-first search leaves them.
fn finished<I: Iterator<Item = u32>>(count: usize, edges: &impl Fn(usize) -> I) -> Vec<usize> {
    let mut seen = vec![false; count];
    let mut order = Vec::with_capacity(count);
    for root in 0..count {
        let mut work = vec![(root, false)];
        while let Some((node, is_left)) = work.pop() {
            if is_left {
                order.push(node);
            } else if !core::mem::replace(&mut seen[node], true) {
                work.push((node, true));
                work.extend(edges(node).map(|next| (next as usize, false)).filter(|&(next, _)| !seen[next]));
            }
        }
    }
    order
}
