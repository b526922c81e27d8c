//! Why an appliance ended. The same number is the exit code of `vial run`.

macro_rules! exit_codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        /// Why an appliance ended; at most 127, because QEMU's debug exit doubles the value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum ExitCode { $($(#[$doc])* $name = $value,)* }

        impl ExitCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number that goes over the exit port.
            #[must_use]
            pub const fn value(self) -> u8 { match self { $(Self::$name => $value,)* } }

            /// The code with that number, if there is one.
            #[must_use]
            pub const fn from_value(value: u8) -> Option<Self> {
                match value { $($value => Some(Self::$name),)* _ => None }
            }

            /// What happened, in a few words without a full stop.
            #[must_use]
            pub const fn text(self) -> &'static str { match self { $(Self::$name => $text,)* } }
        }
    };
}

exit_codes! {
    /// The appliance was asked to stop.
    Stopped = 0, "stopped";
    /// No block device answered.
    NoDisk = 32, "firmware found no disk";
    /// No sealed partition in the GPT.
    NoSealedPartition = 33, "firmware found no sealed partition";
    /// Sealed header malformed.
    SealedHeader = 34, "firmware refused the sealed header";
    /// Sealed by a newer vial.
    NewerFormat = 35, "the image is of a newer format version";
    /// Manifest digest differs from the launch page.
    ManifestDigest = 36, "the manifest is not the one in the launch page";
    /// Manifest bytes do not parse.
    ManifestForm = 37, "firmware refused the manifest's form";
    /// Kernel digest differs.
    KernelDigest = 38, "the kernel is not the one in the manifest";
    /// Engine digest differs.
    EngineDigest = 39, "the engine is not the one in the manifest";
    /// Bundle digest differs.
    BundleDigest = 40, "the agent bundle is not the one in the manifest";
    /// Tree does not give the weights root.
    WeightsRoot = 41, "the tree does not give the manifest's weights root";
    /// A leaf of weights differs from the tree (`--measure full`).
    WeightsLeaf = 42, "a leaf of weights differs from the tree";
    /// The disk ends before what the header names.
    ImageShort = 43, "the image is cut short";
    /// Launch page malformed.
    LaunchPage = 44, "firmware refused the launch page";
    /// No report from the TEE.
    NoReport = 45, "the TEE gave no report";
    /// Firmware out of memory.
    FirmwareMemory = 46, "not enough memory for firmware";
    /// A read failed.
    DiskRead = 47, "the disk failed a read";
    /// Kernel or engine ELF does not fit its place.
    ElfForm = 48, "kernel or engine does not load at its place";
    /// A bug in firmware.
    FirmwarePanic = 49, "firmware panicked";
    /// The draft model's tree does not give its weights root.
    DraftRoot = 50, "the draft model's tree does not give its weights root in the manifest";
    /// A leaf of the draft model differs from its tree (`--measure full`).
    DraftLeaf = 51, "a leaf of the draft model differs from its tree";
    /// The host does not serve a guest of SEV-SNP as it must.
    SnpHost = 52, "the host does not serve a guest of SEV-SNP as it must";
    /// Memory could not be validated, or was before.
    SnpMemory = 53, "memory is not the guest's own";
    /// CPUID or secrets page malformed.
    SnpPage = 54, "firmware refused a page of the secure processor";
    /// The host of a trust domain refused what every domain needs.
    TdxHost = 55, "the host does not serve a trust domain as it must";
    /// Memory could not be accepted, or was before.
    TdxMemory = 56, "memory is not the trust domain's own";
    /// Shared bit other than measured, or a register that is not extended.
    TdxModule = 57, "the TDX module is not as the launch page says, or refuses a measurement";
    /// A quote over another report.
    ForeignQuote = 58, "the host brought a quote over another report";
    /// A trap in ring 0 or an unexpected one in ring 3.
    Trap = 64, "a processor trap";
    /// A bug in the kernel.
    KernelPanic = 65, "the kernel panicked";
    /// The handoff page is malformed.
    HandoffForm = 66, "the kernel refused the handoff";
    /// A cpu did not start.
    CpuStart = 67, "a processor did not start";
    /// A bug in the engine.
    EnginePanic = 80, "the engine panicked";
    /// Model file malformed.
    ModelForm = 81, "the engine refused the model file";
    /// Architecture or quantisation unknown.
    ModelUnsupported = 82, "the engine does not support this model";
    /// Model and KV cache do not fit.
    ModelMemory = 83, "not enough memory for the model";
    /// Agent bundle malformed.
    BundleForm = 84, "the engine refused the agent bundle";
    /// No network device.
    NoNetwork = 85, "the engine found no network device";
    /// The allocator ran out.
    EngineMemory = 86, "the engine ran out of memory";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_port_and_fits_qemu() {
        for &code in ExitCode::ALL {
            assert_eq!(ExitCode::from_value(code.value()), Some(code));
            assert!(code.value() < 128, "{code:?}");
        }
    }
}
