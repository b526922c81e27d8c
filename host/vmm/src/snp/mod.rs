//! A guest of SEV-SNP without the hardware: this VMM plays its host and its secure processor (`vial-simulated-snp`), on KVM.
//!
//! What is private has an address of its own, by the C-bit; devices reach shared memory and nothing else. Paging off, a guest of
//! SEV-SNP sees all its memory as private, so the addresses without that bit show all memory too, and what the guest's tables say
//! is checked whenever it asks for a report. Instructions that only the hardware has come as orders on ports.

mod around;
mod seat;
mod start;

pub use start::Played;
pub(crate) use start::start;
