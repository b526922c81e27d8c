//! The cases and how each must end.

use vial_abi::ExitCode;

/// Exit code of a program whose checks all passed.
pub const PASSED: u8 = 100;
/// Exit code of a program that survived what should have ended it.
pub const SURVIVED: u8 = 101;
/// First exit code of a failed check; the check's number is added.
pub const FAILED: u8 = 102;
/// Report bytes that the test's TEE answers with.
pub const REPORT: &[u8] = b"report of the self-test's TEE";

/// In which program a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// In place of the boot program.
    Boot,
    /// In place of the engine.
    Engine,
}

macro_rules! cases {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $program:ident, $exit:expr, $trap:expr, $text:literal;)*) => {
        /// What is tested.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Case { $($(#[$doc])* $name,)* }

        impl Case {
            /// All cases.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// First byte of the manifest digest.
            #[must_use]
            pub const fn number(self) -> u8 { match self { $(Self::$name => $number,)* } }

            /// The case with that number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// Where it runs.
            #[must_use]
            pub const fn program(self) -> Program { match self { $(Self::$name => Program::$program,)* } }

            /// Exit code that means success.
            #[must_use]
            pub const fn expected(self) -> u8 { match self { $(Self::$name => $exit,)* } }

            /// What the console must contain.
            #[must_use]
            pub const fn console(self) -> &'static str { match self { $(Self::$name => $trap,)* } }

            /// What it shows.
            #[must_use]
            pub const fn text(self) -> &'static str { match self { $(Self::$name => $text,)* } }
        }
    };
}

const TRAP: u8 = ExitCode::Trap.value();
const WRITE: &str = "trap 14 (page fault) in ring 3, error 0x7";
const READ: &str = "trap 14 (page fault) in ring 3, error 0x5";
const FETCH: &str = "trap 14 (page fault) in ring 3, error 0x15";
const NO_PAGE: &str = "trap 14 (page fault) in ring 3, error 0x6";
const PROTECTION: &str = "trap 13 (general protection) in ring 3, error 0x0";
const OPCODE: &str = "trap 6 (invalid opcode) in ring 3, error 0x0";
const NO_TRAP: &str = "";

cases! {
    /// Each call of firmware, and what it refuses.
    BootCalls = 1, Boot, PASSED, NO_TRAP, "firmware serves its calls and checks their pointers";
    /// A report by way of firmware.
    BootReport = 2, Boot, PASSED, NO_TRAP, "firmware passes a report on";
    /// A store to the boot program's text.
    BootWriteText = 3, Boot, TRAP, WRITE, "firmware: text is not writable";
    /// A jump to the boot program's data.
    BootExecuteData = 4, Boot, TRAP, FETCH, "firmware: data is not executable";
    /// A load from ring 0.
    BootReadRom = 5, Boot, TRAP, READ, "firmware: ring 0 is not readable";
    /// A port access.
    BootPort = 6, Boot, TRAP, PROTECTION, "firmware: ports are not for ring 3";
    /// Each call of the kernel, and what it refuses.
    Calls = 32, Engine, PASSED, NO_TRAP, "the kernel serves its calls and checks their pointers";
    /// A wait with a deadline.
    Timer = 33, Engine, PASSED, NO_TRAP, "a wait ends at its deadline";
    /// A second cpu, woken and waking.
    SecondCpu = 34, Engine, PASSED, NO_TRAP, "a second cpu starts, waits, is woken and wakes";
    /// A report by way of the kernel.
    Report = 35, Engine, PASSED, NO_TRAP, "the kernel composes report data and passes the report on";
    /// Vector registers.
    Vectors = 36, Engine, PASSED, NO_TRAP, "vector registers are enabled on both cpus";
    /// A store to the engine's text.
    WriteText = 37, Engine, TRAP, WRITE, "text is not writable";
    /// A store to the engine's constants.
    WriteConstants = 38, Engine, TRAP, WRITE, "constants are not writable";
    /// A jump to the engine's data.
    ExecuteData = 39, Engine, TRAP, FETCH, "data is not executable";
    /// A load from the kernel.
    ReadKernel = 40, Engine, TRAP, READ, "the kernel is not readable";
    /// A store to the blobs.
    WriteBlobs = 41, Engine, TRAP, WRITE, "blobs are not writable";
    /// A store to the handoff page.
    WriteHandoff = 42, Engine, TRAP, WRITE, "the handoff page is not writable";
    /// A stack that outgrows its page.
    StackGuard = 43, Engine, TRAP, NO_PAGE, "a stack that outgrows its page ends the appliance";
    /// An invalid instruction.
    Undefined = 44, Engine, TRAP, OPCODE, "an undefined instruction ends the appliance";
    /// A privileged instruction.
    Privileged = 45, Engine, TRAP, PROTECTION, "a privileged instruction ends the appliance";
    /// An exit code.
    Exit = 46, Engine, 77, NO_TRAP, "an exit code reaches the host";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_again() {
        for &case in Case::ALL {
            assert_eq!(Case::from_number(case.number()), Some(case));
        }
    }
}
