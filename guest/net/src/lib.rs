//! HTTP/1.1 and the OpenAI API over smoltcp, as state machines: frames and times in, frames and [`Action`]s out.
//!
//! The driving loop: give [`Server::receive`] every frame, call [`Server::poll`] with the time, do its actions, answer
//! them by [`Server::token`], [`Server::finish`], [`Server::fail`] and [`Server::attested`], and send every frame of
//! [`Server::next_frame`].
//!
//! Trust: everything from the network is hostile. Heads, bodies, queues and output are bounded; content never appears in
//! an error, a metric or a log.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod api;
mod client;
mod error;
mod http;
mod route;
mod server;
mod stack;
mod status;
#[cfg(test)]
mod tests;

pub use answer::{Finish, TokenLogprob, TokenText, Usage};
pub use api::{Generation, Message, Prompt, Sampling, generation};
pub use error::ApiError;
pub use http::{Parsed, Request, parse};
pub use server::{Action, JobId, Server, ServerConfig};
pub use status::Status;
