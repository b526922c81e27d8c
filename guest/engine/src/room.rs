//! What caches and weights get of the memory that was measured.

use vial_abi::launch_page::Kv;
use vial_abi::{ExitCode, Handoff};
use vial_model::kv::KvKind;
use vial_model::transformer::Transformer;
use vial_plan::{Demand, Memory, Plan, Weighed};
use vial_weights::Manifest;

use crate::Stop;

/// The plan of an appliance.
///
/// # Errors
/// The arithmetic of what does not fit.
pub(crate) fn plan(
    model: &Transformer,
    draft: Option<&Transformer>,
    handoff: &Handoff,
    manifest: &Manifest,
) -> Result<Plan, Stop> {
    let launch = &handoff.launch;
    let memory = Memory { bytes: launch.memory_bytes, cpus: launch.cpus, blobs_bytes: handoff.blobs_bytes };
    let draft_bytes = manifest.draft.as_ref().map_or(0, |draft| draft.weights.bytes);
    let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    let demand = Demand {
        model: Weighed { model, bytes: manifest.weights.bytes },
        draft: draft.map(|model| Weighed { model, bytes: draft_bytes }),
        streams: size(manifest.policy.max_streams),
        context: size(manifest.policy.max_context),
        kv: kind(launch.kv),
    };
    demand.plan(memory).map_err(|refusal| Stop::of(ExitCode::ModelMemory, &refusal))
}

fn kind(kv: Kv) -> KvKind {
    match kv {
        Kv::F16 => KvKind::F16,
        Kv::Q8_0 => KvKind::Q8_0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use vial_abi::LaunchPage;
    use vial_abi::launch_page::{Machine, Measure, Tee};
    use vial_abi::memory::Region;
    use vial_model::gguf::Gguf;
    use vial_plan::Keeping;
    use vial_weights::manifest::{Draft, Policy, Weights};

    const MEMORY: u64 = 128 << 20;

    /// An appliance that keeps keys and values so.
    fn handoff(kv: Kv) -> Handoff {
        let (tee, machine, measure) = (Tee::Simulated, Machine::Vial, Measure::Nodes);
        let blob = Region { pa: 0, len: 0 };
        Handoff {
            launch: LaunchPage {
                manifest_digest: [1; 48],
                memory_bytes: MEMORY,
                cpus: 1,
                tee,
                machine,
                measure,
                kv,
            },
            weights_root: [2; 32],
            event_log_head: [3; 48],
            manifest: blob,
            event_log: blob,
            bundle: blob,
            tree: blob,
            draft_tree: blob,
            tags: blob,
            draft_tags: blob,
            boot_report: blob,
            blobs_bytes: 4096,
            weights_disk_offset: 0,
            weights_bytes: 1,
            draft_disk_offset: 0,
            draft_bytes: 0,
            leaf_bytes: 131_072,
            tsc_khz: 1,
            unix_ns: 0,
            unix_tsc: 0,
        }
    }

    fn model() -> Transformer {
        let file = vial_model::tiny::llama(1);
        Transformer::from_gguf(&Gguf::parse(&file, file.len() as u64).unwrap()).unwrap()
    }

    /// Of a model and perhaps a draft model of so many bytes.
    fn manifest(bytes: u64, draft: Option<u64>) -> Manifest {
        let weights = |bytes| Weights { root: [5; 32], sha256: [6; 32], bytes };
        Manifest {
            firmware: [1; 48],
            kernel: [2; 48],
            engine: [3; 48],
            bundle: [4; 48],
            model: String::new(),
            architecture: String::new(),
            weights: weights(bytes),
            policy: Policy { max_streams: 3, max_context: 128 },
            publisher: None,
            draft: draft.map(|bytes| Draft { model: String::new(), weights: weights(bytes) }),
            encryption: None,
        }
    }

    #[test]
    fn launch_page_and_policy_say_what_is_planned() {
        let of = |kv| plan(&model(), None, &handoff(kv), &manifest(1000, None)).unwrap();
        for (kv, kind) in [(Kv::F16, KvKind::F16), (Kv::Q8_0, KvKind::Q8_0)] {
            let plan = of(kv);
            assert_eq!((plan.cache.kind, plan.cache.streams, plan.cache.context), (kind, 3, 128));
            assert_eq!((plan.whole_bytes, plan.keeping), (1000, Keeping::Whole));
            assert_eq!(plan.heap_bytes, Memory { bytes: MEMORY, cpus: 1, blobs_bytes: 4096 }.heap_bytes());
        }
    }

    #[test]
    fn a_draft_model_is_planned_for_with_its_own_bytes() {
        let (model, draft) = (model(), model());
        let plan = plan(&model, Some(&draft), &handoff(Kv::F16), &manifest(1 << 40, Some(5000))).unwrap();
        assert!(plan.draft_cache.is_some() && matches!(plan.keeping, Keeping::Streamed(_)));
        assert_eq!(plan.whole_bytes, 5000);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let draft = model();
        let refused = plan(&model(), Some(&draft), &handoff(Kv::F16), &manifest(1 << 40, Some(MEMORY)));
        let Stop { code, line } = refused.unwrap_err();
        assert_eq!(code, ExitCode::ModelMemory);
        assert!(line.starts_with("memory: found 128M, expected at least "), "{line}");
    }
}
