//! Intel's collateral: what is known of platforms, and revocation lists. All of it is signed by Intel.

use alloc::string::{String, ToString as _};
use dcap_qvl::QuoteCollateralV3;

/// Collateral for one platform, as a PCCS gives it. Its signatures are checked with the quote, not before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collateral(pub(crate) QuoteCollateralV3);

/// Collateral that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollateralError(String);

impl core::fmt::Display for CollateralError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TDX collateral: {}", self.0)
    }
}

impl core::error::Error for CollateralError {}

impl Collateral {
    /// Reads the JSON of `dcap-qvl` and its tools.
    ///
    /// # Errors
    /// Not JSON of that form.
    pub fn parse(json: &[u8]) -> Result<Self, CollateralError> {
        serde_json::from_slice(json).map(Self).map_err(|error| CollateralError(error.to_string()))
    }
}
