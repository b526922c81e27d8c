//! What a draft model has cost and won, so that it never costs more than a small part of all time.
//!
//! Every pass of the draft model is paid out of a balance. A part of all time goes into it, and what drafts win; a pass that
//! the balance does not cover is not run. So however wrong the guesses are by which drafts are planned, answers take at most
//! `1 + ALLOWED` times what they take without the draft model, and [`LOAN`] once, and what single passes take longer than those
//! before them. Without the loan nothing would begin: what keeps up with a stream alone may cost more than the allowed part.

/// Part of the time that may be lost. The promise is a twentieth, from a hundred passes on.
const ALLOWED: f32 = 0.03;
/// Passes that decode whose time the balance begins with.
const LOAN: f32 = 2.0;
/// Passes that decode whose time the balance holds at most: what was won long ago is not risked now.
const PASSES_AT_MOST: f32 = 64.0;

/// Balance in ns.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    balance: f32,
    has_loan: bool,
    /// Spent for drafts that are not checked yet.
    sunk: f32,
}

impl Ledger {
    /// What may be lost by drafts, in ns.
    pub(super) fn balance(&self) -> f32 {
        self.balance
    }

    /// What was spent for drafts that are not checked yet, in ns.
    pub(super) fn sunk(&self) -> f32 {
        self.sunk
    }

    /// Takes note of a pass of the draft model.
    pub(super) fn spend(&mut self, ns: f32) {
        self.balance -= ns;
        self.sunk += ns;
    }

    /// Lends what drafts begin with, once, as soon as it is known what a pass that decodes takes.
    pub(super) fn lend(&mut self, one: f32) {
        if !self.has_loan {
            (self.has_loan, self.balance) = (true, self.balance + LOAN * one);
        }
    }

    /// Takes note of a pass of `ns` whose tokens had taken `plain` without the draft model. `one` is what a pass that decodes
    /// takes without drafts.
    pub(super) fn earn(&mut self, ns: f32, plain: f32, one: f32) {
        let most = PASSES_AT_MOST * one;
        self.balance = (self.balance + plain * (1.0 + ALLOWED) - ns).clamp(-most, most);
        self.sunk = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_lost_is_a_part_of_the_time_and_what_was_won() {
        let mut ledger = Ledger::default();
        (0..100).for_each(|_| ledger.earn(100.0, 100.0, 100.0));
        assert!((ledger.balance() - 300.0).abs() < 1.0);
        ledger.spend(50.0);
        assert!((ledger.balance() - 250.0).abs() < 1.0 && (ledger.sunk() - 50.0).abs() < 1e-3);
        // Three tokens by one pass of 120.
        ledger.earn(120.0, 300.0, 100.0);
        assert!((ledger.balance() - 439.0).abs() < 1.0 && ledger.sunk() < 1e-3);
        (0..2).for_each(|_| ledger.lend(100.0));
        assert!((ledger.balance() - 639.0).abs() < 1.0, "lent once");
        (0..1000).for_each(|_| ledger.earn(120.0, 300.0, 100.0));
        assert!((ledger.balance() - 6400.0).abs() < 1.0);
    }
}
