//! Copying, filling and comparing bytes, in assembly: the compiler's own symbols in a freestanding program, and
//! opaque to it everywhere, so that a wipe is never left out and shared memory is never assumed to stand still.
#![expect(unsafe_code, reason = "string instructions on raw memory")]

use core::arch::global_asm;

// Lengths from here on are left to `rep movsb` / `rep stosb`, which are slow to start.
const LONG_COPY: usize = 1024;
const LONG_FILL: usize = 512;

global_asm!(
    ".section .text.vial_move_bytes, \"ax\"",
    ".global vial_move_bytes",
    "vial_move_bytes:",
    "mov rax, rdi",
    "cmp rdx, 16",
    "jb 4f",
    "cmp rdx, 32",
    "ja 2f",
    "movups xmm0, [rsi]",
    "movups xmm1, [rsi + rdx - 16]",
    "movups [rdi], xmm0",
    "movups [rdi + rdx - 16], xmm1",
    "ret",
    // More than 32: forward, unless the target starts inside the source. The last 32 bytes are read first.
    "2:",
    "mov rcx, rdi",
    "sub rcx, rsi",
    "cmp rcx, rdx",
    "jb 7f",
    "cmp rdx, {long}",
    "jae 6f",
    "movups xmm4, [rsi + rdx - 32]",
    "movups xmm5, [rsi + rdx - 16]",
    "lea r8, [rdi + rdx - 32]",
    "3:",
    "movups xmm0, [rsi]",
    "movups xmm1, [rsi + 16]",
    "movups [rdi], xmm0",
    "movups [rdi + 16], xmm1",
    "add rsi, 32",
    "add rdi, 32",
    "cmp rdi, r8",
    "jb 3b",
    "movups [r8], xmm4",
    "movups [r8 + 16], xmm5",
    "ret",
    // Less than 16: two overlapping halves, both read before either is written.
    "4:",
    "cmp rdx, 8",
    "jb 5f",
    "mov rcx, [rsi]",
    "mov r8, [rsi + rdx - 8]",
    "mov [rdi], rcx",
    "mov [rdi + rdx - 8], r8",
    "ret",
    "5:",
    "cmp rdx, 4",
    "jb 8f",
    "mov ecx, [rsi]",
    "mov r8d, [rsi + rdx - 4]",
    "mov [rdi], ecx",
    "mov [rdi + rdx - 4], r8d",
    "ret",
    "8:",
    "test rdx, rdx",
    "je 9f",
    "movzx ecx, byte ptr [rsi]",
    "movzx r8d, byte ptr [rsi + rdx - 1]",
    "shr rdx, 1",
    "movzx r9d, byte ptr [rsi + rdx]",
    "mov [rdi + rdx], r9b",
    "adc rdx, rdx",
    "mov [rdi], cl",
    "mov [rdi + rdx - 1], r8b",
    "9:",
    "ret",
    "6:",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    // Backward. The first 32 bytes are read first.
    "7:",
    "movups xmm4, [rsi]",
    "movups xmm5, [rsi + 16]",
    "lea r8, [rdi + 32]",
    "lea r9, [rdi + rdx]",
    "add rsi, rdx",
    "10:",
    "movups xmm0, [rsi - 32]",
    "movups xmm1, [rsi - 16]",
    "movups [r9 - 32], xmm0",
    "movups [r9 - 16], xmm1",
    "sub rsi, 32",
    "sub r9, 32",
    "cmp r9, r8",
    "ja 10b",
    "movups [rdi], xmm4",
    "movups [rdi + 16], xmm5",
    "ret",
    long = const LONG_COPY,
);

global_asm!(
    ".section .text.vial_fill_bytes, \"ax\"",
    ".global vial_fill_bytes",
    "vial_fill_bytes:",
    "mov r8, rdi",
    "movzx eax, sil",
    "movabs rcx, 0x0101010101010101",
    "imul rax, rcx",
    "cmp rdx, 16",
    "jb 3f",
    "cmp rdx, {long}",
    "jae 6f",
    "movq xmm0, rax",
    "punpcklqdq xmm0, xmm0",
    "lea r9, [rdi + rdx - 16]",
    "2:",
    "movups [rdi], xmm0",
    "add rdi, 16",
    "cmp rdi, r9",
    "jb 2b",
    "movups [r9], xmm0",
    "mov rax, r8",
    "ret",
    "3:",
    "cmp rdx, 8",
    "jb 4f",
    "mov [rdi], rax",
    "mov [rdi + rdx - 8], rax",
    "mov rax, r8",
    "ret",
    "4:",
    "test rdx, rdx",
    "je 5f",
    "mov [rdi], al",
    "inc rdi",
    "dec rdx",
    "jmp 4b",
    "5:",
    "mov rax, r8",
    "ret",
    "6:",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    long = const LONG_FILL,
);

