//! Generating answers to many requests at once.

mod batcher;
mod constraint;
mod drafter;
mod embed;
mod guess;
mod ledger;
mod pace;
mod plan;
mod queue;
mod request;
mod shadow;
mod speculate;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod trust;
mod turn;

pub use batcher::{Batcher, Limits};
pub use drafter::Drafter;
pub use embed::{EmbedRequest, Pooling};
pub use request::{
    Event, Finish, MAX_STOP_BYTES, MAX_STOPS, Overflow, Request, RequestId, SubmitError, Usage, Vocabulary,
};
pub use speculate::{DraftCounts, Speculation};
