//! What guests have in common whose TEE this VMM plays: what they share, their tables, and how their cpus run and end.

mod machine;
mod seat;
mod tables;

pub(crate) use machine::{Built, SHARED};
pub(crate) use seat::{Broken, Seat, Step, own};
pub(crate) use tables::table;
