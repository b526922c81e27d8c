//! HTTP/1.1 and the OpenAI API in the bound channel over smoltcp, as state machines: frames and times in, frames and
//! [`Action`]s out.
//!
//! The driving loop: give [`Server::receive`] every frame, call [`Server::poll`] with the time, do its actions, answer
//! them by [`Server::delta`], [`Server::finish`], [`Server::embedded`], [`Server::attested`], [`Server::certify`],
//! [`Server::offered`], [`Server::unlocked`] and
//! [`Server::fail`], and send every frame of [`Server::next_frame`].
//!
//! Trust: everything from the network is hostile. Heads, bodies, queues and output are bounded; content never appears in
//! an error, a metric or a log.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod api;
mod client;
mod connection;
mod embedding;
mod error;
mod http;
mod json;
mod notary;
mod paced;
mod route;
mod sender;
mod server;
mod stack;
mod status;
#[cfg(test)]
mod tests;
mod unlock;

pub use answer::{Delta, Finish, TokenLogprob, TokenText, Usage};
pub use api::{
    Caching, Embedding, Encoding, Format, Generation, Input, Message, Overflow, Pooling, Prompt, Role,
    Sampling, Schema, Tool, ToolCall, ToolChoice, Tools, embedding, generation, ollama,
};
pub use error::ApiError;
pub use http::{Parsed, Request, parse};
pub use json::JsonText;
pub use notary::{Moment, Sealed};
pub use sender::{Credential, Peer, Sender};
pub use server::{Action, JobId, Model, Server, ServerConfig};
pub use status::{Cache, Drafts, ExpertHits, Status, Times, Window};
pub use unlock::{Release, release};
