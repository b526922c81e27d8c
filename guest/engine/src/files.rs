//! The files of weights as passes use them: arriving in memory for good, or streamed through it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Display;
use vial_abi::ExitCode;
use vial_model::generate::{Batcher, Event};
use vial_model::tokenizer::Tokenizer;
use vial_model::transformer::Engine;
use vial_plan::Keeping;
use vial_user::virtio::Block;
use vial_weights::Lanes;

use crate::Stop;
use crate::arriving::Arriving;
use crate::checked::Checked;
use crate::front::Front;
use crate::streamed::{Streamed, Timing};

/// Both files.
#[derive(Debug)]
pub enum Files {
    /// All in memory, as soon as it has arrived.
    Whole(Box<Arriving>),
    /// The model is larger than memory; the draft model is in memory.
    Streamed {
        /// The model.
        model: Box<Streamed<Block>>,
        /// The draft model.
        draft: Option<Front>,
    },
}

impl Display for Files {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Whole(_) => f.write_str("all in memory"),
            Self::Streamed { model, .. } => write!(f, "{model}"),
        }
    }
}

impl Files {
    /// Files whose headers have been read, kept as was planned. What was refused while they were read stays refused.
    ///
    /// # Errors
    /// A draft model that cannot be read or differs, memory that is not there.
    pub fn new(
        mut arriving: Arriving,
        lanes: Lanes,
        keeping: &Keeping,
        timing: Timing,
    ) -> Result<Self, Stop> {
        let none = || Stop {
            code: ExitCode::ModelMemory,
            line: "weights: found no room where the plan has some: start with more --memory".into(),
        };
        let Keeping::Streamed(streaming) = keeping else {
            arriving.reserve().ok_or_else(none)?;
            return Ok(Self::Whole(Box::new(arriving)));
        };
        let brought = arriving.bring_draft().map_err(|error| Stop::of(ExitCode::ModelForm, &error));
        brought?.ok_or_else(none)?;
        if let Some(failure) = arriving.failure() {
            return Err(Stop::of(ExitCode::ModelForm, failure));
        }
        let stopped = arriving.stop().map_err(|error| Stop::of(ExitCode::NoDisk, &error));
        let (disk, file, draft) = stopped?;
        let model = Streamed::new((disk, timing), lanes, file.sealed(), streaming).ok_or_else(none)?;
        Ok(Self::Streamed { model: Box::new(model), draft })
    }

    /// What was checked since the start.
    #[must_use]
    pub fn checked(&self) -> Checked {
        match self {
            Self::Whole(weights) => weights.checked(),
            Self::Streamed { model, draft } => {
                model.checked() + draft.as_ref().map(Front::checked).unwrap_or_default()
            }
        }
    }

    /// The model, where it is streamed.
    #[must_use]
    pub fn streamed(&self) -> Option<&Streamed<Block>> {
        match self {
            Self::Whole(_) => None,
            Self::Streamed { model, .. } => Some(model),
        }
    }

    /// Whether all is in memory that will stay there from the start on.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Whole(weights) => weights.is_whole(),
            Self::Streamed { .. } => true,
        }
    }

    /// Why no more will come.
    #[must_use]
    pub fn failure(&self) -> Option<&dyn Display> {
        match self {
            Self::Whole(weights) => weights.failure().map(|failure| failure as &dyn Display),
            Self::Streamed { model, .. } => model.failure().map(|failure| failure as &dyn Display),
        }
    }

    /// Takes in what has arrived and asks for more; `true` if there is something to come that nothing waits for.
    pub fn poll(&mut self) -> bool {
        match self {
            Self::Whole(weights) => weights.poll(),
            Self::Streamed { model, .. } => {
                model.poll();
                false
            }
        }
    }

    /// One pass: of the model, or of the draft model once it is there.
    pub fn step(&mut self, batcher: &mut Batcher<Tokenizer>, engine: Engine<'_>) -> Vec<Event> {
        match self {
            Self::Whole(weights) => match weights.with_draft() {
                Some((mut model, mut draft)) => batcher.step_with_draft(&mut model, &mut draft, engine),
                None => batcher.step(&mut **weights, engine),
            },
            Self::Streamed { model, draft } => match draft.as_ref().and_then(Front::whole) {
                Some(mut draft) => batcher.step_with_draft(&mut **model, &mut draft, engine),
                None => batcher.step(&mut **model, engine),
            },
        }
    }
}
