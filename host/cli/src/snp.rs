//! Flags of a guest of SEV-SNP.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use vial_launch::LoadPlan;
use vial_vmm::{FileDisk, IdBlock, Identity, OwnerKey, Policy, SnpConfig};
use vial_weights::sha384;
use vial_weights::tree::Hex;

use crate::failure::Failure;
use crate::terminal::say;
use crate::verify::files;

/// The family of an appliance's ID block.
const FAMILY: [u8; 16] = *b"vial appliance\0\0";

/// How the secure processor starts it; with `--tee sev-snp` alone.
#[derive(clap::Args)]
pub(crate) struct SnpArgs {
    /// SEV-SNP: start on a host whose cores run two threads each, which a guest's reports then say.
    #[arg(long)]
    smt: bool,
    /// SEV-SNP: sign an ID block with the owner's key (P-384, PEM): reports then name it, and the processor starts nothing else
    /// under it.
    #[arg(long, value_name = "FILE")]
    id_key: Option<PathBuf>,
}

impl SnpArgs {
    /// The machine with these flags.
    pub(crate) fn config(
        &self,
        plan: LoadPlan,
        memory_bytes: u64,
        host_data: [u8; 32],
        disk: Arc<FileDisk>,
        listener: TcpListener,
    ) -> Result<SnpConfig, Failure> {
        let policy = if self.smt { Policy::STRICT.with_smt() } else { Policy::STRICT };
        let identity = self.identity(&plan, &host_data, policy)?;
        Ok(SnpConfig { plan, memory_bytes, disk, listener, policy, host_data, identity })
    }

    /// The image's name in the block is the beginning of its manifest's digest, as in HOST_DATA.
    fn identity(
        &self,
        plan: &LoadPlan,
        host_data: &[u8; 32],
        policy: Policy,
    ) -> Result<Option<Identity>, Failure> {
        let Some(path) = &self.id_key else { return Ok(None) };
        let hint = "make one: openssl ecparam -name secp384r1 -genkey -noout -out KEY";
        let key = OwnerKey::parse(&files::read(path, hint)?);
        let key = key.map_err(|error| Failure::new(format!("--id-key {}: {error}", path.display()), hint))?;
        say(&format!("ID key {}  (snp.id_key of a policy)", Hex(&sha384(&key.public()))));
        let (image_id, _) = host_data.split_first_chunk().unwrap_or((&[0; 16], &[]));
        let block = IdBlock { digest: plan.digest(), family_id: FAMILY, image_id: *image_id, svn: 0, policy };
        Ok(Some(Identity::sign(&block, &key, None)))
    }
}
