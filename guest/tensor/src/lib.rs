//! Numeric kernels: portable reference, AVX2, AVX-512.
