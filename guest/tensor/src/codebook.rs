//! What the nibbles of formats with unevenly spaced values stand for, and the scale of `MXFP4`.

/// Values of the nibbles of `IQ4_NL` and `IQ4_XS`.
///
/// Source: `kvalues_iq4nl` of `ggml-common.h`.
pub(crate) const IQ4_VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Twice the values of the nibbles of `MXFP4`: floats of one sign bit, two bits of exponent and one of mantissa.
///
/// Minus zero is zero, as in ggml.
///
/// Source: OCP Microscaling Formats 1.0 §5.3.3; `kvalues_mxfp4` of `ggml-common.h`.
pub(crate) const FOUR_BIT_FLOATS: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// Half of `2^(exponent - 127)`, since [`FOUR_BIT_FLOATS`] are doubled; exact. What stands for NaN (255) becomes
/// `2^127`, as in ggml.
///
/// Source: OCP Microscaling Formats 1.0 §5.4.1; `ggml_e8m0_to_fp32_half` of `ggml-impl.h`.
#[inline(always)]
pub(crate) fn half_of_power(exponent: u8) -> f32 {
    HALVES_OF_POWERS[usize::from(exponent)]
}

/// Of every exponent: a load is cheaper than telling apart what are no normal numbers.
static HALVES_OF_POWERS: [f32; 256] = {
    let (mut halves, mut exponent) = ([0.0; 256], 0_u32);
    while exponent < 256 {
        // Below the normal numbers the mantissa holds the power.
        let bits = if exponent < 2 { 0x0020_0000 << exponent } else { (exponent - 1) << 23 };
        halves[exponent as usize] = f32::from_bits(bits);
        exponent += 1;
    }
    halves
};

#[cfg(test)]
mod tests {
    use super::half_of_power;

    #[test]
    fn every_exponent_is_half_its_power_of_two() {
        for exponent in 0..=u8::MAX {
            let expected = 2.0_f64.powi(i32::from(exponent) - 128);
            assert_eq!(f64::from(half_of_power(exponent)), expected, "{exponent}");
        }
    }
}
