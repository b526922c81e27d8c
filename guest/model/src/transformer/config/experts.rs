//! Which of a layer's experts compute for a token, and how their answers are mixed.

use super::keys::{Keys, range};
use crate::transformer::architecture::Experts;
use crate::transformer::error::ModelError;

/// Experts and their router.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// Experts of a layer.
    pub experts: usize,
    /// Experts that compute for one token.
    pub used: usize,
    /// Whether the weights of those used are made to sum to one.
    pub is_normed: bool,
    /// Factor on their sum.
    pub scale: f32,
}

const MAX_EXPERTS: usize = 4096;

impl Routing {
    pub(super) fn read(keys: &Keys<'_>) -> Result<Option<Self>, ModelError> {
        let found = keys.integer("expert_count")?.filter(|count| *count > 0);
        let experts = match (keys.architecture.experts, found) {
            (Experts::Never | Experts::Normed, None) => return Ok(None),
            (Experts::Never, Some(found)) => {
                return Err(range(&keys.key("expert_count"), found, "0 (this architecture has no experts)"));
            }
            _ => keys.count("expert_count", MAX_EXPERTS)?,
        };
        check_gate(keys)?;
        Ok(Some(Self {
            experts,
            used: keys.count("expert_used_count", experts)?,
            is_normed: keys.architecture.experts == Experts::Normed,
            scale: keys.factor("expert_weights_scale")?.unwrap_or(1.0),
        }))
    }
}

/// Routers weigh by softmax.
fn check_gate(keys: &Keys<'_>) -> Result<(), ModelError> {
    let name = "expert_gating_func";
    match keys.integer(name)? {
        None | Some(0 | 1) => Ok(()),
        Some(found) => Err(range(&keys.key(name), found, "1 (softmax)")),
    }
}
