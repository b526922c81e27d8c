//! Calls of ring 0, made with `int 0x80`: number in `rax`, arguments in `rdi`, `rsi`, `rdx`; result in `rax`
//! (negative: [`CallError`]). All other registers are kept.
//!
//! Some hosts raise #UD at the `int` instead of taking the gate; ring 0 then steps over the two bytes CD 80
//! and serves the same call.

/// Interrupt vector of the gate.
pub const VECTOR: u8 = 0x80;

macro_rules! numbered {
    ($(#[$outer:meta])* $type:ident: $repr:ty { $($(#[$doc:meta])* $name:ident = $value:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$doc])* $name,)* }

        impl $type {
            /// The number on the wire.
            #[must_use]
            pub const fn value(self) -> $repr { match self { $(Self::$name => $value,)* } }

            /// The member with that number.
            #[must_use]
            pub const fn from_value(value: $repr) -> Option<Self> {
                match value { $($value => Some(Self::$name),)* _ => None }
            }
        }
    };
}

numbered! {
    /// What ring 3 may ask. F: served by firmware, K: by the kernel.
    Call: u64 {
        /// F K. `(code)`: ends the appliance with that [`crate::ExitCode`]; does not return.
        Exit = 1,
        /// F K. `(text, len)`: one console line of UTF-8, at most [`CONSOLE_MAX`] bytes, no content.
        Console = 2,
        /// F K. `(mark)`: puts a [`crate::Mark`] on the timeline.
        Mark = 3,
        /// F. `(report_data, out)`: 64 bytes in; [`REPORT_OUT_BYTES`] out; returns the length used.
        /// The boot program is measured firmware and composes report data itself.
        BootReport = 4,
        /// F. `(kernel_entry, handoff)`: leaves firmware for the kernel; does not return.
        HandOver = 5,
        /// K. `(request, out)`: a [`crate::report::ReportRequest`] in, [`REPORT_OUT_BYTES`] out; returns the
        /// length used. The kernel composes report data; ring 3 never chooses it.
        Report = 6,
        /// K. `(deadline)`: sleeps until an interrupt or until the time stamp counter passes `deadline`
        /// (`u64::MAX`: no deadline).
        Wait = 7,
        /// K. `(cpu, entry, argument)`: starts a parked cpu at `entry` in ring 3, `argument` in `rdi`, on its
        /// own stack, as if called: `entry` is a function of the C ABI that does not return.
        StartCpu = 8,
        /// K. `(cpu)`: ends that cpu's [`Call::Wait`].
        WakeCpu = 9,
        /// F K. `(offset)`: reads the 32-bit register at that byte of the virtio slots. From the host: untrusted. With SEV-SNP
        /// and TDX alone, where no page of theirs is mapped.
        ReadDevice = 10,
        /// F K. `(offset, value)`: writes such a register.
        WriteDevice = 11,
        /// F. `(register, digest)`: extends that run-time register, 0 to 3, with 48 bytes. With TDX alone.
        ExtendRegister = 12,
    }
}

numbered! {
    /// Why a call was refused.
    CallError: i64 {
        /// No such call in this ring 0.
        UnknownCall = -1,
        /// A pointer or length lies outside the caller's memory.
        BadRange = -2,
        /// An argument is out of range.
        BadArgument = -3,
        /// The TEE refused or is absent.
        NoTee = -4,
        /// The host brought a quote over another report.
        ForeignQuote = -5,
    }
}

/// Longest console line in bytes.
pub const CONSOLE_MAX: usize = 256;
/// Bytes of the buffer for a report and its certificates: quotes of TDX bring theirs along.
pub const REPORT_OUT_BYTES: usize = 16 << 10;
