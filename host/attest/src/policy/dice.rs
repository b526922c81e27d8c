//! A policy against what a board with DICE says.

use vial_weights::tree::Hex;

use super::Policy;
use crate::check::Checks;
use crate::dice::{Dice, Mode};

impl Policy {
    /// Compares the board's key, the modes of all layers, and the last layer.
    pub(crate) fn check_dice(&self, dice: &Dice, checks: &mut Checks) -> Option<()> {
        let found = if self.is_open("dice.root") { "nobody" } else { "the policy" };
        checks.equal("who vouches for the board's key", found, "the policy", "dice.root")?;
        self.check("dice.root", Hex(&dice.root), checks)?;
        let other = dice.layers.iter().map(|layer| layer.mode).find(|mode| *mode != Mode::Normal);
        self.check("dice.mode", other.unwrap_or(Mode::Normal).name(), checks)?;
        let last = dice.layers.last()?;
        self.check("dice.code", Hex(&last.code), checks)?;
        self.check("dice.configuration", Hex(&last.configuration), checks)?;
        self.check("dice.authority", Hex(&last.authority), checks)
    }
}
