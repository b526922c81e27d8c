//! A guest of SEV-SNP: what it says to its host, and to the secure processor behind it.
//!
//! The host sees nothing of the guest's registers and memory, so each wish goes through a page that both see, the GHCB
//! ([`ghcb`], [`exits`]), and before there is one, through a register ([`protocol`]). Which memory is private is agreed with the
//! host and then validated with the processor ([`pages`]); reports are asked for by messages that the host carries and cannot
//! read ([`message`], [`request`]).
//!
//! Pure: instructions and shared memory come in as a [`Processor`]. Ring 0 runs it, so nothing allocates or panics.
//!
//! Trust: the host is on the other side. Every word of shared memory is read once, by value; lengths are bounded here; whatever
//! does not hold ends in a [`Refusal`], after which the guest ends.
//!
//! Spec: AMD 56421 (GHCB) rev 2.03; 56860 (SEV-SNP firmware ABI) rev 1.58; 24593 (APM vol. 2) rev 3.42 §15.34 to 15.36.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]

pub mod certificates;
pub mod cpuid;
pub mod exits;
pub mod ghcb;
pub mod message;
pub mod pages;
mod processor;
pub mod protocol;
pub mod request;
pub mod secrets;
mod shared;

pub use processor::{Invalid, PageSize, Processor, Refusal};
