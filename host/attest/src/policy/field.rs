//! Every field of a policy, in one table: its name, what it may hold, what it is for, and what the profiles say.

use super::Profile;
use crate::assurance::Assurance;
use crate::authentic::TEES;

/// What a field's values look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// Bytes as lower-case hex, of this length.
    Hex(usize),
    /// Bytes as lower-case hex, of this length, or `none`.
    HexOrNone(usize),
    /// A whole number.
    Number,
    /// The least number that will do.
    Floor,
    /// One of these.
    Word(&'static [&'static str]),
    /// The weakest of these that will do; they rise.
    Level(&'static [&'static str]),
}

impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flag => f.write_str("true or false"),
            Self::Hex(bytes) => write!(f, "{bytes} bytes as lower-case hex"),
            Self::HexOrNone(bytes) => write!(f, "{bytes} bytes as lower-case hex, or \"none\""),
            Self::Number | Self::Floor => f.write_str("a whole number"),
            Self::Word(words) | Self::Level(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name: table and key of the policy file.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it is for.
    pub says: &'static str,
    /// Values by profile, in the order of [`Profile::ALL`]; none must be stated.
    defaults: [Option<&'static str>; 4],
}

impl Field {
    /// What a profile says.
    #[must_use]
    pub fn default_of(&self, profile: Profile) -> Option<&'static str> {
        let known = Profile::ALL.into_iter().zip(self.defaults);
        known.into_iter().find(|(one, _)| *one == profile).and_then(|(_, value)| value)
    }

    /// The field of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }
}

/// Results of comparing a TDX platform with Intel's collateral, from the worst.
pub(crate) const TCB_STATUSES: &[&str] = &[
    "Revoked",
    "OutOfDateConfigurationNeeded",
    "OutOfDate",
    "ConfigurationAndSWHardeningNeeded",
    "ConfigurationNeeded",
    "SWHardeningNeeded",
    "UpToDate",
];

const ANY: Option<&str> = Some(super::ANY);
const NO: Option<&str> = Some("false");
/// Must be stated under every profile.
const STATED: [Option<&str>; 4] = [None; 4];
/// Whatever there is, under every profile.
const OPEN: [Option<&str>; 4] = [ANY; 4];
/// Never, unless for development.
const NEVER: [Option<&str>; 4] = [NO, NO, NO, ANY];
/// A floor that only the owner of a machine may leave open.
const FLOOR: [Option<&str>; 4] = [None, ANY, None, ANY];

