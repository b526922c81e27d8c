//! States of a matcher: sets of places in the network with their stacks, and steps between them, made as they are needed.
//!
//! This is the lazy subset construction of regular expression engines, with stacks in the states. Inside a string
//! a step is one look-up; the network is walked once a state and class of bytes.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use hashbrown::{HashMap, HashSet};

use crate::expr::number;
use crate::grammar::Grammar;
use crate::network::{END, Node};
use crate::stacks::{EMPTY, Frame, Stacks};

/// The state from which nothing goes on and nothing ends.
pub(crate) const DEAD: u32 = 0;
/// A step that was not made yet.
const UNKNOWN: u32 = u32::MAX;
/// Most places in a state. A grammar so ambiguous that it has more loses the text at hand, not the bound.
const MAX_PLACES: usize = 512;
/// Most places looked at for one step.
const MAX_CLOSED: usize = 8192;
/// Most words of states and steps, about 4 MiB, before those that are not in use are dropped.
const MAX_WORDS: usize = 1 << 20;
/// Most frames of stacks before the same.
const MAX_FRAMES: usize = 1 << 17;

/// A place in the network and the rules that are open there. The end of everything is `(END, EMPTY)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    node: u32,
    stack: u32,
}

/// States by number; [`DEAD`] is the first.
#[derive(Clone, Debug)]
pub(crate) struct States {
    grammar: Arc<Grammar>,
    stacks: Stacks,
    places: Vec<Arc<[Place]>>,
    /// For each state, its step for each class of bytes.
    steps: Vec<u32>,
    known: HashMap<Arc<[Place]>, u32>,
    words: usize,
    /// Places looked at since [`Self::start_work`].
    work: usize,
}

impl States {
    /// The states of a grammar, and the one it starts with.
    pub(crate) fn new(grammar: Arc<Grammar>) -> (Self, u32) {
        let (stacks, steps, known) = (Stacks::new(), Vec::new(), HashMap::new());
        let mut states = Self { grammar, stacks, places: Vec::new(), steps, known, words: 0, work: 0 };
        states.intern(&[]);
        let network = &states.grammar.network;
        let root = Place { node: network.starts[network.root as usize], stack: EMPTY };
        let start = states.close(vec![root]);
        (states, start)
    }

    /// The state after one more byte.
    pub(crate) fn step(&mut self, state: u32, byte: u8) -> u32 {
        self.known_step(state, byte).unwrap_or_else(|| {
            let class = self.grammar.classes.of(byte);
            let next = self.make_step(state, class);
            self.steps[state as usize * self.grammar.classes.count() + usize::from(class)] = next;
            next
        })
    }

    /// The state after one more byte, if that step was made before.
    pub(crate) fn known_step(&self, state: u32, byte: u8) -> Option<u32> {
        let classes = &self.grammar.classes;
        let next = self.steps[state as usize * classes.count() + usize::from(classes.of(byte))];
        (next != UNKNOWN).then_some(next)
    }

    /// Whether a text may end here.
    pub(crate) fn is_end(&self, state: u32) -> bool {
        self.places[state as usize].first().is_some_and(|place| place.node == END)
    }

    /// Whether some byte may follow.
    pub(crate) fn has_more(&self, state: u32) -> bool {
        self.places[state as usize].last().is_some_and(|place| place.node != END)
    }

    /// Starts counting work anew.
    pub(crate) fn start_work(&mut self) {
        self.work = 0;
    }

    /// Places looked at since the count was started.
    pub(crate) fn work(&self) -> usize {
        self.work
    }

    /// Whether [`Self::keep`] is due.
    pub(crate) fn is_full(&self) -> bool {
        self.words > MAX_WORDS || self.stacks.len() > MAX_FRAMES
    }

    /// Drops all states but these and gives them new numbers.
    pub(crate) fn keep(&mut self, live: &mut [u32]) {
        let kept: Vec<_> = live.iter().map(|&state| Arc::clone(&self.places[state as usize])).collect();
        let renamed = self.stacks.keep(kept.iter().flat_map(|places| places.iter().map(|place| place.stack)));
        self.places.clear();
        self.steps.clear();
        self.known.clear();
        self.words = 0;
        self.intern(&[]);
        for (state, places) in live.iter_mut().zip(kept) {
            let rename = |place: &Place| Place { stack: renamed[place.stack as usize], ..*place };
            let mut places: Vec<_> = places.iter().map(rename).collect();
            places.sort_unstable();
            *state = self.intern(&places);
        }
    }

    fn make_step(&mut self, state: u32, class: u8) -> u32 {
        let places = Arc::clone(&self.places[state as usize]);
        let grammar = &self.grammar;
        let next = places.iter().filter_map(|place| match grammar.network.nodes[place.node as usize] {
            Node::Bytes { set, next } if grammar.classes.has(set, class) => {
                Some(Place { node: next, ..*place })
            }
            _ => None,
        });
        let next = next.collect();
        self.work += places.len();
        self.close(next)
    }

    /// The state of all places that can be reached without a byte. What is past the bounds gives [`DEAD`].
    fn close(&mut self, mut open: Vec<Place>) -> u32 {
        let mut seen: HashSet<Place> = HashSet::new();
        let mut closed = Vec::new();
        while let Some(place) = open.pop() {
            if !seen.insert(place) {
                continue;
            }
            if seen.len() > MAX_CLOSED
                || closed.len() > MAX_PLACES
                || !self.open(place, &mut open, &mut closed)
            {
                return DEAD;
            }
        }
        self.work += seen.len();
        closed.sort_unstable();
        self.intern(&closed)
    }

    /// Adds where a place leads to `open`, or the place itself to `closed`; `false` if its stack is too deep.
    fn open(&mut self, place: Place, open: &mut Vec<Place>, closed: &mut Vec<Place>) -> bool {
        let Place { node, stack } = place;
        match self.grammar.network.nodes[node as usize] {
            Node::Bytes { .. } => closed.push(place),
            Node::Split(one, other) => {
                open.extend([Place { node: one, stack }, Place { node: other, stack }])
            }
            Node::End if stack == EMPTY => closed.push(place),
            Node::End => {
                let frame = self.stacks.top(stack);
                open.push(Place { node: frame.back, stack: frame.parent });
            }
            Node::Call { rule, next } => {
                let start = self.grammar.network.starts[rule as usize];
                // A call that is the last of its rule needs no frame: lists of any length stay one state.
                let called = match next {
                    END => Some(stack),
                    back => self.stacks.push(Frame { parent: stack, back }),
                };
                let Some(stack) = called else { return false };
                open.push(Place { node: start, stack });
            }
        }
        true
    }

    fn intern(&mut self, places: &[Place]) -> u32 {
        if let Some(&known) = self.known.get(places) {
            return known;
        }
        let state = number(self.places.len());
        let places: Arc<[Place]> = Arc::from(places);
        let classes = self.grammar.classes.count();
        self.words += classes + 2 * places.len() + 8;
        self.steps.resize(self.steps.len() + classes, UNKNOWN);
        self.known.insert(Arc::clone(&places), state);
        self.places.push(places);
        state
    }
}
