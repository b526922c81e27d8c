//! From logits to a token: penalties, temperature, cuts, chance, and probabilities for the caller.
//!
//! Order: mask of a grammar, penalties, temperature, `min_p`, `top_k`, `top_p`, then one draw. Everything is a function of
//! logits, settings, history and seed; the same inputs give the same token on every machine.

mod candidates;
mod logprobs;
mod random;
mod settings;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use vial_grammar::Mask;

pub use logprobs::{Logprobs, logprobs};
pub use random::Random;
pub use settings::{MAX_LOGPROBS, Sampling, SamplingError};

use candidates::Candidate;

/// A token and, where asked for, its probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// The token chosen.
    pub token: u32,
    /// Its log-probability and the best alternatives.
    pub logprobs: Option<Logprobs>,
}

/// One sequence's sampler: its settings, its chance and the tokens that penalties count.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: Random,
    in_prompt: BTreeMap<u32, f32>,
    in_answer: BTreeMap<u32, f32>,
}

impl Sampler {
    /// A sampler for the answer to `prompt`.
    ///
    /// # Errors
    /// The setting that is out of range.
    pub fn new(sampling: Sampling, prompt: &[u32]) -> Result<Self, SamplingError> {
        sampling.check()?;
        let random = Random::from_seed(sampling.seed);
        let mut sampler = Self { sampling, random, in_prompt: BTreeMap::new(), in_answer: BTreeMap::new() };
        if !is_same(sampler.sampling.repetition_penalty, 1.0) {
            prompt.iter().for_each(|token| count(&mut sampler.in_prompt, *token));
        }
        Ok(sampler)
    }

    /// Chooses the token that follows, among those that `mask` allows if there is one. `logits` must be finite, and one of
    /// them allowed.
    pub fn choose(&mut self, logits: &[f32], mask: Option<&Mask>) -> Sampled {
        let token = self.choose_token(logits, mask);
        let logprobs = self.sampling.logprobs.map(|count| logprobs(logits, token, count));
        Sampled { token, logprobs }
    }

    /// As [`Self::choose`], without probabilities.
    pub(crate) fn choose_token(&mut self, logits: &[f32], mask: Option<&Mask>) -> u32 {
        let token = if self.has_penalties() {
            let mut penalised = logits.to_vec();
            self.penalise(&mut penalised);
            self.draw(&penalised, mask)
        } else {
            self.draw(logits, mask)
        };
        count(&mut self.in_answer, token);
        token
    }

    fn has_penalties(&self) -> bool {
        let Sampling { repetition_penalty, presence_penalty, frequency_penalty, .. } = self.sampling;
        !is_same(repetition_penalty, 1.0)
            || !is_same(presence_penalty, 0.0)
            || !is_same(frequency_penalty, 0.0)
    }

    fn penalise(&self, logits: &mut [f32]) {
        let repetition = self.sampling.repetition_penalty;
        let new_in_prompt = self.in_prompt.keys().filter(|token| !self.in_answer.contains_key(token));
        for token in self.in_answer.keys().chain(new_in_prompt) {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit = if *logit > 0.0 { *logit / repetition } else { *logit * repetition };
            }
        }
        for (token, times) in &self.in_answer {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit -= self.sampling.presence_penalty + self.sampling.frequency_penalty * times;
            }
        }
    }

    fn draw(&mut self, logits: &[f32], mask: Option<&Mask>) -> u32 {
        let is_greedy = is_same(self.sampling.temperature, 0.0);
        let mut candidates = match mask {
            None if is_greedy => return greedy(logits),
            None => candidates::all(logits),
            Some(mask) => candidates::allowed(logits, mask),
        };
        if is_greedy {
            return candidates::best(candidates.into_iter());
        }
        for candidate in &mut candidates {
            candidate.logit /= self.sampling.temperature;
        }
        candidates::cut(&mut candidates, &self.sampling);
        pick(&candidates, self.random.next_unit())
    }
}

/// The best token, the first of equals.
#[must_use]
pub fn greedy(logits: &[f32]) -> u32 {
    candidates::best((0..).zip(logits).map(|(token, &logit)| Candidate { token, logit }))
}

