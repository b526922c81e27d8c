//! Loading a guest: start, one update a part, finish.
//!
//! Crate `sev` has these steps, too. Its structure for the last one lacks a byte, so that HOST_DATA would be another; its updates
//! begin again where the kernel has loaded half. So these are `kvm-bindings`' structures.

use kvm_bindings::{
    KVM_SEV_SNP_PAGE_TYPE_CPUID, KVM_SEV_SNP_PAGE_TYPE_NORMAL, KVM_SEV_SNP_PAGE_TYPE_SECRETS,
    KVM_SEV_SNP_PAGE_TYPE_ZERO, kvm_sev_snp_launch_finish, kvm_sev_snp_launch_start,
    kvm_sev_snp_launch_update,
};
use vial_abi::memory::PAGE;
use vial_launch::{Contents, LoadPlan, Part};

use crate::sev::command::{Channel, Command, Refusal};
use crate::sev::firmware::INVALID_PARAM;
use crate::sev::identity::Identity;
use crate::sev::pages::Pages;
use crate::sev::policy::Policy;
use crate::sev::{SevError, cpuid};

const START: Command = Command { number: 100, name: "SNP_LAUNCH_START" };
const UPDATE: Command = Command { number: 101, name: "SNP_LAUNCH_UPDATE" };
const FINISH: Command = Command { number: 102, name: "SNP_LAUNCH_FINISH" };

/// How often the kernel may ask to try again before it loads a page.
const TRIES_MAX: u32 = 1000;

/// What a guest is started with.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// Memory and registers. Measured.
    pub plan: &'a LoadPlan,
    /// What the host may do. Stands in reports.
    pub policy: Policy,
    /// The first 32 bytes of the manifest's digest. Stands in reports.
    pub host_data: [u8; 32],
    /// What the owner signed: the secure processor then starts nothing else. Key digests stand in reports.
    pub identity: Option<&'a Identity>,
}

/// Begins: from now on the guest has a key of its own.
pub(crate) fn start(channel: Channel<'_>, policy: Policy) -> Result<(), SevError> {
    let mut data = kvm_sev_snp_launch_start { policy: policy.bits(), ..kvm_sev_snp_launch_start::default() };
    channel.issue(START, &mut data).map_err(|refusal| refusal.at(0))
}

/// Loads a part and measures it. `cpuid`: the CPUID page.
pub(crate) fn load(channel: Channel<'_>, part: &Part, cpuid: &Pages) -> Result<(), SevError> {
    let gpa = part.gpa;
    let loaded = match &part.contents {
        Contents::Normal(bytes) => update(channel, gpa, KVM_SEV_SNP_PAGE_TYPE_NORMAL, &mut Pages::of(bytes)),
        Contents::Zero(bytes) => run(channel, &mut piece(gpa, KVM_SEV_SNP_PAGE_TYPE_ZERO, 0, *bytes)),
        // The kernel wants a source that nobody reads.
        Contents::Secrets => update(channel, gpa, KVM_SEV_SNP_PAGE_TYPE_SECRETS, &mut Pages::zero()),
        Contents::Cpuid => return load_cpuid(channel, gpa, cpuid),
    };
    loaded.map_err(|failure| failure.at(gpa))
}

/// Seals memory and registers and lets the guest run.
pub(crate) fn finish(channel: Channel<'_>, launch: &Launch<'_>) -> Result<(), SevError> {
    let mut data =
        kvm_sev_snp_launch_finish { host_data: launch.host_data, ..kvm_sev_snp_launch_finish::default() };
    let mut pages = launch.identity.map(Identity::pages);
    if let (Some((block, auth)), Some(identity)) = (&mut pages, launch.identity) {
        data.id_block_uaddr = block.address();
        data.id_auth_uaddr = auth.address();
        data.id_block_en = 1;
        data.auth_key_en = identity.has_author().into();
    }
    channel.issue(FINISH, &mut data).map_err(|refusal| refusal.at(0))
}

/// The secure processor writes what it would accept into a page that it refuses; that is tried once.
fn load_cpuid(channel: Channel<'_>, gpa: u64, first: &Pages) -> Result<(), SevError> {
    let mut pages = first.clone();
    match update(channel, gpa, KVM_SEV_SNP_PAGE_TYPE_CPUID, &mut pages) {
        Err(Failure::Refused(refusal)) if refusal.firmware == INVALID_PARAM => {}
        other => return other.map_err(|failure| failure.at(gpa)),
    }
    cpuid::check_correction(&first.first(), &pages.first())?;
    let again = update(channel, gpa, KVM_SEV_SNP_PAGE_TYPE_CPUID, &mut pages);
    again.map_err(|failure| failure.at(gpa))
}

/// Why pages are not loaded.
enum Failure {
    Refused(Refusal),
    /// The kernel says that it succeeded, or that it might, and loads nothing.
    Stalled,
}

impl Failure {
    fn at(self, gpa: u64) -> SevError {
        match self {
            Self::Refused(refusal) => refusal.at(gpa),
            Self::Stalled => SevError::Stalled { step: UPDATE.name, gpa },
        }
    }
}

fn update(channel: Channel<'_>, gpa: u64, kind: u32, pages: &mut Pages) -> Result<(), Failure> {
    run(channel, &mut piece(gpa, kind, pages.address(), pages.len()))
}

fn piece(gpa: u64, kind: u32, uaddr: u64, len: u64) -> kvm_sev_snp_launch_update {
    let type_ = u8::try_from(kind).unwrap_or_default();
    kvm_sev_snp_launch_update { gfn_start: gpa / PAGE, uaddr, len, type_, ..Default::default() }
}

/// Loads until nothing is left: the kernel may load a part of it, and says in the same structure what remains.
fn run(channel: Channel<'_>, data: &mut kvm_sev_snp_launch_update) -> Result<(), Failure> {
    let mut tries = 0;
    while data.len > 0 {
        let before = data.len;
        match channel.issue(UPDATE, data) {
            Ok(()) if data.len >= before => return Err(Failure::Stalled),
            Err(refusal) if !matches!(refusal.errno, libc::EAGAIN | libc::EINTR) => {
                return Err(Failure::Refused(refusal));
            }
            Ok(()) | Err(_) => {}
        }
        tries = if data.len < before { 0 } else { tries + 1 };
        if tries > TRIES_MAX {
            return Err(Failure::Stalled);
        }
        std::thread::yield_now();
    }
    Ok(())
}
