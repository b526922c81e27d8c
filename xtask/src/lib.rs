//! Set-up, build, demo, tests and benches.
