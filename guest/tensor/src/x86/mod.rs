//! AVX2, AVX-512 and AMX: how each lane operation is done, and whether it may be.

mod amx;
mod amx_bytes;
mod avx2;
mod avx512;
mod detect;
mod eights;
mod instruction;
mod orders;
mod planes;
mod wholes;
mod words;
mod words512;

pub(crate) use self::amx::{Amx, Quad, Tiles};
pub(crate) use self::amx_bytes::{InputBytes, RowBytes};
pub(crate) use self::avx2::Avx2;
pub(crate) use self::avx512::Avx512;
pub(crate) use self::wholes::WholeBlock;
