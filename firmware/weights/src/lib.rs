//! Manifest, sealed header, agent bundle archive and BLAKE3 tree over the weights.
