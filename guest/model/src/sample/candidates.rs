//! Tokens with their logits, and the cuts that keep the best of them.

use alloc::vec::Vec;
use core::cmp::Ordering;
use vial_grammar::Mask;

use super::settings::Sampling;

/// A token that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: u32,
    pub(super) logit: f32,
}

/// How many candidates a first look at `top_p` sorts; doubled until they suffice.
const FIRST_SORT: usize = 256;

/// Best first; equal logits by token, so that order never depends on the sort.
fn by_rank(a: &Candidate, b: &Candidate) -> Ordering {
    b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token))
}

/// Every token.
pub(super) fn all(logits: &[f32]) -> Vec<Candidate> {
    (0..).zip(logits).map(|(token, &logit)| Candidate { token, logit }).collect()
}

/// Every token that a mask allows.
pub(super) fn allowed(logits: &[f32], mask: &Mask) -> Vec<Candidate> {
    let tokens = mask.iter().filter_map(|token| logits.get(token as usize).map(|&logit| (token, logit)));
    tokens.map(|(token, logit)| Candidate { token, logit }).collect()
}

/// The best token, the first of equals.
pub(super) fn best(candidates: impl Iterator<Item = Candidate>) -> u32 {
    let better = |best: Candidate, next: Candidate| if next.logit > best.logit { next } else { best };
    candidates.reduce(better).map_or(0, |best| best.token)
}

/// Keeps the `count` best, sorted best first.
pub(super) fn keep_best(candidates: &mut Vec<Candidate>, count: usize) {
    if count < candidates.len() {
        if count > 0 {
            candidates.select_nth_unstable_by(count - 1, by_rank);
        }
        candidates.truncate(count);
    }
    candidates.sort_unstable_by(by_rank);
}

/// Applies `min_p`, `top_k` and `top_p`, in this order, to logits already divided by the temperature.
pub(super) fn cut(candidates: &mut Vec<Candidate>, sampling: &Sampling) {
    if sampling.min_p > 0.0 {
        let floor = best_logit(candidates) + libm::logf(sampling.min_p);
        candidates.retain(|candidate| candidate.logit >= floor);
    }
    if sampling.top_k > 0 {
        keep_best(candidates, sampling.top_k);
    }
    if sampling.top_p < 1.0 {
        keep_mass(candidates, sampling.top_p);
    }
}

/// Keeps the fewest best candidates whose probabilities reach `mass`; at least one.
fn keep_mass(candidates: &mut Vec<Candidate>, mass: f32) {
    let best = best_logit(candidates);
    let weight = |candidate: &Candidate| f64::from(libm::expf(candidate.logit - best));
    let wanted = candidates.iter().map(weight).sum::<f64>() * f64::from(mass);
    let mut sorted = FIRST_SORT;
    loop {
        sort_front(candidates, sorted);
        let mut reached = 0.0;
        let enough = candidates.iter().take(sorted).position(|candidate| {
            reached += weight(candidate);
            reached >= wanted
        });
        match enough {
            Some(last) => return candidates.truncate(last + 1),
            None if sorted >= candidates.len() => return,
            None => sorted *= 2,
        }
    }
}

/// Brings the `count` best to the front in order; the rest follow in any order.
fn sort_front(candidates: &mut [Candidate], count: usize) {
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, by_rank);
    }
    let count = count.min(candidates.len());
    candidates[..count].sort_unstable_by(by_rank);
}

pub(super) fn best_logit(candidates: &[Candidate]) -> f32 {
    candidates.iter().map(|candidate| candidate.logit).fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(logits: &[f32], sampling: &Sampling) -> Vec<u32> {
        let mut candidates = all(logits);
        cut(&mut candidates, sampling);
        let mut tokens: Vec<u32> = candidates.iter().map(|candidate| candidate.token).collect();
        tokens.sort_unstable();
        tokens
    }

    /// Logits of probabilities 0.5, 0.25, 0.15 and 0.1.
    fn logits() -> [f32; 4] {
        [0.15, 0.5, 0.1, 0.25].map(libm::logf)
    }

    #[test]
    fn each_cut_keeps_what_it_says() {
        let with = Sampling::default;
        assert_eq!(kept(&logits(), &with()), [0, 1, 2, 3]);
        assert_eq!(kept(&logits(), &Sampling { top_k: 2, ..with() }), [1, 3]);
        assert_eq!(kept(&logits(), &Sampling { top_p: 0.7, ..with() }), [1, 3]);
        assert_eq!(kept(&logits(), &Sampling { top_p: 0.8, ..with() }), [0, 1, 3]);
        assert_eq!(kept(&logits(), &Sampling { top_p: 0.0, ..with() }), [1]);
        assert_eq!(kept(&logits(), &Sampling { min_p: 0.29, ..with() }), [0, 1, 3]);
        assert_eq!(kept(&logits(), &Sampling { min_p: 1.0, ..with() }), [1]);
    }

    #[test]
    fn mass_beyond_the_first_sort_is_found() {
        let flat = alloc::vec![1.0; 4 * FIRST_SORT];
        assert_eq!(kept(&flat, &Sampling { top_p: 0.9, ..Sampling::default() }).len(), 922);
        assert_eq!(kept(&flat, &Sampling { top_p: 0.5, ..Sampling::default() }).len(), 2 * FIRST_SORT);
    }

    #[test]
    fn equal_logits_go_by_token() {
        let mut candidates = all(&[1.0, 2.0, 2.0, 2.0]);
        keep_best(&mut candidates, 2);
        assert_eq!(candidates.iter().map(|candidate| candidate.token).collect::<Vec<_>>(), [1, 2]);
    }
}
