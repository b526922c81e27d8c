//! Generating answers to many requests at once.

mod batcher;
mod embed;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub use batcher::{Batcher, Limits};
pub use embed::{EmbedRequest, Pooling};
pub use request::{
    Event, Finish, MAX_STOP_BYTES, MAX_STOPS, Request, RequestId, SubmitError, Usage, Vocabulary,
};
