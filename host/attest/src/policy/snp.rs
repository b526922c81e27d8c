//! A policy against an SEV-SNP report.

use vial_weights::tree::Hex;

use super::Policy;
use crate::check::Checks;
use crate::snp::report::policy_bit;
use crate::snp::{Product, Report, Revocation, Snp, Tcb};

impl Policy {
    /// Compares all that a processor of AMD's says.
    pub(crate) fn check_snp(&self, snp: &Snp, checks: &mut Checks) -> Option<()> {
        self.check_guest(&snp.report, checks)?;
        self.check("snp.signer", snp.endorsement.signer.name(), checks)?;
        let revocation =
            if snp.revocation == Revocation::Checked { "checked" } else { "no current list given" };
        self.check("snp.revocation", revocation, checks)?;
        self.check_tcb(snp, checks)
    }

    /// Compares what the guest was launched with; also simulated reports say it.
    pub(crate) fn check_guest(&self, report: &Report, checks: &mut Checks) -> Option<()> {
        let has = |bit: u64| report.policy & bit != 0;
        self.check("snp.debug", has(policy_bit::DEBUG), checks)?;
        self.check("snp.vmpl", report.vmpl, checks)?;
        self.check("snp.smt", has(policy_bit::SMT), checks)?;
        self.check("snp.migration", has(policy_bit::MIGRATION), checks)?;
        self.check("snp.single_socket", has(policy_bit::SINGLE_SOCKET), checks)?;
        self.check("snp.id_key", Hex(&report.id_key_digest), checks)?;
        self.check("snp.author_key", Hex(&report.author_key_digest), checks)?;
        self.check("snp.host_data", Hex(&report.host_data), checks)?;
        self.check("appliance.measurement", Hex(&report.measurement), checks)
    }

    /// Versions are the certificate's, since the platform had to have them to get its key, or those that ran when the guest was
    /// launched, where they are lower: what was broken then may have been broken into.
    fn check_tcb(&self, snp: &Snp, checks: &mut Checks) -> Option<()> {
        let names = names(snp.endorsement.product);
        let versions = versions(&snp.endorsement.tcb.least(snp.launch_tcb));
        let wanted = names.into_iter().zip(versions).filter_map(|(name, version)| name.zip(version));
        wanted.into_iter().try_for_each(|(name, version)| self.check(name, version, checks))
    }
}

fn versions(tcb: &Tcb) -> [Option<u8>; 5] {
    [tcb.fmc, Some(tcb.bootloader), Some(tcb.tee), Some(tcb.snp), Some(tcb.microcode)]
}

/// Fields of the versions, in the order of [`versions`].
fn names(product: Product) -> [Option<&'static str>; 5] {
    match product {
        Product::Milan => [
            None,
            Some("snp.tcb.milan.bootloader"),
            Some("snp.tcb.milan.tee"),
            Some("snp.tcb.milan.snp"),
            Some("snp.tcb.milan.microcode"),
        ],
        Product::Genoa => [
            None,
            Some("snp.tcb.genoa.bootloader"),
            Some("snp.tcb.genoa.tee"),
            Some("snp.tcb.genoa.snp"),
            Some("snp.tcb.genoa.microcode"),
        ],
        Product::Turin => [
            Some("snp.tcb.turin.fmc"),
            Some("snp.tcb.turin.bootloader"),
            Some("snp.tcb.turin.tee"),
            Some("snp.tcb.turin.snp"),
            Some("snp.tcb.turin.microcode"),
        ],
    }
}
