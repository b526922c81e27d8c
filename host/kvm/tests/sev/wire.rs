//! Requests and structures by the Linux headers: include/uapi/linux/kvm.h, arch/x86/include/uapi/asm/kvm.h.

const NONE: u32 = 0;
const WRITE: u32 = 1;
const READ: u32 = 2;

/// A request as asm-generic/ioctl.h makes it; KVM's letter is 0xAE.
const fn request(direction: u32, number: u32, bytes: u32) -> u32 {
    direction << 30 | bytes << 16 | 0xAE << 8 | number
}

pub(crate) const CREATE_VM: u32 = request(NONE, 0x01, 0);
pub(crate) const CHECK_EXTENSION: u32 = request(NONE, 0x03, 0);
pub(crate) const GET_VCPU_MMAP_SIZE: u32 = request(NONE, 0x04, 0);
pub(crate) const GET_SUPPORTED_CPUID: u32 = request(READ | WRITE, 0x05, 8);
pub(crate) const CREATE_VCPU: u32 = request(NONE, 0x41, 0);
pub(crate) const SET_USER_MEMORY_REGION2: u32 = request(WRITE, 0x49, 160);
pub(crate) const CREATE_IRQCHIP: u32 = request(NONE, 0x60, 0);
pub(crate) const SET_GSI_ROUTING: u32 = request(WRITE, 0x6A, 8);
pub(crate) const RUN: u32 = request(NONE, 0x80, 0);
pub(crate) const GET_REGS: u32 = request(READ, 0x81, 144);
pub(crate) const SET_REGS: u32 = request(WRITE, 0x82, 144);
pub(crate) const GET_SREGS: u32 = request(READ, 0x83, 312);
pub(crate) const SET_SREGS: u32 = request(WRITE, 0x84, 312);
pub(crate) const SET_CPUID2: u32 = request(WRITE, 0x90, 8);
pub(crate) const ENABLE_CAP: u32 = request(WRITE, 0xA3, 104);
pub(crate) const MEMORY_ENCRYPT_OP: u32 = request(READ | WRITE, 0xBA, 8);
pub(crate) const SET_MEMORY_ATTRIBUTES: u32 = request(WRITE, 0xD2, 32);
pub(crate) const CREATE_GUEST_MEMFD: u32 = request(READ | WRITE, 0xD4, 64);

/// Numbers of capabilities.
pub(crate) const EXIT_HYPERCALL: u64 = 201;
pub(crate) const USER_MEMORY2: u64 = 231;
pub(crate) const MEMORY_ATTRIBUTES: u64 = 233;
pub(crate) const GUEST_MEMFD: u64 = 234;
pub(crate) const VM_TYPES: u64 = 235;

/// Bytes of `struct kvm_sev_cmd`: id at 0, data at 8, error at 16, device at 20.
pub(crate) const SEV_CMD_BYTES: usize = 24;

/// Bytes of the structure that goes with a command of SEV.
pub(crate) fn sev_bytes(command: u32) -> usize {
    match command {
        22 => 48,
        100 | 101 => 64,
        102 => 88,
        other => panic!("found command {other}"),
    }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn requests_are_those_of_the_headers() {
    // As strace shows them.
    assert_eq!((CREATE_VM, CHECK_EXTENSION, RUN), (0xAE01, 0xAE03, 0xAE80));
    assert_eq!((MEMORY_ENCRYPT_OP, SET_USER_MEMORY_REGION2), (0xC008_AEBA, 0x40A0_AE49));
    assert_eq!((SET_MEMORY_ATTRIBUTES, CREATE_GUEST_MEMFD), (0x4020_AED2, 0xC040_AED4));
    assert_eq!((GET_SREGS, SET_SREGS, SET_REGS), (0x8138_AE83, 0x4138_AE84, 0x4090_AE82));
}
