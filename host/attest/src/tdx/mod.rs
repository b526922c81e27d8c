//! Intel TDX: quotes, verified by the `dcap-qvl` crate with collateral that the caller brings.
//!
//! Spec: Intel TDX DCAP Quote Generation Library and Quote Verification Library, rev 0.9, appendix A.3 (v4, v5).

mod collateral;
mod quote;

pub use collateral::{Collateral, CollateralError};
pub(crate) use quote::authentic;
pub use quote::{Guest, Tdx, without_padding};
