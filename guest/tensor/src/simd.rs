//! Sixteen lanes: the vocabulary in which kernels are written once.

use crate::words::WordLanes;

/// One unit of sixteen floats.
pub(crate) type Unit = [f32; 16];

/// Bytes that memory gives at once.
pub(crate) const LINE_BYTES: usize = 64;

/// A unit on a cache line of its own.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) Unit);

impl Line {
    pub(crate) const ZERO: Self = Self([0.0; 16]);
}

/// How many accumulators an instruction set keeps in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registers {
    /// 32 registers of sixteen floats.
    Many,
    /// 16 registers of eight floats.
    Few,
    /// Sixteen floats are an array in memory or several small registers.
    None,
}

/// A computation that is compiled once for each instruction set.
pub(crate) trait Op {
    /// What it gives.
    type Out;
    /// Computes; implementations are `#[inline(always)]` so that they take on the caller's target features.
    fn run<S: Simd>(self, s: S) -> Self::Out;
}

/// An instruction set: operations on sixteen lanes.
///
/// Methods are `#[inline(always)]` in every implementation. A value of the implementing type proves that the
/// cpu and the system support the instruction set.
pub(crate) trait Simd: Copy {
    /// The instruction set whose lanes of words are used: this one, or one that it contains.
    type Words: Simd + WordLanes;
    /// Sixteen floats.
    type V: Copy;
    /// Sixteen 32-bit integers.
    type I: Copy;
    /// How a nibble becomes `scale · nibble + offset`.
    type Table: Copy;

    /// Accumulators at hand.
    const REGISTERS: Registers;

    /// The instruction set for words.
    fn words(self) -> Self::Words;
    /// Runs `op` with the instruction set's target features on.
    fn enter<O: Op>(self, op: O) -> O::Out;

    /// All lanes `value`.
    fn splat(self, value: f32) -> Self::V;
    /// Reads sixteen floats.
    fn load(self, from: &Unit) -> Self::V;
    /// Writes sixteen floats.
    fn store(self, value: Self::V, to: &mut Unit);
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a > b ? a : b`: gives `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a < b ? a : b`: gives `b` where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once where the instruction set can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `value` where `probe >= floor` is not false; zero where `probe < floor`.
    fn zero_below(self, value: Self::V, probe: Self::V, floor: Self::V) -> Self::V;
    /// Sum of the lanes.
    fn sum(self, value: Self::V) -> f32;
    /// Largest lane.
    fn top(self, value: Self::V) -> f32;

    /// The value of one half.
    fn half(self, bits: u16) -> f32;
    /// Sixteen halves as floats.
    fn widen(self, bits: &[u16; 16]) -> Self::V;
    /// Sixteen floats as halves, to nearest, ties to even.
    fn narrow(self, value: Self::V, to: &mut [u16; 16]);

    /// Sixteen halves out of their bytes as floats.
    fn halves(self, from: &[u8; 32]) -> Self::V;
    /// Eight pairs of halves, the lower first, as floats.
    fn eight_pairs(self, pairs: [u32; 8]) -> Self::V;
    /// Pairs of halves, the lower first, as floats.
    fn half_pairs(self, pairs: [u32; 16]) -> [Self::V; 2];
    /// Sixteen unsigned bytes.
    fn bytes(self, from: &[u8; 16]) -> Self::I;
    /// Sixteen signed bytes as floats.
    fn signed_bytes(self, from: &[u8; 16]) -> Self::V;
    /// Sixteen upper halves of floats.
    fn upper_halves(self, from: &[u8; 32]) -> Self::V;
    /// 16 in lane `i` if bit `i` of `bits` is set, else 0.
    fn fifth_bits(self, bits: u16) -> Self::I;
    /// Lanes and `mask`.
    fn and(self, a: Self::I, mask: i32) -> Self::I;
    /// Lane-wise or.
    fn or(self, a: Self::I, b: Self::I) -> Self::I;
    /// Lanes moved down by `N` bits, zeros from the top.
    fn down<const N: u32>(self, a: Self::I) -> Self::I;
    /// Lanes moved up by `N` bits.
    fn up<const N: u32>(self, a: Self::I) -> Self::I;
    /// Lanes as floats.
    fn float(self, a: Self::I) -> Self::V;
    /// `value · 2^n`, where `shifted` is `1.5 · 2^23 + n` and the result is a normal number.
    fn scale_by_power(self, value: Self::V, shifted: Self::V) -> Self::V;

    /// A table for nibbles; both operands have one value in all lanes.
    fn table(self, scale: Self::V, offset: Self::V) -> Self::Table;
    /// The lower nibbles of lanes that hold bytes, through the table.
    fn low(self, table: Self::Table, bytes: Self::I) -> Self::V;
    /// The upper nibbles of lanes that hold bytes, through the table.
    fn high(self, table: Self::Table, bytes: Self::I) -> Self::V;

    /// What the lower nibbles of sixteen bytes stand for in `values`, and what the upper ones do.
    fn lookup(self, values: &[i8; 16], packed: &[u8; 16]) -> [Self::V; 2];

    /// Asks for the cache line `ahead_bytes` after the start of `from`, which need not exist.
    fn prefetch<T>(self, from: &[T], ahead_bytes: usize);
    /// The same into second-level cache, where that can be said: for what is of use only after more than the first one holds.
    fn prefetch_far<T>(self, from: &[T], ahead_bytes: usize);

    /// Writes lane `c` of row `r` to lane `r` of column `c`; columns are `stride` lines apart in `to`.
    fn transpose(self, rows: &[Line; 16], to: &mut [Line], stride: usize);
}