const fn field(
    name: &'static str,
    kind: Kind,
    says: &'static str,
    defaults: [Option<&'static str>; 4],
) -> Field {
    Field { name, kind, says, defaults }
}

/// The table. What `STATED` fields hold comes from the image, or from a file.
pub const FIELDS: &[Field] = &[
    field(
        "tee",
        Kind::Word(&TEES),
        "which TEEs the policy is for: fields of others are not compared, so that evidence of another kind must not pass by it",
        [None, None, None, ANY],
    ),
    field(
        "assurance",
        Kind::Level(&Assurance::NAMES),
        "what the evidence must rest on at least: hardware; hardware through a paravisor, which then sees everything; the \
         cloud's word; a measured start without memory encryption; or nothing (simulated)",
        [Some("hardware"), Some("hardware"), Some("cloud-vouched"), Some("simulated")],
    ),
    field(
        "freshness",
        Kind::Word(&["nonce"]),
        "whether the evidence must answer the nonce that the verifier made for it; without one it may be an old one",
        [Some("nonce"), Some("nonce"), Some("nonce"), ANY],
    ),
    field(
        "appliance.measurement",
        Kind::Hex(48),
        "what the TEE measured before the first instruction: MEASUREMENT of SEV-SNP, MRTD of TDX",
        STATED,
    ),
    field(
        "appliance.launch_page",
        Kind::Hex(48),
        "SHA-384 of the page that fixes manifest, cpus and memory",
        OPEN,
    ),
    field("appliance.manifest_digest", Kind::Hex(48), "SHA-384 of the manifest of the sealed image", STATED),
    field(
        "appliance.weights_root",
        Kind::Hex(32),
        "BLAKE3 of the model as it is sealed; b3sum prints it where it is not encrypted",
        STATED,
    ),
    field(
        "appliance.plaintext_root",
        Kind::HexOrNone(32),
        "BLAKE3 of the model before it was encrypted, by the word of whoever had its key; none if it is not encrypted",
        OPEN,
    ),
    field(
        "appliance.draft_root",
        Kind::HexOrNone(32),
        "BLAKE3 of the draft model, which sees the prompt too; none if there must be no such model",
        STATED,
    ),
    field(
        "appliance.publisher_key",
        Kind::HexOrNone(32),
        "Ed25519 key that the manifest names as its publisher's",
        [None, ANY, ANY, ANY],
    ),
    field("appliance.firmware", Kind::Hex(48), "SHA-384 of the firmware", OPEN),
    field("appliance.kernel", Kind::Hex(48), "SHA-384 of the kernel", OPEN),
    field("appliance.engine", Kind::Hex(48), "SHA-384 of the engine, the code that sees the prompt", STATED),
    field(
        "appliance.bundle",
        Kind::Hex(48),
        "SHA-384 of the agent bundle: prompt, tools, permissions",
        STATED,
    ),
    field(
        "appliance.weights_measured",
        Kind::Level(&["nodes", "full"]),
        "what firmware read of the weights before anything ran: their tree, or every byte",
        OPEN,
    ),
    field("snp.debug", Kind::Flag, "whether the host may read and change the guest's memory", NEVER),
    field(
        "snp.vmpl",
        Kind::Number,
        "privilege level that asked for the report; above 0 something more privileged is in the guest",
        [Some("0"), Some("0"), ANY, ANY],
    ),
    field(
        "snp.smt",
        Kind::Flag,
        "whether strangers may share a core with the guest (the policy it was launched with)",
        [NO, ANY, ANY, ANY],
    ),
    field("snp.migration", Kind::Flag, "whether a migration agent may take the guest over", NEVER),
    field("snp.single_socket", Kind::Flag, "whether the guest is bound to one socket", OPEN),
    field(
        "snp.signer",
        Kind::Word(&["VCEK", "VLEK"]),
        "whose key signs: the chip's own, or one that AMD gave to a cloud for all its chips",
        [Some("VCEK"), Some("VCEK"), ANY, ANY],
    ),
    field(
        "snp.revocation",
        Kind::Word(&["checked"]),
        "whether a current revocation list of AMD's must be given",
        [Some("checked"), ANY, Some("checked"), ANY],
    ),
    field("snp.id_key", Kind::Hex(48), "SHA-384 of the key that signed the guest's ID block", OPEN),
    field("snp.author_key", Kind::Hex(48), "SHA-384 of the key that certified the ID key", OPEN),
    field(
        "snp.host_data",
        Kind::Hex(32),
        "what the host bound at launch; our VMM: the manifest digest's beginning",
        OPEN,
    ),
    field(
        "snp.tcb.milan.bootloader",
        Kind::Floor,
        "least version of the secure processor's boot loader",
        FLOOR,
    ),
    field("snp.tcb.milan.tee", Kind::Floor, "least version of the secure processor's system", FLOOR),
    field("snp.tcb.milan.snp", Kind::Floor, "least version of the SNP firmware", FLOOR),
    field("snp.tcb.milan.microcode", Kind::Floor, "least version of the cores' microcode", FLOOR),
    field(
        "snp.tcb.genoa.bootloader",
        Kind::Floor,
        "least version of the secure processor's boot loader",
        FLOOR,
    ),
    field("snp.tcb.genoa.tee", Kind::Floor, "least version of the secure processor's system", FLOOR),
    field("snp.tcb.genoa.snp", Kind::Floor, "least version of the SNP firmware", FLOOR),
    field("snp.tcb.genoa.microcode", Kind::Floor, "least version of the cores' microcode", FLOOR),
    field("snp.tcb.turin.fmc", Kind::Floor, "least version of the first boot loader", FLOOR),
    field(
        "snp.tcb.turin.bootloader",
        Kind::Floor,
        "least version of the secure processor's boot loader",
        FLOOR,
    ),
    field("snp.tcb.turin.tee", Kind::Floor, "least version of the secure processor's system", FLOOR),
    field("snp.tcb.turin.snp", Kind::Floor, "least version of the SNP firmware", FLOOR),
    field("snp.tcb.turin.microcode", Kind::Floor, "least version of the cores' microcode", FLOOR),
    field("tdx.debug", Kind::Flag, "whether the host may read and change the guest's memory", NEVER),
    field("tdx.migration", Kind::Flag, "whether the guest may be moved to another machine", NEVER),
    field(
        "tdx.tcb_status",
        Kind::Level(TCB_STATUSES),
        "least result of comparing the platform with Intel's collateral",
        [Some("UpToDate"), Some("SWHardeningNeeded"), Some("SWHardeningNeeded"), ANY],
    ),
    field("tdx.attributes", Kind::Hex(8), "all attributes of the guest, as the quote has them", OPEN),
    field("tdx.xfam", Kind::Hex(8), "extended features of the processor that the guest may use", OPEN),
    field("tdx.mrseam", Kind::Hex(48), "measurement of the TDX module", OPEN),
    field(
        "tdx.mrconfigid",
        Kind::Hex(48),
        "what the host bound at launch; our VMM: the manifest digest",
        OPEN,
    ),
    field("tdx.mrowner", Kind::Hex(48), "owner that the host named at launch", OPEN),
    field("tdx.mrownerconfig", Kind::Hex(48), "owner's configuration that the host named at launch", OPEN),
    field("tdx.rtmr0", Kind::Hex(48), "what was measured at run time: firmware's configuration", OPEN),
    field("tdx.rtmr1", Kind::Hex(48), "what was measured at run time: what was booted", OPEN),
    field("tdx.rtmr2", Kind::Hex(48), "what was measured at run time: our event log", OPEN),
    field("tdx.rtmr3", Kind::Hex(48), "what was measured at run time: reserved for applications", OPEN),
    field(
        "tpm.key",
        Kind::Hex(32),
        "SHA-256 of the TPM's attestation key (SubjectPublicKeyInfo); Azure's paravisor vouches for its own, else it must be \
         stated",
        OPEN,
    ),
    field("tpm.pcr0", Kind::Hex(32), "register 0 of SHA-256: firmware's code", OPEN),
    field("tpm.pcr1", Kind::Hex(32), "register 1 of SHA-256: firmware's configuration", OPEN),
    field("tpm.pcr2", Kind::Hex(32), "register 2 of SHA-256: code of cards", OPEN),
    field("tpm.pcr3", Kind::Hex(32), "register 3 of SHA-256: configuration of cards", OPEN),
    field("tpm.pcr4", Kind::Hex(32), "register 4 of SHA-256: boot loaders", OPEN),
    field(
        "tpm.pcr5",
        Kind::Hex(32),
        "register 5 of SHA-256: partitions and the loaders' configuration",
        OPEN,
    ),
    field("tpm.pcr6", Kind::Hex(32), "register 6 of SHA-256: the maker's", OPEN),
    field("tpm.pcr7", Kind::Hex(32), "register 7 of SHA-256: secure boot", OPEN),
    field("tpm.pcr8", Kind::Hex(32), "register 8 of SHA-256: the boot loader's commands", OPEN),
    field("tpm.pcr9", Kind::Hex(32), "register 9 of SHA-256: files that the boot loader read", OPEN),
    field("tpm.pcr10", Kind::Hex(32), "register 10 of SHA-256: the system's files", OPEN),
    field("tpm.pcr11", Kind::Hex(32), "register 11 of SHA-256: the unified kernel", OPEN),
    field("tpm.pcr12", Kind::Hex(32), "register 12 of SHA-256: the kernel's command line", OPEN),
    field("tpm.pcr13", Kind::Hex(32), "register 13 of SHA-256: the system's extensions", OPEN),
    field("tpm.pcr14", Kind::Hex(32), "register 14 of SHA-256: keys of the loader's owner", OPEN),
    field("tpm.pcr15", Kind::Hex(32), "register 15 of SHA-256: the system's identity", OPEN),
    field("azure.secure_boot", Kind::Flag, "whether firmware starts signed loaders alone", OPEN),
    field("azure.console", Kind::Flag, "whether the cloud may speak with the machine by a console", OPEN),
    field("dice.root", Kind::Hex(32), "SHA-256 of the board's own key (COSE_Key); must be stated", OPEN),
    field(
        "dice.mode",
        Kind::Word(&["not-configured", "normal", "debug", "recovery"]),
        "how the board's layers were started: the first that is not normal counts",
        [Some("normal"), Some("normal"), Some("normal"), ANY],
    ),
    field("dice.code", Kind::Hex(64), "hash of the last layer's code", OPEN),
    field("dice.configuration", Kind::Hex(64), "hash of the last layer's configuration", OPEN),
    field("dice.authority", Kind::Hex(64), "hash of who may sign the last layer's code", OPEN),
];
