//! A grammar, checked and ready for matchers.

use crate::check;
use crate::classes::Classes;
use crate::error::GrammarError;
use crate::expr::Rules;
use crate::network::{self, Network};

/// Which texts an answer may be.
///
/// Holding one proves: every rule ends, so that an answer can always be finished; none starts with itself; the table
/// of states is at most 4 MiB. It does not prove that a vocabulary can spell its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grammar {
    pub(crate) network: Network,
    pub(crate) classes: Classes,
}

impl Grammar {
    /// Compiles and checks rules.
    ///
    /// # Errors
    /// There is too much of it, a rule never ends or starts with itself.
    pub(crate) fn compile(rules: &Rules) -> Result<Self, GrammarError> {
        let network = network::build(rules)?;
        check::check(&network, &rules.names)?;
        let classes = Classes::new(&network.sets);
        Ok(Self { network, classes })
    }

    /// States of its table, of at most 2¹⁸.
    #[must_use]
    pub fn states(&self) -> usize {
        self.network.nodes.len()
    }
}
