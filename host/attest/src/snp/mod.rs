//! AMD SEV-SNP: attestation reports, and the certificates that vouch for them.

mod authentic;
mod certificate;
mod product;
pub mod report;
mod revocation;
mod roots;
mod tcb;

pub(crate) use authentic::authentic;
pub use authentic::{Revocation, Snp};
pub use certificate::{Endorsement, Signer};
pub use product::Product;
pub use report::Report;
pub use roots::{RootError, Roots};
pub use tcb::Tcb;
