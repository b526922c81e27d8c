//! I/O ports of the two machine types. Only ring 0 touches them.

/// First serial port: kernel lines (16550).
pub const SERIAL: u16 = 0x3F8;
/// Second serial port: carries the simulated TEE's messages under QEMU (16550).
pub const SERIAL_TEE: u16 = 0x2F8;
/// A byte written here ends the machine with that [`crate::ExitCode`]; QEMU's `isa-debug-exit`, 4 bytes wide.
pub const EXIT: u16 = 0xF4;
/// A byte written here puts a [`crate::Mark`] on the VMM's timeline; ignored by QEMU.
pub const MARK: u16 = 0xF8;
/// Simulated TEE of our VMM: a 32-bit write of a page's physical address / 4096 asks for a report. The page
/// holds 64 bytes of report data before, [`crate::report::ReportResponse`] after.
pub const TEE: u16 = 0x600;
/// Simulated SEV-SNP: the low half of the GHCB register; see [`SNP_REGISTER_HIGH`].
pub const SNP_REGISTER: u16 = 0x610;
/// Simulated SEV-SNP: its high half. Writing this half sets the register, reading the low one takes its value.
pub const SNP_REGISTER_HIGH: u16 = 0x614;
/// Simulated SEV-SNP: a write stands for VMGEXIT.
pub const SNP_EXIT: u16 = 0x618;
/// Simulated SEV-SNP: a 32-bit write stands for PVALIDATE: page number times 4, plus 2 for a large page, plus 1 to validate.
/// A read gives its return code, plus 256 if nothing changed.
pub const SNP_PVALIDATE: u16 = 0x61C;
/// Simulated TDX: a byte written here stands for TDCALL, which takes and leaves its operands in registers: our VMM reads and
/// writes those of the cpu. Below 256, so that the instruction itself takes up AL alone, the low byte of the leaf's number.
pub const TDX_CALL: u16 = 0xF0;