global_asm!(
    ".section .text.vial_compare_bytes, \"ax\"",
    ".global vial_compare_bytes",
    "vial_compare_bytes:",
    "2:",
    "cmp rdx, 16",
    "jb 4f",
    "movups xmm0, [rdi]",
    "movups xmm1, [rsi]",
    "pcmpeqb xmm0, xmm1",
    "pmovmskb eax, xmm0",
    "xor eax, 0xFFFF",
    "jne 3f",
    "add rdi, 16",
    "add rsi, 16",
    "sub rdx, 16",
    "jmp 2b",
    "3:",
    "bsf ecx, eax",
    "movzx eax, byte ptr [rdi + rcx]",
    "movzx edx, byte ptr [rsi + rcx]",
    "sub eax, edx",
    "ret",
    "4:",
    "xor eax, eax",
    "5:",
    "test rdx, rdx",
    "je 6f",
    "movzx eax, byte ptr [rdi]",
    "movzx ecx, byte ptr [rsi]",
    "inc rdi",
    "inc rsi",
    "dec rdx",
    "sub eax, ecx",
    "je 5b",
    "6:",
    "ret",
);

#[cfg(feature = "freestanding")]
global_asm!(
    ".global memcpy",
    ".global memmove",
    ".global memset",
    ".global memcmp",
    ".global bcmp",
    ".set memcpy, vial_move_bytes",
    ".set memmove, vial_move_bytes",
    ".set memset, vial_fill_bytes",
    ".set memcmp, vial_compare_bytes",
    ".set bcmp, vial_compare_bytes",
);

unsafe extern "C" {
    fn vial_move_bytes(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
    fn vial_fill_bytes(to: *mut u8, value: i32, len: usize) -> *mut u8;
    #[cfg(test)]
    fn vial_compare_bytes(left: *const u8, right: *const u8, len: usize) -> i32;
}

/// Copies `len` bytes; the runs may overlap. No reference is made, so another party may write them meanwhile.
///
/// # Safety
/// `from` is readable and `to` writable for `len` bytes, and nothing private is borrowed at `to`.
pub(crate) unsafe fn move_bytes(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's duty; the symbol above has this signature.
    unsafe { vial_move_bytes(to, from, len) };
}

/// Writes zeros; the compiler cannot leave it out.
///
/// # Safety
/// `at` is writable for `len` bytes and nothing is borrowed there.
pub(crate) unsafe fn wipe(at: *mut u8, len: usize) {
    // SAFETY: the caller's duty; the symbol above has this signature.
    unsafe { vial_fill_bytes(at, 0, len) };
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use alloc::vec::Vec;

    /// Around every change of path.
    const LENGTHS: [usize; 24] =
        [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 511, 512, 1023, 1024, 2049];

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap()).collect()
    }

    #[test]
    fn moves_agree_with_the_standard_library_at_every_overlap() {
        for len in LENGTHS {
            for (from, to) in [(0, 2100), (0, 1), (1, 0), (0, 31), (31, 0), (0, 600), (600, 0), (5, 5)] {
                let mut expected = pattern(4200);
                let mut found = expected.clone();
                expected.copy_within(from..from + len, to);
                let (source, target) =
                    (found.as_ptr().wrapping_add(from), found.as_mut_ptr().wrapping_add(to));
                // SAFETY: both runs lie inside `found`.
                unsafe { move_bytes(target, source, len) };
                assert!(found == expected, "{len} bytes from {from} to {to}");
            }
        }
    }

    #[test]
    fn fills_cover_exactly_their_bytes() {
        for len in LENGTHS {
            let mut bytes = pattern(2200);
            let mut expected = bytes.clone();
            expected[3..3 + len].fill(0xA5);
            // SAFETY: inside `bytes`.
            unsafe { vial_fill_bytes(bytes.as_mut_ptr().wrapping_add(3), 0xA5, len) };
            assert!(bytes == expected, "{len} bytes");
        }
    }

    #[test]
    fn comparing_finds_the_first_difference() {
        for len in LENGTHS {
            let left = pattern(len);
            assert_eq!(compared(&left, &left), 0, "{len} bytes");
            for at in [0, len / 2, len.wrapping_sub(1)].into_iter().filter(|&at| at < len) {
                let mut right = left.clone();
                right[at] ^= 0x80;
                let expected = left.cmp(&right);
                assert_eq!(compared(&left, &right).cmp(&0), expected, "{len} bytes, differing at {at}");
            }
        }
    }

    fn compared(left: &[u8], right: &[u8]) -> i32 {
        // SAFETY: both have `left.len()` bytes.
        unsafe { vial_compare_bytes(left.as_ptr(), right.as_ptr(), left.len()) }
    }
}
