//! Stacks of open rules, with shared tails.

use alloc::vec;
use alloc::vec::Vec;
use hashbrown::HashMap;

use crate::expr::number;

/// The stack on which no rule is open.
pub(crate) const EMPTY: u32 = 0;
/// Most rules open at once. An answer of a hundred thousand brackets ends here.
const MAX_DEPTH: u32 = 1 << 16;

/// An open rule: where its caller goes on, above the caller's own stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) parent: u32,
    pub(crate) back: u32,
}

/// All stacks of a matcher. Equal stacks have equal numbers, and a parent's number is below its children's.
#[derive(Clone, Debug)]
pub(crate) struct Stacks {
    frames: Vec<Frame>,
    depths: Vec<u32>,
    known: HashMap<Frame, u32>,
}

impl Stacks {
    pub(crate) fn new() -> Self {
        let bottom = Frame { parent: EMPTY, back: 0 };
        Self { frames: vec![bottom], depths: vec![0], known: HashMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// The top of a stack that is not empty.
    pub(crate) fn top(&self, stack: u32) -> Frame {
        self.frames[stack as usize]
    }

    /// The stack with one more open rule; none if it is as deep as it may be.
    pub(crate) fn push(&mut self, frame: Frame) -> Option<u32> {
        if let Some(&known) = self.known.get(&frame) {
            return Some(known);
        }
        let depth = self.depths[frame.parent as usize] + 1;
        if depth > MAX_DEPTH {
            return None;
        }
        let stack = number(self.frames.len());
        self.frames.push(frame);
        self.depths.push(depth);
        self.known.insert(frame, stack);
        Some(stack)
    }

    /// Keeps only these stacks and what lies below them; gives their new numbers by the old ones.
    pub(crate) fn keep(&mut self, live: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut is_live = vec![false; self.frames.len()];
        for mut stack in live {
            while stack != EMPTY && !core::mem::replace(&mut is_live[stack as usize], true) {
                stack = self.frames[stack as usize].parent;
            }
        }
        let mut kept = Self::new();
        let mut renamed = vec![EMPTY; self.frames.len()];
        for (old, frame) in self.frames.iter().enumerate().filter(|&(old, _)| is_live[old]) {
            let parent = renamed[frame.parent as usize];
            renamed[old] = kept.push(Frame { parent, ..*frame }).unwrap_or(EMPTY);
        }
        *self = kept;
        renamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_one_and_what_is_not_kept_is_gone() {
        let mut stacks = Stacks::new();
        let one = stacks.push(Frame { parent: EMPTY, back: 7 }).unwrap();
        let other = stacks.push(Frame { parent: EMPTY, back: 8 }).unwrap();
        let deep = stacks.push(Frame { parent: other, back: 9 }).unwrap();
        assert_eq!(stacks.push(Frame { parent: EMPTY, back: 7 }), Some(one));
        let renamed = stacks.keep([deep].into_iter());
        assert_eq!(stacks.len(), 3);
        let deep = stacks.top(renamed[deep as usize]);
        assert_eq!((deep.back, stacks.top(deep.parent).back), (9, 8));
    }

    #[test]
    fn depth_is_bounded() {
        let mut stacks = Stacks::new();
        let mut stack = EMPTY;
        for _ in 0..MAX_DEPTH {
            stack = stacks.push(Frame { parent: stack, back: 1 }).unwrap();
        }
        assert_eq!(stacks.push(Frame { parent: stack, back: 1 }), None);
    }
}
