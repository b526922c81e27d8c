//! Builds and inspects sealed images.
