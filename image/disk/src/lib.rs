//! Sealed images as pure bytes: GPT and layout.
