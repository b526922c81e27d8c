//! The guest's side, `vial-snp`, against the host and the secure processor that are played here.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

mod exits;
mod reports;
mod seat;
mod tables;
