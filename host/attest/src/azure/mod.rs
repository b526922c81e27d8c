//! Confidential machines of Azure: a paravisor owns the report, and a TPM inside it speaks for the guest.

mod authentic;
mod hcl;

pub(crate) use authentic::authentic;
pub use hcl::{Configuration, HclReport};
