//! An appliance on SEV-SNP: a report of a processor of our own making, over what an appliance binds, against the reference values
//! that its image and machine give.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod common;

use common::forge::{Hand, NOW, certificate, endorsement, report, roots, sign};
use common::refusal;
use sha2::{Digest as _, Sha512};
use vial_abi::evidence::{Evidence, FORMAT};
use vial_abi::launch_page::{Kv, Machine, Measure, Tee};
use vial_abi::report::{Purpose, RuntimeData};
use vial_attest::snp::Product;
use vial_attest::{
    Asked, Assurance, Attached, Bytes, Hexed, MachineShape, PolicyFile, Profile, Question, Reference,
    SEV_SNP, Shown, Statement, Trust, Verdict, host_data, verify,
};
use vial_launch::LoadPlan;
use vial_weights::event_log::{EventLog, names};
use vial_weights::manifest::{Manifest, Policy, Weights};
use vial_weights::sha384;
use vial_weights::tree::Hex;

const SHAPE: MachineShape = MachineShape {
    cpus: 2,
    memory_bytes: 512 << 20,
    tee: Tee::SevSnp { c_bit: 51 },
    machine: Machine::Vial,
    measure: Measure::Nodes,
    kv: Kv::F16,
};
const NONCE: [u8; 64] = [8; 64];
const KEY: [u8; 32] = [7; 32];

fn firmware() -> Vec<u8> {
    vial_launch::tiny::firmware(0x20_0000, &[0xF4; 16])
}

fn manifest() -> Manifest {
    Manifest {
        firmware: sha384(&firmware()),
        kernel: [2; 48],
        engine: [3; 48],
        bundle: [4; 48],
        model: "m".to_owned(),
        architecture: "llama".to_owned(),
        weights: Weights { root: [5; 32], sha256: [6; 32], bytes: 7 },
        policy: Policy { max_streams: 8, max_context: 4096 },
        publisher: None,
        draft: None,
        encryption: None,
    }
}

fn log(shape: &MachineShape) -> EventLog {
    let mut log = EventLog::default();
    log.measure(names::LAUNCH_PAGE, &shape.launch_page(&manifest()).encode());
    log.measure(names::MANIFEST, &manifest().encode());
    log.append(names::KERNEL, [2; 48]);
    log.append(names::ENGINE, [3; 48]);
    log.append(names::BUNDLE, [4; 48]);
    log.measure(names::WEIGHTS_ROOT, &[5; 32]);
    log
}

/// What an appliance on such a machine shows, with its report changed before it is signed.
fn evidence(shape: &MachineShape, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let (manifest, log) = (manifest(), log(shape));
    let data = RuntimeData {
        purpose: Purpose::Attestation,
        nonce: NONCE,
        channel_key: KEY,
        manifest_digest: manifest.digest(),
        weights_root: [5; 32],
        event_log_head: log.head(),
    };
    let plan = LoadPlan::new(&firmware(), &shape.launch_page(&manifest)).unwrap();
    let mut bytes = report(Product::Milan, 3, false);
    bytes[0x50..0x90].copy_from_slice(&Sha512::digest(data.preimage()));
    bytes[0x90..0xC0].copy_from_slice(&plan.digest());
    bytes[0xC0..0xE0].copy_from_slice(&host_data(&manifest.digest()));
    change(&mut bytes);
    Bytes {
        statement: Statement {
            tee: SEV_SNP.to_owned(),
            report: sign(bytes),
            certificates: vec![certificate(&endorsement(Product::Milan, false), Hand::Issuer)],
            attached: Attached::default(),
        },
        event_log: log.bytes().to_vec(),
        manifest: manifest.encode(),
        purpose: Purpose::Attestation,
        nonce: NONCE,
        channel_key: KEY,
    }
}

fn judged(evidence: &Bytes, file: PolicyFile) -> Verdict {
    let amd = roots(Product::Milan);
    let trust = Trust { now: NOW, amd: &amd, amd_revocation_lists: &[], intel: None };
    let asked = Asked { nonce: Some(&NONCE), key: Some(&KEY) };
    verify(evidence, &file.complete().unwrap(), asked, &trust)
}

