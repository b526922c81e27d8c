//! The machine an appliance runs on, as flags: `run`, `measure` and `verify` must agree on it.

use clap::ValueEnum as _;
use core::fmt;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_abi::memory::{LARGE_PAGE, MAX_CPUS, MAX_MEMORY_BYTES, MIN_MEMORY_BYTES};
use vial_attest::MachineShape;

use crate::failure::Failure;
use crate::kv::KvArg;

/// What `--memory` and `--cpus` are where nothing is said.
const DEFAULT_MEMORY: u64 = 512 << 20;
const DEFAULT_CPUS: u32 = 2;

/// Flags of the machine.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Shape {
    /// Memory: bytes, or with K, M or G. Weights that do not fit are streamed from the disk (`vial plan` shows how much).
    #[arg(long, default_value = "512M", value_parser = size)]
    memory: u64,
    /// Cpus.
    #[arg(long, default_value_t = DEFAULT_CPUS)]
    cpus: u32,
    /// What firmware reads before the engine starts: the tree's nodes, or every leaf too.
    #[arg(long, default_value = "nodes", value_enum)]
    measure: MeasureArg,
    /// How the engine keeps keys and values; measured, as all flags of the machine.
    #[arg(long, default_value = "f16", value_enum)]
    pub(crate) kv: KvArg,
    /// What protects the appliance from its host; measured.
    #[arg(long, default_value = "simulated", value_enum)]
    pub(crate) tee: TeeArg,
    /// Which VMM: vial's own on KVM (the default), or QEMU's microvm, which is measured differently.
    #[arg(long, value_enum)]
    pub(crate) vmm: Option<VmmArg>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum MeasureArg {
    /// The tree's nodes.
    Nodes,
    /// Every leaf.
    Full,
}

/// What protects the appliance from its host.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TeeArg {
    /// Nothing: reports are signed by a root that everybody has.
    Simulated,
    /// Nothing, but the appliance runs as a guest of SEV-SNP whose host and processor vial plays.
    SimulatedSnp,
    /// Nothing, but the appliance runs as a trust domain (Intel TDX) whose module and host vial plays. Trust domains of a processor
    /// are not started yet.
    SimulatedTdx,
    /// AMD SEV-SNP.
    SevSnp,
}

/// Where processors with SEV-SNP have the bit that says a page is encrypted: all so far. Spec: AMD 24593 §15.34.1.
const C_BIT: u8 = 51;
/// Where the played ones have it, and the bit that says shared: below the end of the addresses that servers know.
const SIMULATED_BIT: u8 = 45;

impl From<TeeArg> for Tee {
    fn from(tee: TeeArg) -> Self {
        match tee {
            TeeArg::Simulated => Self::Simulated,
            TeeArg::SimulatedSnp => Self::SimulatedSnp { c_bit: SIMULATED_BIT },
            TeeArg::SimulatedTdx => Self::SimulatedTdx { shared_bit: SIMULATED_BIT },
            TeeArg::SevSnp => Self::SevSnp { c_bit: C_BIT },
        }
    }
}

/// Which VMM runs the appliance.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VmmArg {
    /// vial's own.
    Kvm,
    /// QEMU's microvm.
    Qemu,
}

impl Shape {
    /// The machine, if its numbers are in range.
    pub(crate) fn machine(&self, vmm: VmmArg) -> Result<MachineShape, Failure> {
        check(self.memory, self.cpus)?;
        if vmm == VmmArg::Qemu && self.tee != TeeArg::Simulated {
            let name = self.tee.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default();
            let text = format!("--tee: found {name} with QEMU, expected it with vial's own VMM only");
            return Err(Failure::new(text, "leave --vmm or --tee out"));
        }
        Ok(MachineShape {
            tee: self.tee.into(),
            cpus: self.cpus,
            memory_bytes: self.memory,
            machine: if vmm == VmmArg::Kvm { Machine::Vial } else { Machine::Qemu },
            measure: if self.measure == MeasureArg::Full { Measure::Full } else { Measure::Nodes },
            kv: self.kv.into(),
        })
    }
}

impl fmt::Display for Shape {
    /// The flags that are not the defaults, each behind a space: what another command must be given to agree.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.memory != DEFAULT_MEMORY {
            write!(out, " --memory {}M", self.memory >> 20)?;
        }
        if self.cpus != DEFAULT_CPUS {
            write!(out, " --cpus {}", self.cpus)?;
        }
        if self.measure == MeasureArg::Full {
            out.write_str(" --measure full")?;
        }
        if Kv::from(self.kv) != Kv::F16 {
            write!(out, " --kv {}", Kv::from(self.kv).name())?;
        }
        match self.tee {
            TeeArg::Simulated => {}
            TeeArg::SimulatedSnp => out.write_str(" --tee simulated-snp")?,
            TeeArg::SimulatedTdx => out.write_str(" --tee simulated-tdx")?,
            TeeArg::SevSnp => out.write_str(" --tee sev-snp")?,
        }
        if self.vmm == Some(VmmArg::Qemu) { out.write_str(" --vmm qemu") } else { Ok(()) }
    }
}

/// Refuses memory and cpus that no appliance has.
pub(crate) fn check(memory: u64, cpus: u32) -> Result<(), Failure> {
    if !(1..=MAX_CPUS).contains(&cpus) {
        let text = format!("--cpus: found {cpus}, expected 1 to {MAX_CPUS}");
        return Err(Failure::new(text, "2 is a good start"));
    }
    if !(MIN_MEMORY_BYTES..=MAX_MEMORY_BYTES).contains(&memory) || !memory.is_multiple_of(LARGE_PAGE) {
        let (least, most) = (MIN_MEMORY_BYTES >> 20, MAX_MEMORY_BYTES >> 20);
        let text = format!("--memory: found {memory} bytes, expected {least}M to {most}M in steps of 2M");
        return Err(Failure::new(text, "512M suits a model of 100 MB"));
    }
    Ok(())
}

/// Bytes of `512M` and the like.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((end, 'K' | 'k')) => (text.get(..end), 10),
        Some((end, 'M' | 'm')) => (text.get(..end), 20),
        Some((end, 'G' | 'g')) => (text.get(..end), 30),
        _ => (Some(text), 0),
    };
    let number =
        digits.unwrap_or_default().parse::<u64>().map_err(|_| "expected a number such as 512M".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "more than there can be".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    /// The machine of a command line.
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        shape: Shape,
    }

    #[test]
    fn a_shape_is_written_as_the_flags_that_make_it() {
        for flags in [
            "",
            " --memory 128M --cpus 1",
            " --measure full --kv q8_0",
            " --vmm qemu",
            " --tee simulated-snp",
            " --memory 4096M --tee simulated-tdx",
            " --cpus 4 --tee sev-snp",
        ] {
            let line = Line::try_parse_from(format!("vial{flags}").split(' ')).unwrap();
            assert_eq!(line.shape.to_string(), flags);
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("1g"), Ok(1 << 30));
        assert_eq!(size("4096"), Ok(4096));
        for text in ["", "M", "1T", "-1M", "99999999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
