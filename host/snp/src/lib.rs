//! Plays what a guest of SEV-SNP has around it, for machines without one: the host that serves its exits, the table that says
//! whose each page is, and the secure processor behind them.
//!
//! Written from the specifications and not from `vial-snp`, the guest's side: the two are tested against each other. It proves
//! that both sides read the specifications alike, and nothing about a real processor; reports are those of whoever plays.
//!
//! Strict where a real host may be lenient: what the specifications do not allow is an [`Offence`], which ends the machine.
//!
//! Spec: AMD 56421 (GHCB) rev 2.03; 56860 (SEV-SNP firmware ABI) rev 1.58.
#![forbid(unsafe_code)]

mod cpuid;
mod exit;
mod host;
mod ownership;
mod processor;
mod tables;

pub use cpuid::{Leaf, page as cpuid_page};
pub use exit::Then;
pub use host::{Around, Cpu, Host, Offence};
pub use ownership::{Outcome, Ownership, Size, State};
pub use processor::{Reporter, SecureProcessor};
pub use tables::{Tables, check as check_tables};
