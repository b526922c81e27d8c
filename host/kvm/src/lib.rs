//! The unsafe rim over KVM and guest memory.
