//! A policy against a TDX quote.

use vial_weights::tree::Hex;

use super::Policy;
use crate::check::Checks;
use crate::tdx::Tdx;

impl Policy {
    /// Compares all that a processor of Intel's says.
    pub(crate) fn check_tdx(&self, tdx: &Tdx, checks: &mut Checks) -> Option<()> {
        let guest = &tdx.guest;
        self.check("tdx.debug", guest.may_be_debugged(), checks)?;
        self.check("tdx.migration", guest.may_be_migrated(), checks)?;
        self.check("tdx.tcb_status", &tdx.tcb_status, checks)?;
        self.check("tdx.attributes", Hex(&guest.attributes), checks)?;
        self.check("tdx.xfam", Hex(&guest.xfam), checks)?;
        self.check("tdx.mrseam", Hex(&guest.mrseam), checks)?;
        self.check("tdx.mrconfigid", Hex(&guest.mrconfigid), checks)?;
        self.check("tdx.mrowner", Hex(&guest.mrowner), checks)?;
        self.check("tdx.mrownerconfig", Hex(&guest.mrownerconfig), checks)?;
        let names = ["tdx.rtmr0", "tdx.rtmr1", "tdx.rtmr2", "tdx.rtmr3"];
        names
            .into_iter()
            .zip(&guest.rtmr)
            .try_for_each(|(name, rtmr)| self.check(name, Hex(rtmr), checks))?;
        self.check("appliance.measurement", Hex(&guest.mrtd), checks)
    }
}