/// The candidate at `unit` of the way through their probabilities.
fn pick(candidates: &[Candidate], unit: f64) -> u32 {
    let best = candidates::best_logit(candidates);
    let weights: Vec<f64> = candidates.iter().map(|c| f64::from(libm::expf(c.logit - best))).collect();
    let target = unit * weights.iter().sum::<f64>();
    let mut passed = 0.0;
    let at = weights.iter().position(|weight| {
        passed += weight;
        passed > target
    });
    let chosen = at.and_then(|at| candidates.get(at)).or(candidates.last());
    chosen.map_or(0, |candidate| candidate.token)
}

fn count(counts: &mut BTreeMap<u32, f32>, token: u32) {
    *counts.entry(token).or_insert(0.0) += 1.0;
}

/// Whether a setting is exactly its neutral value.
fn is_same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Arc;
    use vial_grammar::{Grammar, Matcher, TokenTrie};

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(sampling, &[0]).unwrap()
    }

    #[test]
    fn greedy_takes_the_best_and_the_first_of_equals() {
        assert_eq!(greedy(&[-3.0, 5.0, 5.0, 1.0]), 1);
        assert_eq!(sampler(Sampling::default()).choose(&[0.0, 1.0], None).token, 1);
    }

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        let draw = |seed| {
            let mut sampler = sampler(Sampling { temperature: 1.0, seed, ..Sampling::default() });
            (0..50).map(|_| sampler.choose(&[1.0; 10], None).token).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let logits = [0.2_f32, 0.8].map(libm::logf);
        let mut sampler = sampler(Sampling { temperature: 1.0, seed: 3, ..Sampling::default() });
        let ones: u32 = (0..10_000).map(|_| sampler.choose(&logits, None).token).sum();
        assert!((7_850..8_150).contains(&ones), "{ones}");
    }

    #[test]
    fn penalties_turn_the_choice() {
        let logits = [2.0, 1.9, 1.0];
        let mut repetition = sampler(Sampling { repetition_penalty: 1.5, ..Sampling::default() });
        assert_eq!(repetition.choose(&logits, None).token, 1, "token 0 is in the prompt");
        let mut presence = sampler(Sampling { presence_penalty: 0.5, ..Sampling::default() });
        let tokens: Vec<u32> = (0..3).map(|_| presence.choose(&logits, None).token).collect();
        assert_eq!(tokens, [0, 1, 0], "the prompt does not count");
        let mut frequency = sampler(Sampling { frequency_penalty: 0.6, ..Sampling::default() });
        let tokens: Vec<u32> = (0..5).map(|_| frequency.choose(&logits, None).token).collect();
        assert_eq!(tokens, [0, 1, 0, 1, 2]);
    }

    #[test]
    fn probabilities_are_those_of_the_model_not_of_the_settings() {
        let settings = Sampling { presence_penalty: 2.0, logprobs: Some(2), ..Sampling::default() };
        let mut sampler = sampler(settings);
        let first = sampler.choose(&[1.0, 0.0], None).logprobs.unwrap();
        let second = sampler.choose(&[1.0, 0.0], None);
        assert_eq!(second.token, 1);
        assert_eq!(second.logprobs.unwrap().top, first.top);
    }

    #[test]
    fn a_mask_leaves_only_its_tokens_whatever_the_settings() {
        let trie = TokenTrie::new(4, &[3], |token, out| out.push(b"abc\0"[token as usize]));
        let grammar = Grammar::from_gbnf("root ::= [bc]").unwrap();
        let mut mask = Mask::new(4);
        Matcher::new(Arc::new(grammar)).mask(&trie, &mut mask).unwrap();
        let logits = [9.0, -5.0, -4.0, 9.0];
        assert_eq!(sampler(Sampling::default()).choose(&logits, Some(&mask)).token, 2);
        let settings =
            Sampling { temperature: 2.0, top_k: 2, top_p: 0.95, min_p: 0.01, ..Sampling::default() };
        let mut sampler = sampler(Sampling { repetition_penalty: 1.2, ..settings });
        let tokens: Vec<u32> = (0..200).map(|_| sampler.choose(&logits, Some(&mask)).token).collect();
        assert!(
            tokens.iter().all(|token| [1, 2].contains(token)) && tokens.contains(&1) && tokens.contains(&2)
        );
    }
}
