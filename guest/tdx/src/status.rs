//! Completion statuses of the TDX module.
//!
//! Bit 63 error, 62 not recoverable, 61 fatal, 60 host priority; 47:40 class, 39:32 name, 31:0 details, for operands their
//! number. A status without the error bit need not be a success: a page that was accepted before has none.
//!
//! Spec: TDX Module ABI (348551), "Function Completion Status".

/// Why the module did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An operand is out of range or not aligned; its number: 1 RCX, 2 RDX, 8 R8.
    Operand(u32),
    /// Somebody else holds the operand of that number.
    Busy(u32),
    /// The page is accepted already, maybe as part of a larger one.
    AlreadyAccepted,
    /// The page is mapped by smaller ones.
    SizeMismatch,
    /// Any other status: nothing is taken for granted.
    Unknown(u64),
}

const ERROR: u8 = 0x80;
const ERROR_FOR_GOOD: u8 = 0xC0;
const ERROR_FOR_HOST: u8 = 0x90;
const CLASS_OPERAND: u8 = 1;
const CLASS_BUSY: u8 = 2;
const CLASS_PAGE: u8 = 0x0B;
const NAME_ALREADY_ACCEPTED: u8 = 0x0A;
const NAME_SIZE_MISMATCH: u8 = 0x0B;

/// Reads RAX.
///
/// # Errors
/// Every status but that of full success.
pub fn checked(rax: u64) -> Result<(), Refusal> {
    let [a, b, c, d, name, class, reserved, flags] = rax.to_le_bytes();
    let details = u32::from_le_bytes([a, b, c, d]);
    match (flags, reserved, class, name) {
        (0, 0, 0, 0) if details == 0 => Ok(()),
        (ERROR_FOR_GOOD, 0, CLASS_OPERAND, _) => Err(Refusal::Operand(details)),
        (ERROR | ERROR_FOR_HOST, 0, CLASS_BUSY, _) => Err(Refusal::Busy(details)),
        (0, 0, CLASS_PAGE, NAME_ALREADY_ACCEPTED) => Err(Refusal::AlreadyAccepted),
        (ERROR_FOR_GOOD, 0, CLASS_PAGE, NAME_SIZE_MISMATCH) => Err(Refusal::SizeMismatch),
        _ => Err(Refusal::Unknown(rax)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_told_apart_by_class_and_name() {
        assert_eq!(checked(0), Ok(()));
        assert_eq!(checked(0xC000_0100_0000_0001), Err(Refusal::Operand(1)), "TDX_OPERAND_INVALID");
        assert_eq!(checked(0xC000_0101_0000_0008), Err(Refusal::Operand(8)), "TDX_OPERAND_ADDR_RANGE_ERROR");
        assert_eq!(checked(0x8000_0200_0000_00A8), Err(Refusal::Busy(168)), "TDX_OPERAND_BUSY");
        assert_eq!(checked(0x8000_0204_0000_0001), Err(Refusal::Busy(1)), "TDX_OPERAND_BUSY_HOST_PRIORITY");
        assert_eq!(checked(0x0000_0B0A_0000_0001), Err(Refusal::AlreadyAccepted));
        assert_eq!(checked(0xC000_0B0B_0000_0001), Err(Refusal::SizeMismatch));
    }

    #[test]
    fn what_is_not_known_is_no_success() {
        let others =
            [1, 1 << 32, 1 << 63, 0x4000_0001_0000_0000, 0x0000_0B0B_0000_0000, 0x8000_0B0A_0000_0000];
        for rax in others.into_iter().chain([0xC000_0B00_0000_0001, 0xC001_0100_0000_0001, u64::MAX]) {
            assert_eq!(checked(rax), Err(Refusal::Unknown(rax)), "{rax:#x}");
        }
    }
}
