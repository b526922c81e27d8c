//! Reference values: what an appliance must show, computed from its image without booting it.

use alloc::string::{String, ToString as _};
use serde::{Deserialize, Serialize};
use vial_abi::LaunchPage;
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_launch::{LoadPlan, PlanError};
use vial_weights::tree::Hex;
use vial_weights::{Manifest, sha384};

use crate::policy::{PolicyError, PolicyFile};

/// How they are named as the source of a rule.
const SOURCE: &str = "reference values";
/// Value of [`Reference::format`].
const FORMAT: &str = "vial-reference-1";

/// The machine a launch page describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineShape {
    /// Cpus.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// What protects the appliance.
    pub tee: Tee,
    /// Which VMM's devices.
    pub machine: Machine,
    /// How much firmware reads before hand-over.
    pub measure: Measure,
    /// How the engine keeps keys and values.
    pub kv: Kv,
}

/// Expected values, as `vial measure` prints them. Byte strings are lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// `vial-reference-1`.
    pub format: String,
    /// The TEE of the launch page.
    pub tee: String,
    /// What the TEE measures before the first instruction.
    pub launch_measurement: String,
    /// SHA-384 of the launch page.
    pub launch_page: String,
    /// SHA-384 of the manifest.
    pub manifest_digest: String,
    /// BLAKE3 of the model as it is sealed.
    pub weights_root: String,
    /// SHA-384 of the firmware.
    pub firmware: String,
    /// SHA-384 of the kernel.
    pub kernel: String,
    /// SHA-384 of the engine.
    pub engine: String,
    /// SHA-384 of the agent bundle.
    pub bundle: String,
    /// The model's name.
    pub model: String,
    /// Cpus of the launch page.
    pub cpus: u32,
    /// Memory of the launch page in bytes.
    pub memory_bytes: u64,
    /// `nodes` or `full`.
    pub measure: String,
    /// `f16` or `q8_0`; values from before there was a choice say nothing and mean `f16`.
    #[serde(default = "f16")]
    pub kv: String,
    /// BLAKE3 of the model before it was encrypted; `null` or missing if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext_root: Option<String>,
    /// BLAKE3 of the draft model; `null` or missing if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_root: Option<String>,
    /// The draft model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_model: Option<String>,
    /// What computed them, with its version; nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

fn f16() -> String {
    Kv::F16.name().to_string()
}

/// Why there are no reference values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// No load plan.
    Plan(PlanError),
    /// Not the format this verifier reads.
    Form(String),
}

impl core::fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Plan(error) => error.fmt(f),
            Self::Form(what) => write!(f, "reference values: {what}"),
        }
    }
}

impl core::error::Error for ReferenceError {}

/// What a VMM of ours has the processor bind as `HOST_DATA`: the first 32 bytes of the manifest digest. It shows in the report which
/// image the host says it launched; the launch measurement proves which.
#[must_use]
pub fn host_data(manifest_digest: &[u8; 48]) -> [u8; 32] {
    core::array::from_fn(|at| manifest_digest.get(at).copied().unwrap_or_default())
}

impl MachineShape {
    /// The launch page of an appliance with that manifest on this machine.
    #[must_use]
    pub fn launch_page(&self, manifest: &Manifest) -> LaunchPage {
        LaunchPage {
            manifest_digest: manifest.digest(),
            memory_bytes: self.memory_bytes,
            cpus: self.cpus,
            tee: self.tee,
            machine: self.machine,
            measure: self.measure,
            kv: self.kv,
        }
    }
}

impl Reference {
    /// The values of an image's manifest and firmware on a machine.
    ///
    /// # Errors
    /// The firmware gives no load plan.
    pub fn of_image(
        manifest: &Manifest,
        firmware: &[u8],
        shape: &MachineShape,
    ) -> Result<Self, ReferenceError> {
        let page = shape.launch_page(manifest);
        let plan = LoadPlan::new(firmware, &page).map_err(ReferenceError::Plan)?;
        let hex = |bytes: &[u8]| Hex(bytes).to_string();
        Ok(Self {
            format: FORMAT.to_string(),
            tee: page.tee.evidence().to_string(),
            launch_measurement: hex(&plan.digest()),
            launch_page: hex(&sha384(&page.encode())),
            manifest_digest: hex(&page.manifest_digest),
            weights_root: hex(&manifest.weights.root),
            firmware: hex(&manifest.firmware),
            kernel: hex(&manifest.kernel),
            engine: hex(&manifest.engine),
            bundle: hex(&manifest.bundle),
            model: manifest.model.clone(),
            cpus: shape.cpus,
            memory_bytes: shape.memory_bytes,
            measure: if shape.measure == Measure::Full { "full" } else { "nodes" }.to_string(),
            kv: shape.kv.name().to_string(),
            plaintext_root: manifest.encryption.as_ref().map(|it| hex(&it.plaintext_root)),
            draft_root: manifest.draft.as_ref().map(|draft| hex(&draft.weights.root)),
            draft_model: manifest.draft.as_ref().map(|draft| draft.model.clone()),
            tool: None,
        })
    }

    /// States these values where a policy's file states none.
    ///
    /// # Errors
    /// A value that is not what its name says.
    pub fn state(&self, file: &mut PolicyFile) -> Result<(), PolicyError> {
        let host_data = self.manifest_digest.get(..64).unwrap_or_default().to_string();
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_string());
        let (plaintext, draft) = (or_none(&self.plaintext_root), or_none(&self.draft_root));
        let values = [
            ("tee", &self.tee),
            ("appliance.measurement", &self.launch_measurement),
            ("appliance.launch_page", &self.launch_page),
            ("appliance.manifest_digest", &self.manifest_digest),
            ("appliance.weights_root", &self.weights_root),
            ("appliance.plaintext_root", &plaintext),
            ("appliance.draft_root", &draft),
            ("appliance.firmware", &self.firmware),
            ("appliance.kernel", &self.kernel),
            ("appliance.engine", &self.engine),
            ("appliance.bundle", &self.bundle),
            ("appliance.weights_measured", &self.measure),
            ("snp.host_data", &host_data),
        ];
        values
            .into_iter()
            .try_for_each(|(name, value)| file.default_to(name, core::slice::from_ref(value), SOURCE))
    }

    /// Reads what `vial measure` printed.
    ///
    /// # Errors
    /// Not JSON, a missing or unknown field, or another format.
    pub fn parse(json: &[u8]) -> Result<Self, ReferenceError> {
        let reference: Self =
            serde_json::from_slice(json).map_err(|error| ReferenceError::Form(error.to_string()))?;
        if reference.format != FORMAT {
            let found = reference.format;
            return Err(ReferenceError::Form(alloc::format!("found format {found:?}, expected {FORMAT:?}")));
        }
        Ok(reference)
    }
}
