//! Rules as a network: each rule an automaton over bytes, with calls between them.

use alloc::vec;
use alloc::vec::Vec;
use hashbrown::HashMap;

use crate::error::GrammarError;
use crate::expr::{ByteSet, CharSet, Expr, Rules, number};
use crate::utf8;

/// Most nodes of a network: 4 MiB.
const MAX_NODES: usize = 1 << 18;
/// The node at which every rule ends.
pub(crate) const END: u32 = 0;
/// Bytes of a text that is copied for each of its repeats.
const SMALL: usize = 4;

/// A place in a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// The rule is complete.
    End,
    /// A byte of a set, then on.
    Bytes { set: u32, next: u32 },
    /// Either.
    Split(u32, u32),
    /// What a rule allows, then on.
    Call { rule: u32, next: u32 },
}

/// All rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) nodes: Vec<Node>,
    /// First node of each rule.
    pub(crate) starts: Vec<u32>,
    pub(crate) sets: Vec<ByteSet>,
    pub(crate) root: u32,
}

/// Makes the network of rules.
///
/// # Errors
/// It has too many nodes.
pub(crate) fn build(rules: &Rules) -> Result<Network, GrammarError> {
    let mut builder = Builder::new(rules.bodies.len());
    for (rule, body) in rules.bodies.iter().enumerate() {
        builder.starts[rule] = builder.expr(body, END)?;
    }
    Ok(Network { nodes: builder.nodes, starts: builder.starts, sets: builder.sets, root: rules.root })
}

struct Builder {
    nodes: Vec<Node>,
    known: HashMap<Node, u32>,
    starts: Vec<u32>,
    sets: Vec<ByteSet>,
    known_sets: HashMap<ByteSet, u32>,
}

type Made = Result<u32, GrammarError>;

impl Builder {
    fn new(rules: usize) -> Self {
        let (known, known_sets) = (HashMap::new(), HashMap::new());
        Self { nodes: vec![Node::End], known, starts: vec![END; rules], sets: Vec::new(), known_sets }
    }

    /// The first node of an expression that goes on at `next`. As deep as expressions nest.
    fn expr(&mut self, expr: &Expr, next: u32) -> Made {
        match expr {
            Expr::Text(bytes) => {
                bytes.iter().rev().try_fold(next, |next, &byte| self.bytes(ByteSet::range(byte, byte), next))
            }
            Expr::Byte(set) => self.bytes(*set, next),
            Expr::Char(set) => self.chars(set, next),
            &Expr::Rule(rule) => self.node(Node::Call { rule, next }),
            Expr::Seq(parts) => parts.iter().rev().try_fold(next, |next, part| self.expr(part, next)),
            Expr::Any(choices) => {
                let firsts: Result<Vec<u32>, _> =
                    choices.iter().map(|choice| self.expr(choice, next)).collect();
                self.any(&firsts?)
            }
            Expr::Repeat(body, min, max) => self.repeat(body, *min, *max, next),
        }
    }

    fn bytes(&mut self, set: ByteSet, next: u32) -> Made {
        let count = number(self.sets.len());
        let id = *self.known_sets.entry(set).or_insert(count);
        if id == count {
            self.sets.push(set);
        }
        self.node(Node::Bytes { set: id, next })
    }

    fn chars(&mut self, set: &CharSet, next: u32) -> Made {
        let mut firsts = Vec::new();
        let mut single = ByteSet::default();
        for &(from, to) in set.ranges() {
            for sequence in utf8::sequences(from, to) {
                match sequence.as_slice() {
                    &[(first, last)] => (first..=last).for_each(|byte| single.insert(byte)),
                    several => {
                        let mut steps = several.iter().rev();
                        firsts.push(steps.try_fold(next, |next, &(first, last)| {
                            self.bytes(ByteSet::range(first, last), next)
                        })?);
                    }
                }
            }
        }
        if !single.is_empty() || firsts.is_empty() {
            firsts.push(self.bytes(single, next)?);
        }
        self.any(&firsts)
    }

    /// Either of many; of none, a byte that never comes.
    fn any(&mut self, firsts: &[u32]) -> Made {
        let Some((&last, others)) = firsts.split_last() else { return self.bytes(ByteSet::default(), END) };
        others.iter().rev().try_fold(last, |rest, &first| self.node(Node::Split(first, rest)))
    }

    fn repeat(&mut self, body: &Expr, min: u32, max: Option<u32>, next: u32) -> Made {
        let is_copied = min > 1 || max.is_some_and(|max| max > 1);
        let rule = if is_copied { self.as_rule(body)? } else { None };
        let body = rule.as_ref().unwrap_or(body);
        let mut first = match max {
            None => self.endless(body, next)?,
            Some(max) => {
                let optional = 0..max.saturating_sub(min);
                optional.into_iter().try_fold(next, |rest, _| {
                    let once = self.expr(body, rest)?;
                    self.node(Node::Split(once, next))
                })?
            }
        };
        for _ in 0..min {
            first = self.expr(body, first)?;
        }
        Ok(first)
    }

    /// Any number of times.
    fn endless(&mut self, body: &Expr, next: u32) -> Made {
        let again = self.fresh(Node::End)?;
        let once = self.expr(body, again)?;
        self.nodes[again as usize] = Node::Split(once, next);
        Ok(again)
    }

    /// A call of a new rule for a body that is not worth copying.
    fn as_rule(&mut self, body: &Expr) -> Result<Option<Expr>, GrammarError> {
        if is_small(body) {
            return Ok(None);
        }
        let start = self.expr(body, END)?;
        self.starts.push(start);
        Ok(Some(Expr::Rule(number(self.starts.len() - 1))))
    }

    /// A node; equal ones are one.
    fn node(&mut self, node: Node) -> Made {
        if let Some(&known) = self.known.get(&node) {
            return Ok(known);
        }
        let id = self.fresh(node)?;
        self.known.insert(node, id);
        Ok(id)
    }

    fn fresh(&mut self, node: Node) -> Made {
        if self.nodes.len() >= MAX_NODES {
            return Err(GrammarError::TooLarge { what: "states of a grammar", most: MAX_NODES });
        }
        self.nodes.push(node);
        Ok(number(self.nodes.len() - 1))
    }
}

/// Whether a body is one or few nodes. Anything that nests is not: copies of copies would multiply the work.
fn is_small(body: &Expr) -> bool {
    match body {
        Expr::Text(bytes) => bytes.len() <= SMALL,
        Expr::Char(set) => set.ranges().last().is_some_and(|&(_, last)| last < 0x80),
        Expr::Byte(_) | Expr::Rule(_) => true,
        Expr::Seq(_) | Expr::Any(_) | Expr::Repeat(..) => false,
    }
}
