//! Builds and opens sealed images.
//!
//! [`Recipe::build`] reads the GGUF file once: one thread reads and writes, another hashes. To encrypt it, it reads it once more
//! before: the key follows from all of it. The image appears under its
//! name whole or not at all. [`SealedImage::open`] checks that an image is consistent with itself; whether it is the
//! *wanted* one is for the verifier to say.
#![forbid(unsafe_code)]

mod agent;
mod blobs;
mod build;
mod encrypted;
mod error;
mod guest;
mod header;
mod model;
mod open;
mod stream;
mod unpublished;

pub use build::{Recipe, Sealed};
pub use error::ImageError;
pub use guest::Guest;
pub use header::ModelShape;
pub use open::SealedImage;
