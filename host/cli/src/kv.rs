//! `--kv`: how keys and values of attention are kept, in the appliance and in this process.

use vial_abi::launch_page::Kv;
use vial_model::kv::KvKind;

/// How keys and values are kept, by llama.cpp's names.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KvArg {
    /// Half floats.
    #[value(name = "f16")]
    F16,
    /// 8-bit integers with a scale for each 32: nearly twice the tokens in the same memory, and slightly other answers.
    #[value(name = "q8_0")]
    Q8_0,
}

impl From<KvArg> for Kv {
    fn from(arg: KvArg) -> Self {
        match arg {
            KvArg::F16 => Self::F16,
            KvArg::Q8_0 => Self::Q8_0,
        }
    }
}

impl From<KvArg> for KvKind {
    fn from(arg: KvArg) -> Self {
        match arg {
            KvArg::F16 => Self::F16,
            KvArg::Q8_0 => Self::Q8_0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn a_kind_has_one_name_in_flags_launch_page_and_cache() {
        for arg in KvArg::value_variants() {
            let flag = arg.to_possible_value().unwrap();
            assert_eq!(flag.get_name(), Kv::from(*arg).name());
            assert_eq!(flag.get_name(), KvKind::from(*arg).name());
        }
    }
}
