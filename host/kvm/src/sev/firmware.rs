//! What the secure processor's error codes mean.

/// An argument, or a row of the CPUID page, is not acceptable.
pub(crate) const INVALID_PARAM: u32 = 0x16;

/// The name of an error code, for people. Spec: AMD 56860 rev 1.58 §5.2 (status codes); Linux, include/uapi/linux/psp-sev.h.
pub(crate) fn meaning(code: u32) -> &'static str {
    match code {
        0 => "no answer of the secure processor",
        0x01 => "wrong state of the platform",
        0x02 => "wrong state of the guest",
        0x03 => "wrong configuration of the platform",
        0x04 => "wrong length",
        0x07 => "the host does not fulfil the guest's policy",
        0x08 => "guest not active",
        0x09 => "wrong address",
        0x0A => "bad signature",
        0x0B => "bad measurement",
        0x0D => "wrong address space number",
        0x0F => "data fabric flush required",
        0x10 => "wrong guest",
        0x11 => "wrong command",
        0x13 | 0x14 => "hardware failure",
        0x15 => "unsupported feature",
        INVALID_PARAM => "wrong parameter",
        0x17 => "resources used up",
        0x19 => "wrong page size",
        0x1A => "wrong state of a page",
        0x1C => "page of another owner",
        _ => "see AMD 56860",
    }
}
