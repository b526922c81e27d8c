//! Generating answers to many requests at once.

mod batcher;
mod constraint;
mod embed;
mod guess;
mod pace;
mod queue;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod turn;

pub use batcher::{Batcher, Limits};
pub use embed::{EmbedRequest, Pooling};
pub use request::{
    Event, Finish, MAX_STOP_BYTES, MAX_STOPS, Overflow, Request, RequestId, SubmitError, Usage, Vocabulary,
};
