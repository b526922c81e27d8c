//! AVX2 and AVX-512: how each lane operation is done, and whether it may be.

mod avx2;
mod avx512;
mod detect;
mod eights;
mod instruction;
mod orders;
mod words;

pub(crate) use self::avx2::Avx2;
pub(crate) use self::avx512::Avx512;
