//! The load plan: what is loaded, in which order, and its launch digest.
