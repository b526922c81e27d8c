//! A stream's draft: looked up, or said by a draft model token by token.
//!
//! Prompt lookup drafts what followed the last tokens when they last came up in this stream.
//! Source: Saxena, "Prompt lookup decoding" (2023); here the longest match is taken instead of the first.

use alloc::vec::Vec;

use super::trust::{Margin, Margins, Trust};

/// Fewest tokens that must be the same before a draft; shorter matches are chance.
const LEAST_MATCH: usize = 3;
/// Longest match that is told from a longer one.
const MOST_MATCH: usize = 16;
/// Tokens that are searched, the latest: bounds the search to microseconds.
const SEARCHED: usize = 1 << 15;
/// Part of the estimate that one drafted token replaces.
const LEARN: f32 = 0.125;
/// What is expected of a stream that has looked up nothing yet.
const UNKNOWN: f32 = 0.6;
/// Part of the way back to [`UNKNOWN`] that a token without a draft goes: a stream that begins to repeat itself is noticed,
/// and one that never does wastes a row in a hundred.
const FORGET: f32 = 0.01;

/// A stream's draft and how well its drafts did.
#[derive(Debug)]
pub(super) struct Guess {
    draft: Vec<u32>,
    /// How sure the draft model was of each token; none where the draft was looked up.
    margins: Margins,
    /// Estimated probability that a looked-up token is what is chosen, where those before it were.
    right: f32,
    /// The same of the draft model's tokens.
    pub(super) trust: Trust,
    checked: Checked,
}

/// How the last draft did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) drafted: usize,
    pub(super) right: usize,
    /// Whether the draft model said it.
    pub(super) is_modelled: bool,
}

impl Default for Guess {
    fn default() -> Self {
        let (draft, margins) = (Vec::new(), Margins::new());
        Self { draft, margins, right: UNKNOWN, trust: Trust::default(), checked: Checked::default() }
    }
}

impl Guess {
    pub(super) fn draft(&self) -> &[u32] {
        &self.draft
    }

    pub(super) fn take_draft(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.draft)
    }

    /// Whether the draft model said the draft.
    pub(super) fn is_modelled(&self) -> bool {
        !self.margins.is_empty()
    }

    /// The draft, where the draft model said it.
    pub(super) fn modelled(&self) -> &[u32] {
        if self.is_modelled() { &self.draft } else { &[] }
    }

    /// Estimated probability that the drafted token at that place is right, where those before it are.
    pub(super) fn likely(&self, at: usize) -> f32 {
        self.margins.get(at).map_or(self.right, |&margin| self.trust.of(margin))
    }

    /// Expected number of drafted tokens that are chosen.
    pub(super) fn expected(&self) -> f32 {
        let likely = (0..self.draft.len()).scan(1.0, |likely, at| {
            *likely *= self.likely(at);
            Some(*likely)
        });
        likely.sum()
    }

    /// Drafts at most `most` tokens that may follow `tokens`. What comes round is continued round after round.
    pub(super) fn look_up(&mut self, tokens: &[u32], most: usize) {
        self.keep(0);
        self.draft.extend(continuation(tokens).iter().cycle().take(most));
    }

    /// Adds what the draft model says. What was looked up gives way to it.
    pub(super) fn push(&mut self, token: u32, margin: Margin) {
        if !self.is_modelled() {
            self.draft.clear();
        }
        self.draft.push(token);
        self.margins.push(margin);
    }

    /// Keeps the first `count` drafted tokens.
    pub(super) fn keep(&mut self, count: usize) {
        self.draft.truncate(count);
        self.margins.truncate(count);
    }

    /// How the draft of the last pass did.
    pub(super) fn checked(&self) -> Checked {
        self.checked
    }

    /// Takes note that the first `right` of `drafted` tokens, the draft last taken, were chosen, and not the next.
    pub(super) fn learn(&mut self, right: usize, drafted: usize) {
        self.checked = Checked { drafted, right, is_modelled: self.is_modelled() };
        if self.is_modelled() {
            let margins = core::mem::take(&mut self.margins);
            self.trust.learn(right, &margins[..drafted.min(margins.len())]);
            return;
        }
        self.trust.forget();
        for at in 0..drafted.min(right + 1) {
            let seen = if at < right { 1.0 } else { 0.0 };
            self.right += LEARN * (seen - self.right);
        }
        if drafted == 0 {
            self.right += FORGET * (UNKNOWN - self.right).max(0.0);
        }
    }
}

/// What followed the longest earlier match of the end of `tokens`; of equally long ones the latest.
fn continuation(tokens: &[u32]) -> &[u32] {
    let tokens = &tokens[tokens.len().saturating_sub(SEARCHED)..];
    let (mut longest, mut follows) = (LEAST_MATCH - 1, tokens.len());
    for end in (1..tokens.len()).rev() {
        let matched = matched(&tokens[..end], tokens);
        if matched > longest {
            (longest, follows) = (matched, end);
        }
        if longest >= MOST_MATCH {
            break;
        }
    }
    &tokens[follows..]
}

/// Tokens at the ends of both that are the same, at most [`MOST_MATCH`].
fn matched(one: &[u32], other: &[u32]) -> usize {
    let same = |(one, other): &(&u32, &u32)| one == other;
    one.iter().rev().zip(other.iter().rev()).take(MOST_MATCH).take_while(same).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_is_continued_and_of_equal_ones_the_latest() {
        let mut guess = Guess::default();
        guess.look_up(&[1, 2, 3, 4, 9, 2, 3, 4, 8, 1, 2, 3, 4], 2);
        assert_eq!(guess.draft(), [9, 2], "four match, not three");
        guess.look_up(&[2, 3, 4, 9, 2, 3, 4, 8, 2, 3, 4], 9);
        assert_eq!(guess.draft(), [8, 2, 3, 4, 8, 2, 3, 4, 8]);
        guess.look_up(&[7; 5], 3);
        assert_eq!(guess.draft(), [7, 7, 7]);
    }

    #[test]
    fn chance_is_not_continued() {
        let mut guess = Guess::default();
        for tokens in [&[][..], &[1], &[5, 6, 1, 2, 3, 9, 2, 3], &[1, 2, 3, 4, 5]] {
            guess.look_up(tokens, 4);
            assert!(guess.draft().is_empty(), "{tokens:?}");
        }
    }

    #[test]
    fn estimates_follow_what_drafts_did_and_come_back_slowly() {
        let mut guess = Guess::default();
        (0..50).for_each(|_| guess.learn(4, 4));
        assert!(guess.likely(0) > 0.99);
        (0..50).for_each(|_| guess.learn(0, 4));
        assert!(guess.likely(0) < 0.01);
        (0..20).for_each(|_| guess.learn(0, 0));
        assert!((0.05..0.2).contains(&guess.likely(0)), "{}", guess.likely(0));
    }

    #[test]
    fn what_the_draft_model_says_takes_the_place_of_what_was_looked_up() {
        let mut guess = Guess::default();
        guess.look_up(&[7; 5], 3);
        let margin = Margin::of(&[9.0, 0.0], 0);
        [4, 5].iter().for_each(|&token| guess.push(token, margin));
        assert_eq!((guess.draft(), guess.is_modelled()), (&[4, 5][..], true));
        assert_eq!(guess.take_draft(), [4, 5]);
        let before = guess.trust.mean();
        guess.learn(1, 2);
        assert_eq!(guess.checked(), Checked { drafted: 2, right: 1, is_modelled: true });
        assert!(guess.trust.mean() < before && !guess.is_modelled());
        assert!((guess.likely(0) - UNKNOWN).abs() < 1e-6, "nothing was looked up");
    }
}