/// What `vial verify --image` insists on for that machine.
fn expecting(shape: &MachineShape) -> PolicyFile {
    let mut file = PolicyFile::of_profile(Profile::OwnHost);
    Reference::of_image(&manifest(), &firmware(), shape).unwrap().state(&mut file).unwrap();
    file
}

#[test]
fn an_appliance_on_snp_is_accepted_by_its_images_reference_values() {
    let verdict = judged(&evidence(&SHAPE, |_| ()), expecting(&SHAPE));
    assert!(verdict.accepted, "{:?}", verdict.checks.last());
    assert_eq!(verdict.assurance, Some(Assurance::Hardware));
}

#[test]
fn each_thing_that_differs_is_refused_by_its_field() {
    let twins: [(usize, &str); 4] = [
        (0x90, "appliance.measurement"),
        (0xC0, "snp.host_data"),
        (0x50, "report data"),
        // The policy's byte with debugging.
        (0x0A, "snp.debug"),
    ];
    for (at, field) in twins {
        let changed = evidence(&SHAPE, |report| report[at] ^= 8);
        assert_eq!(refusal(&judged(&changed, expecting(&SHAPE))).name, field);
    }
}

#[test]
fn other_machines_of_the_same_image_are_refused() {
    let others = [
        MachineShape { tee: Tee::Simulated, ..SHAPE },
        MachineShape { tee: Tee::SimulatedSnp { c_bit: 51 }, ..SHAPE },
        MachineShape { tee: Tee::SevSnp { c_bit: 47 }, ..SHAPE },
        MachineShape { cpus: 3, ..SHAPE },
        MachineShape { memory_bytes: 1 << 30, ..SHAPE },
    ];
    for other in others {
        let found = judged(&evidence(&other, |_| ()), expecting(&SHAPE));
        assert_eq!(refusal(&found).name, "appliance.measurement", "{other:?}");
    }
    let simulated = expecting(&MachineShape { tee: Tee::SimulatedSnp { c_bit: 51 }, ..SHAPE });
    assert_eq!(refusal(&judged(&evidence(&SHAPE, |_| ()), simulated)).name, "tee");
}

#[test]
fn without_the_chips_certificate_the_refusal_says_where_it_is() {
    let mut none = evidence(&SHAPE, |_| ());
    none.statement.certificates.clear();
    let verdict = judged(&none, expecting(&SHAPE));
    let check = refusal(&verdict);
    let chip = Hex(&none.statement.report[0x1A0..0x1E0]).to_string();
    let url =
        format!("https://kdsintf.amd.com/vcek/v1/Milan/{chip}?blSPL=04&teeSPL=01&snpSPL=22&ucodeSPL=72");
    assert_eq!((check.name, check.found.as_str()), ("certificates of signing keys", "none"));
    assert_eq!(check.expected, format!("one, as --certificate has it from {url}"));
}

#[test]
fn certificates_of_the_asker_take_the_place_of_the_hosts() {
    let it = evidence(&SHAPE, |_| ());
    let hex = |bytes: &[u8]| Hex(bytes).to_string();
    let json = Evidence {
        format: FORMAT.to_owned(),
        tee: it.statement.tee,
        report: hex(&it.statement.report),
        certificates: String::new(),
        event_log: hex(&it.event_log),
        manifest: hex(&it.manifest),
        purpose: it.purpose.value(),
        nonce: hex(&it.nonce),
        channel_key: hex(&it.channel_key),
    };
    let reference = Reference::of_image(&manifest(), &firmware(), &SHAPE).unwrap();
    let question = Question {
        shown: Some(Shown::Appliance {
            evidence: serde_json::to_string(&json).unwrap(),
            nonce: None,
            key: None,
        }),
        reference: Some(serde_json::to_string(&reference).unwrap()),
        ..Question::default()
    };
    let refused = |question: &Question| refusal(&question.answer(NOW).unwrap().verdict).name;
    assert_eq!(refused(&question), "certificates of signing keys");
    let certificates = it.statement.certificates.into_iter().map(Hexed).collect();
    // Found, and of no root of AMD's.
    assert_eq!(refused(&Question { certificates, ..question }), "certificate chain");
}
