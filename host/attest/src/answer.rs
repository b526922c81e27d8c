//! A verdict with what it was made of and what it leaves open, as `vial verify --json` prints it.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;
use vial_weights::Manifest;

use crate::bytes::Bytes;
use crate::ear::Ear;
use crate::not_proven::not_proven;
use crate::reference::Reference;
use crate::verify::Verdict;
use crate::visible::visible;

/// The build that is named as the verifier.
const BUILD: &str = env!("CARGO_PKG_VERSION");

/// What a question is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The address or file.
    pub subject: String,
    /// The model that sees the prompt.
    pub model: Option<String>,
    /// The model that drafts for it, which sees the prompt too; `null` for none.
    pub draft_model: Option<String>,
    /// Every check.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The same in the form that other relying parties read.
    #[serde(flatten)]
    pub ear: Ear,
    /// What acceptance does not prove.
    pub not_proven: Vec<&'static str>,
}

/// Names of what sees the prompt, for people.
#[derive(Default)]
pub(crate) struct Models {
    model: Option<String>,
    draft: Option<String>,
}

impl Models {
    /// The names are the expected ones, or those of a manifest that was accepted; else they are nobody's word.
    pub(crate) fn of(reference: Option<&Reference>, evidence: &Bytes, verdict: &Verdict) -> Self {
        if let Some(it) = reference {
            return Self { model: Some(it.model.clone()), draft: it.draft_model.clone() };
        }
        let manifest = Manifest::decode(&evidence.manifest).ok().filter(|_| verdict.accepted);
        manifest.map_or_else(Self::default, |it| Self {
            model: Some(it.model),
            draft: it.draft.map(|draft| draft.model),
        })
    }
}

impl Answer {
    /// What is said of a subject; `now` is when, in seconds since 1970.
    pub(crate) fn new(subject: &str, models: Models, verdict: Verdict, now: u64) -> Self {
        let name = |name: Option<String>| name.map(|name| visible(&name));
        Self {
            subject: visible(subject),
            model: name(models.model),
            draft_model: name(models.draft),
            ear: Ear::of(&verdict, BUILD, now),
            not_proven: not_proven(&verdict),
            verdict,
        }
    }
}
