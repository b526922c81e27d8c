//! The agent bundle's configuration.
