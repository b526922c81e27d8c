//! The vial command.
