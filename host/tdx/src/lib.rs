//! Plays what a trust domain (Intel TDX) has around it, for machines without TDX: the module that serves its calls and keeps its
//! measurements, the table that says whose each page is, and the host behind them with its quoting service.
//!
//! Written from the specifications and not from `vial-tdx`, the guest's side: the two are tested against each other. It proves
//! that both sides read the specifications alike, and nothing about a real processor; quotes are those of whoever plays.
//!
//! Strict where a real host may be lenient: what the specifications do not allow is an [`Offence`], which ends the machine.
//!
//! Spec: Intel TDX Module ABI (348551); Base Architecture (348549); GHCI (344426).
#![forbid(unsafe_code)]

mod build;
mod host;
mod module;
mod pages;
mod quoting;
mod report;
mod tables;

pub use build::Builder;
pub use host::{Around, Host, Offence, Then};
pub use module::{Memory, Module, Registers, Turn};
pub use pages::{Mapping, Pages};
pub use quoting::Signer;
pub use report::{REPORT_BYTES, TdInfo, is_genuine};
pub use tables::{Tables, check as check_tables};
