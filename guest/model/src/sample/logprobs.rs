//! Probabilities as the API reports them: of the model's own logits, before penalties and temperature.

use alloc::vec::Vec;

use super::candidates::{Candidate, keep_best};

/// Log-probability of a chosen token and of the best alternatives.
#[derive(Clone, Debug, PartialEq)]
pub struct Logprobs {
    /// Of the chosen token.
    pub chosen: f32,
    /// The best tokens and theirs, best first.
    pub top: Vec<(u32, f32)>,
}

/// Log-probabilities of `chosen` and the `count` best tokens of `logits`.
#[must_use]
pub fn logprobs(logits: &[f32], chosen: u32, count: usize) -> Logprobs {
    let log_sum = log_sum_exp(logits);
    let mut best: Vec<Candidate> = super::candidates::all(logits);
    keep_best(&mut best, count);
    let top = best.iter().map(|candidate| (candidate.token, candidate.logit - log_sum)).collect();
    Logprobs { chosen: logits[chosen as usize] - log_sum, top }
}

/// `ln(sum(exp(logits)))`, taken about the largest logit so that nothing overflows.
fn log_sum_exp(logits: &[f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(libm::expf(logit - largest))).sum();
    #[expect(clippy::cast_possible_truncation, reason = "the result is an f32 by design")]
    let log = libm::log(sum) as f32;
    largest + log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_come_best_first() {
        let all = logprobs(&[1.0, 3.0, 2.0], 2, 3);
        let sum: f32 = all.top.iter().map(|(_, log)| libm::expf(*log)).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert_eq!(all.top.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [1, 2, 0]);
        assert!((all.chosen - all.top[1].1).abs() < 1e-6);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let all = logprobs(&[1000.0, 0.0], 0, 1);
        assert!(all.chosen.abs() < 1e-6, "{all:?}");
    }
}
