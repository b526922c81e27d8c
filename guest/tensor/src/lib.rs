//! Numeric kernels of the engine: portable reference, AVX2, AVX-512, AMX.
//!
//! - [`Quant`], [`Matrix`]: weights as they lie in a GGUF file, checked once;
//! - [`first_not_finite`]: the one check of their values;
//! - [`Isa`]: which instruction set computes, detected by `cpuid`;
//! - [`Team`]: the cpus that share one pass;
//! - [`matmul()`], [`matmul_shared`]: `W · x`;
//! - [`dequantize_row`], [`rms_norm`], [`softmax`], [`rope_pairs`], [`scores_f16`] and the other pieces of a
//!   layer.
//!
//! Activations are f32, and sums are f32 in eight lanes or more, so that answers follow exact arithmetic. Products with
//! weights of small integers round activations to 16-bit words with a scale for each 256, and keep weights exact; tile
//! registers take both as sums of two BF16 halves. The kernels are written once over sixteen lanes (the private trait `Simd`) and over lanes of words (`WordLanes`);
//! each instruction set says only how one lane operation is done.
//!
//! Invariant: no I/O, clock, thread or global; the one system call asks Linux for the state of tile registers. Weights come
//! from a checked copy (the caller's duty); shapes are asserted at entry, and a wrong shape is a bug of the caller, not of the
//! file.
#![no_std]

extern crate alloc;

mod activation;
mod attention;
mod attention_page;
mod attention_q8_0;
mod buffer;
mod chunks;
mod codebook;
mod dequantize;
mod finite;
mod half;
mod isa;
mod lanes;
mod loan;
mod matmul;
mod matrix;
mod online;
mod portable;
mod quant;
mod rope;
mod scales;
mod simd;
mod team;
#[cfg(test)]
mod tests;
mod unpack;
mod vector;
mod words;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use activation::{gelu_mul, silu_mul, soft_cap};
pub use attention::{axpy_f16, dot_f16, mix_f16, scores_f16, store_f16};
pub use attention_page::{FloatPage, HeadRows};
pub use attention_q8_0::{mix_q8_0, q8_0_bytes, scores_q8_0, store_q8_0};
pub use buffer::Buffer;
pub use chunks::for_each_chunk;
pub use dequantize::dequantize_row;
pub use finite::first_not_finite;
pub use half::{f16_to_f32, f32_to_f16};
pub use isa::Isa;
pub use matmul::{PRODUCTS_MAX, Product, matmul, matmul_shared};
pub use matrix::{Matrix, ShapeError};
pub use online::Softened;
pub use quant::Quant;
pub use rope::{rope_halves, rope_pairs};
pub use team::{Alone, Parker, Team};
pub use vector::{add, argmax, exp, rms_norm, softmax};
