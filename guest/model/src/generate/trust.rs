//! How often what a draft model says is what is chosen, by how sure it is.

use alloc::vec::Vec;

/// Least margins of the classes above the first, in logits.
const EDGES: [f32; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];
/// Part of an estimate that one drafted token replaces.
const LEARN: f32 = 0.125;
/// Part of the way back to [`UNKNOWN`] that the mean goes with a token that no draft was made for: a draft model that was
/// of no use is tried again, seldom.
const FORGET: f32 = 0.01;
/// What is expected of a draft model that has said nothing yet.
const UNKNOWN: f32 = 0.6;

/// A class of margins: by how much the drafted token's logit is above that of the best other token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Margin(usize);

impl Margin {
    /// The class of `token` among `logits`.
    pub(super) fn of(logits: &[f32], token: u32) -> Self {
        let at = token as usize;
        let (before, others) = logits.split_at(at.min(logits.len()));
        let after = others.get(1..).unwrap_or_default();
        let best = before.iter().chain(after).copied().fold(f32::NEG_INFINITY, f32::max);
        let margin = logits.get(at).map_or(f32::NEG_INFINITY, |own| own - best);
        Self(EDGES.iter().filter(|&&edge| margin >= edge).count())
    }
}

/// Estimated probabilities that a drafted token is right where those before it were.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    classes: [f32; EDGES.len() + 1],
    mean: f32,
}

impl Default for Trust {
    fn default() -> Self {
        Self { classes: [0.35, 0.45, 0.55, 0.7, 0.85, 0.95], mean: UNKNOWN }
    }
}

impl Trust {
    /// Of a token that is not drafted yet.
    pub(super) fn mean(&self) -> f32 {
        self.mean
    }

    /// Of a drafted token of that class.
    pub(super) fn of(&self, margin: Margin) -> f32 {
        self.classes.get(margin.0).copied().unwrap_or(self.mean)
    }

    /// Takes note that the first `right` tokens of a draft were chosen, and not the next.
    pub(super) fn learn(&mut self, right: usize, draft: &[Margin]) {
        for (at, margin) in draft.iter().enumerate().take(right + 1) {
            let seen = if at < right { 1.0 } else { 0.0 };
            self.mean += LEARN * (seen - self.mean);
            if let Some(class) = self.classes.get_mut(margin.0) {
                *class += LEARN * (seen - *class);
            }
        }
    }

    /// Takes note of a token without a draft.
    pub(super) fn forget(&mut self) {
        self.mean += FORGET * (UNKNOWN - self.mean).max(0.0);
    }

    /// Goes half of the way to what another stream learned.
    pub(super) fn meet(&mut self, other: &Self) {
        self.mean = f32::midpoint(self.mean, other.mean);
        let pairs = self.classes.iter_mut().zip(&other.classes);
        pairs.for_each(|(own, other)| *own = f32::midpoint(*own, *other));
    }
}

/// Margins of a draft's tokens.
pub(super) type Margins = Vec<Margin>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_the_lead_over_the_best_other_token() {
        let class = |logits: &[f32], token| Margin::of(logits, token).0;
        assert_eq!([0, 1, 2].map(|token| class(&[1.0, 4.0, 2.5], token)), [0, 2, 0]);
        assert_eq!(class(&[9.0, 0.0], 0), 5);
        assert_eq!((class(&[1.0], 0), class(&[1.0], 7)), (5, 0));
    }

    #[test]
    fn sure_tokens_are_told_from_unsure_ones() {
        let mut trust = Trust::default();
        let (sure, unsure) = (Margin(5), Margin(0));
        (0..50).for_each(|_| trust.learn(1, &[sure, unsure]));
        assert!(trust.of(sure) > 0.99 && trust.of(unsure) < 0.01 && (0.3..0.7).contains(&trust.mean()));
        // What follows a token that was wrong says nothing.
        let before = trust.of(Margin(3));
        trust.learn(0, &[sure, Margin(3)]);
        assert!((trust.of(Margin(3)) - before).abs() < 1e-9);
    }

    #[test]
    fn a_draft_model_that_failed_is_tried_again_seldom() {
        let mut trust = Trust::default();
        (0..50).for_each(|_| trust.learn(0, &[Margin(0)]));
        assert!(trust.mean() < 0.01);
        (0..20).for_each(|_| trust.forget());
        assert!((0.05..0.2).contains(&trust.mean()), "{}", trust.mean());
        let mut new = Trust::default();
        new.meet(&trust);
        assert!((new.mean() - f32::midpoint(0.6, trust.mean())).abs() < 1e-6);
    }
}
