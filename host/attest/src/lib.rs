//! Evidence parsing, authenticity and policy.
