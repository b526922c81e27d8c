//! Half-precision numbers in software: the reference for what the hardware conversions give.

/// The value of an IEEE half; exact. A signalling NaN becomes quiet, as in hardware.
#[must_use]
#[inline]
pub fn f16_to_f32(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let sign = (bits & 0x8000) << 16;
    let exponent = (bits >> 10) & 0x1F;
    let mantissa = bits & 0x3FF;
    let magnitude = match (exponent, mantissa) {
        (0, 0) => 0,
        (0, _) => subnormal(mantissa),
        (0x1F, 0) => 0x7F80_0000,
        (0x1F, _) => 0x7FC0_0000 | mantissa << 13,
        _ => (exponent + 112) << 23 | mantissa << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// Bits of `mantissa · 2^-24`, for 0 < `mantissa` < 1024.
#[inline]
const fn subnormal(mantissa: u32) -> u32 {
    let top = 31 - mantissa.leading_zeros();
    (top + 103) << 23 | (mantissa << (23 - top) & 0x7F_FFFF)
}

/// The nearest half to `value`, ties to even; too large becomes infinite. NaN becomes quiet.
#[must_use]
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "each arm fits 15 bits by construction")]
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7FFF_FFFF;
    sign | match magnitude {
        0x7F80_0001.. => (0x7E00 | magnitude >> 13 & 0x1FF) as u16,
        0x477F_F000.. => 0x7C00,
        0x3880_0000.. => round(magnitude - (112 << 23), 13) as u16,
        0x3300_0000.. => round(magnitude & 0x7F_FFFF | 0x80_0000, 126 - (magnitude >> 23)) as u16,
        _ => 0,
    }
}

/// `value >> shift`, rounded to nearest, ties to even.
#[inline]
const fn round(value: u32, shift: u32) -> u32 {
    let odd = value >> shift & 1;
    (value + (1 << (shift - 1)) - 1 + odd) >> shift
}

/// The value of the upper half of a float.
#[must_use]
#[inline]
pub(crate) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::{f16_to_f32, f32_to_f16};

    #[test]
    fn every_half_survives_the_round_trip() {
        for bits in 0..=u16::MAX {
            let value = f16_to_f32(bits);
            if value.is_nan() {
                assert_eq!(f32_to_f16(value), bits | 0x200);
            } else {
                assert_eq!(f32_to_f16(value), bits, "{value}");
            }
        }
    }

    #[test]
    fn known_values() {
        assert_eq!(f16_to_f32(0x3C00), 1.0);
        assert_eq!(f16_to_f32(0x0001), 2.0_f32.powi(-24));
        assert_eq!(f16_to_f32(0xFBFF), -65504.0);
        assert_eq!(f32_to_f16(65519.99), 0x7BFF);
        assert_eq!(f32_to_f16(65520.0), 0x7C00);
        assert_eq!(f32_to_f16(2.0_f32.powi(-25)), 0);
        assert_eq!(f32_to_f16(2.0_f32.powi(-25) * 1.0001), 1);
        assert_eq!(f32_to_f16(1.0 + 2.0_f32.powi(-11)), 0x3C00);
        assert_eq!(f32_to_f16(1.0 + 3.0 * 2.0_f32.powi(-11)), 0x3C02);
    }

    #[test]
    fn between_two_halves_the_nearer_wins() {
        for bits in 0..0x7BFF_u16 {
            let (low, high) = (f16_to_f32(bits), f16_to_f32(bits + 1));
            let middle = low + (high - low) / 2.0;
            assert_eq!(f32_to_f16(middle), bits + (bits & 1), "{middle}");
            assert_eq!(f32_to_f16(middle.next_down()), bits);
            assert_eq!(f32_to_f16(middle.next_up()), bits + 1);
        }
    }
}
