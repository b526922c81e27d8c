//! A whole boot over a made image, and one refusal for each thing that can be changed.

use alloc::vec;
use alloc::vec::Vec;
use vial_abi::call::{CallError, REPORT_OUT_BYTES};
use vial_abi::launch_page::{Kv, Machine as Vmm, Measure, Tee};
use vial_abi::memory::{ENGINE_PA, HANDOFF_PA, KERNEL_TEXT_PA};
use vial_abi::report::{REPORT_BYTES, ReportResponse};
use vial_abi::{ExitCode, Handoff, LaunchPage, Mark};
use vial_disk::{DiskPlan, PARTITION_START};
use vial_weights::event_log::names;
use vial_weights::header::{Part, SealedHeader};
use vial_weights::manifest::{Draft, Encryption, Policy, Weights};
use vial_weights::signature::PublisherKey;
use vial_weights::tree::TreeBuilder;
use vial_weights::{Lanes, Manifest, OutOfBounds, ReadAt, bundle, event_log, sha384};

use crate::{Disk, Machine, boot};

mod domain;

/// Memory that remembers what was put where.
#[derive(Default)]
struct FakeMachine {
    marks: Vec<Mark>,
    puts: Vec<(u64, Vec<u8>)>,
    refuses: Option<CallError>,
    extended: Vec<(u8, [u8; 48])>,
    is_stubborn: bool,
    flips_report: bool,
}

impl Machine for FakeMachine {
    fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    fn report(
        &mut self,
        report_data: &[u8; 64],
        response: &mut [u8; REPORT_OUT_BYTES],
    ) -> Result<usize, CallError> {
        let mut report = [0; REPORT_BYTES];
        report[0x50..0x90].copy_from_slice(report_data);
        report[0x50] ^= u8::from(self.flips_report);
        let bytes = [&ReportResponse::header(1184, 0)[..], &report].concat();
        response[..bytes.len()].copy_from_slice(&bytes);
        self.refuses.map_or(Ok(bytes.len()), Err)
    }

    fn extend(&mut self, register: u8, digest: &[u8; 48]) -> bool {
        self.extended.push((register, *digest));
        !self.is_stubborn
    }

    fn put(&mut self, pa: u64, bytes: &[u8]) -> bool {
        self.puts.push((pa, bytes.to_vec()));
        pa >= KERNEL_TEXT_PA
    }

    fn clear(&mut self, pa: u64, _len: u64) -> bool {
        pa >= KERNEL_TEXT_PA
    }

    fn lanes(&self) -> Lanes {
        Lanes::Baseline
    }
}

struct FakeDisk(Vec<u8>);

impl core::fmt::Display for Short {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the disk ends")
    }
}

#[derive(Debug)]
struct Short;

impl ReadAt for FakeDisk {
    type Error = Short;

    fn read_at(&mut self, offset: u64, to: &mut [u8]) -> Result<(), Short> {
        (&self.0[..]).read_at(offset, to).map_err(|OutOfBounds| Short)
    }
}

impl Disk for FakeDisk {
    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn stream(&mut self, offset: u64, len: u64, take: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Short> {
        let start = usize::try_from(offset).unwrap();
        let bytes = &self.0[start..start + usize::try_from(len).unwrap()];
        bytes.chunks(2 << 17).all(take);
        Ok(())
    }
}

/// A program of one segment: its ELF file.
fn elf(pa: u64) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    file.extend([pa, 64, 0].into_iter().flat_map(u64::to_le_bytes));
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    file.extend([1_u32, 5].into_iter().flat_map(u32::to_le_bytes));
    file.extend([120, pa, pa, 4, 8, 16_u64].into_iter().flat_map(u64::to_le_bytes));
    file.extend([0x90; 4]);
    file
}

struct Sealed {
    disk: Vec<u8>,
    header: SealedHeader,
    launch: LaunchPage,
}

impl Sealed {
    fn new() -> Self {
        Self::of(None, false)
    }

    fn encrypted() -> Self {
        Self::of(Some((0..=240_u8).cycle().take(3 << 17).collect()), true)
    }

    fn with_draft() -> Self {
        Self::of(Some((0..=240_u8).cycle().take(3 << 17).collect()), false)
    }

    fn of(draft: Option<Vec<u8>>, is_encrypted: bool) -> Self {
        let weights: Vec<u8> = (0..=250_u8).cycle().take(5 << 17).collect();
        let (tree, sealed) = tree_of(&weights);
        let (draft_tree, sealed_draft) = draft.as_deref().map(tree_of).unzip();
        let key = PublisherKey::from_secret(&[9; 32]);
        let (kernel, engine) = (elf(KERNEL_TEXT_PA), elf(ENGINE_PA));
        let bundle = bundle::encode(vec![]).unwrap();
        let manifest = Manifest {
            firmware: [1; 48],
            kernel: sha384(&kernel),
            engine: sha384(&engine),
            bundle: sha384(&bundle),
            model: "test".into(),
            architecture: "llama".into(),
            weights: sealed,
            policy: Policy { max_streams: 8, max_context: 4096 },
            publisher: Some(key.public()),
            draft: sealed_draft.map(|weights| Draft { model: "small".into(), weights }),
            encryption: is_encrypted.then_some(Encryption {
                plaintext_root: [3; 32],
                draft_plaintext_root: Some([4; 32]),
                key_check: [5; 32],
            }),
        };
        let digest = manifest.digest();
        let signature = key.sign(&digest).to_vec();
        let [draft_tree, draft] = [draft_tree, draft].map(Option::unwrap_or_default);
        let tags = [5, 3].map(|leaves| vec![6; if is_encrypted { leaves * 16 } else { 0 }]);
        let [tags, draft_tags] = tags;
        let parts = [
            manifest.encode(),
            signature,
            vec![1],
            kernel,
            engine,
            bundle,
            tree,
            weights,
            draft_tree,
            draft,
            tags,
            draft_tags,
        ];
        let header =
            SealedHeader::plan(core::array::from_fn(|at| parts[at].len() as u64), PARTITION_START, 1 << 20);
        let plan = DiskPlan::new(header.partition_bytes(), &digest);
        let mut sealed =
            Self { disk: vec![0; usize::try_from(plan.bytes()).unwrap()], header, launch: launch(digest) };
        sealed.write(0, &plan.head());
        sealed.write(plan.tail_offset(), &plan.tail());
        sealed.write(PARTITION_START, &header.encode());
        for (part, bytes) in Part::ALL.into_iter().zip(parts).filter(|(_, bytes)| !bytes.is_empty()) {
            sealed.write(sealed.at(part), &bytes);
        }
        sealed
    }

    fn at(&self, part: Part) -> u64 {
        PARTITION_START + self.header.place(part).offset
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let start = usize::try_from(offset).unwrap();
        self.disk[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// Lets the header name a draft model of these lengths, whatever the manifest says.
    fn say_draft(&mut self, tree: u64, weights: u64) {
        let mut lens = Part::ALL.map(|part| self.header.place(part).len);
        [lens[8], lens[9]] = [tree, weights];
        self.header = SealedHeader::plan(lens, PARTITION_START, 1 << 20);
        self.write(PARTITION_START, &self.header.encode());
    }

    /// Lets the header name tags of these lengths.
    fn say_tags(&mut self, tags: u64, draft_tags: u64) {
        let mut lens = Part::ALL.map(|part| self.header.place(part).len);
        [lens[10], lens[11]] = [tags, draft_tags];
        self.header = SealedHeader::plan(lens, PARTITION_START, 1 << 20);
        self.write(PARTITION_START, &self.header.encode());
    }

    fn flip(mut self, offset: u64) -> Self {
        self.disk[usize::try_from(offset).unwrap()] ^= 1;
        self
    }

    fn flip_part(self, part: Part, at: u64) -> Self {
        let offset = self.at(part) + at;
        self.flip(offset)
    }

    fn measured(mut self, measure: Measure) -> Self {
        self.launch.measure = measure;
        self
    }

    fn boot(self, machine: &mut FakeMachine) -> Result<(), ExitCode> {
        boot(machine, &mut FakeDisk(self.disk), &self.launch).map_err(|refusal| refusal.code)
    }

    fn refused(self) -> Option<ExitCode> {
        let mut machine = FakeMachine::default();
        let refused = self.boot(&mut machine).err();
        assert!(!machine.puts.iter().any(|(pa, _)| *pa == HANDOFF_PA), "nothing is handed over");
        refused
    }
}

/// The tree of a file, and what a manifest says of it.
fn tree_of(file: &[u8]) -> (Vec<u8>, Weights) {
    let mut tree = TreeBuilder::new(Lanes::Baseline, file.len() as u64);
    tree.add(file);
    let (tree, root) = tree.finish().unwrap();
    (tree, Weights { root, sha256: [2; 32], bytes: file.len() as u64 })
}

fn launch(manifest_digest: [u8; 48]) -> LaunchPage {
    let (tee, machine, measure, kv) = (Tee::Simulated, Vmm::Vial, Measure::Nodes, Kv::Q8_0);
    LaunchPage { manifest_digest, memory_bytes: 512 << 20, cpus: 2, tee, machine, measure, kv }
}

#[test]
fn a_sealed_image_boots_and_its_log_replays_to_the_handoffs_head() {
    for measure in [Measure::Nodes, Measure::Full] {
        let mut machine = FakeMachine::default();
        assert_eq!(Sealed::new().measured(measure).boot(&mut machine), Ok(()));
        assert_eq!(machine.marks, [Mark::Found, Mark::Measured, Mark::Reported]);
        let at = |pa: u64| machine.puts.iter().find(|put| put.0 == pa).map(|put| put.1.clone()).unwrap();
        let handoff = Handoff::decode(at(HANDOFF_PA).first_chunk().unwrap()).unwrap();
        let (events, head) = event_log::replay(&at(handoff.event_log.pa)).unwrap();
        assert_eq!(head, handoff.event_log_head);
        assert_eq!(events.len(), 6);
        assert_eq!(at(KERNEL_TEXT_PA), [0x90; 4]);
        assert_eq!(handoff.weights_disk_offset % (1 << 20), 0);
    }
}

#[test]
fn every_changed_part_is_refused_by_its_own_code() {
    let refused = |part, at| Sealed::new().flip_part(part, at).refused();
    assert_eq!(refused(Part::Manifest, 5), Some(ExitCode::ManifestDigest));
    assert_eq!(refused(Part::Signature, 5), Some(ExitCode::ManifestForm));
    assert_eq!(refused(Part::Kernel, 121), Some(ExitCode::KernelDigest));
    assert_eq!(refused(Part::Engine, 0), Some(ExitCode::EngineDigest));
    assert_eq!(refused(Part::Bundle, 0), Some(ExitCode::BundleDigest));
    assert_eq!(refused(Part::Tree, 40), Some(ExitCode::WeightsRoot));
    assert_eq!(Sealed::new().flip(512).refused(), Some(ExitCode::NoSealedPartition));
    assert_eq!(Sealed::new().flip(PARTITION_START).refused(), Some(ExitCode::SealedHeader));
}

#[test]
fn a_changed_leaf_is_refused_when_every_leaf_is_measured_and_left_to_the_engine_otherwise() {
    let changed = || Sealed::new().flip_part(Part::Weights, 3 << 17);
    assert_eq!(changed().measured(Measure::Full).refused(), Some(ExitCode::WeightsLeaf));
    assert_eq!(changed().boot(&mut FakeMachine::default()), Ok(()));
}

#[test]
fn a_draft_model_is_measured_under_its_own_root_and_handed_over() {
    for (measure, name) in [(Measure::Nodes, names::DRAFT_ROOT), (Measure::Full, names::DRAFT)] {
        let mut machine = FakeMachine::default();
        let sealed = Sealed::with_draft();
        let start = sealed.at(Part::DraftWeights);
        assert_eq!(sealed.measured(measure).boot(&mut machine), Ok(()));
        let at = |pa: u64| machine.puts.iter().find(|put| put.0 == pa).map(|put| put.1.clone()).unwrap();
        let handoff = Handoff::decode(at(HANDOFF_PA).first_chunk().unwrap()).unwrap();
        assert_eq!((handoff.draft_disk_offset, handoff.draft_bytes), (start, 3 << 17));
        assert_eq!(at(handoff.draft_tree.pa).len(), 3 * 32);
        let (events, head) = event_log::replay(&at(handoff.event_log.pa)).unwrap();
        assert_eq!((events.len(), head), (7, handoff.event_log_head));
        let (_, weights) = tree_of(&(0..=240_u8).cycle().take(3 << 17).collect::<Vec<u8>>());
        let event = event_log::Event { name: name.into(), digest: sha384(&weights.root) };
        assert_eq!(events.last(), Some(&event));
    }
}

#[test]
fn a_changed_draft_model_is_refused_by_its_own_codes() {
    let flipped = |part, at| Sealed::with_draft().flip_part(part, at);
    assert_eq!(flipped(Part::DraftTree, 40).refused(), Some(ExitCode::DraftRoot));
    let leaf = || flipped(Part::DraftWeights, 2 << 17);
    assert_eq!(leaf().measured(Measure::Full).refused(), Some(ExitCode::DraftLeaf));
    assert_eq!(leaf().boot(&mut FakeMachine::default()), Ok(()));
    let mut short = Sealed::with_draft();
    short.disk.truncate(usize::try_from(short.at(Part::DraftWeights)).unwrap() + 100);
    assert_eq!(short.refused(), Some(ExitCode::ImageShort));
}

#[test]
fn a_draft_model_that_the_manifest_does_not_name_or_another_length_is_refused() {
    let mut unnamed = Sealed::new();
    unnamed.say_draft(3 * 32, 3 << 17);
    unnamed.disk.resize(unnamed.disk.len() + (2 << 20), 0);
    let mut missing = Sealed::with_draft();
    missing.say_draft(0, 0);
    let mut shorter = Sealed::with_draft();
    shorter.say_draft(3 * 32, (3 << 17) - 1);
    for sealed in [unnamed, missing, shorter] {
        assert_eq!(sealed.refused(), Some(ExitCode::DraftRoot));
    }
}

#[test]
fn tags_are_handed_over_as_they_lie_and_refused_where_there_are_too_many_or_too_few() {
    let mut machine = FakeMachine::default();
    let mut sealed = Sealed::encrypted();
    let (tags, draft_tags) = (sealed.at(Part::Tags), sealed.at(Part::DraftTags));
    sealed.write(tags, &[1; 80]);
    sealed.write(draft_tags, &[2; 48]);
    assert_eq!(sealed.boot(&mut machine), Ok(()));
    let at = |pa: u64| machine.puts.iter().find(|put| put.0 == pa).map(|put| put.1.clone()).unwrap();
    let handoff = Handoff::decode(at(HANDOFF_PA).first_chunk().unwrap()).unwrap();
    assert_eq!((at(handoff.tags.pa), at(handoff.draft_tags.pa)), (vec![1; 80], vec![2; 48]));
    for (tags, draft_tags, code) in
        [(79, 48, ExitCode::WeightsRoot), (96, 48, ExitCode::WeightsRoot), (80, 32, ExitCode::DraftRoot)]
    {
        let mut sealed = Sealed::encrypted();
        sealed.say_tags(tags, draft_tags);
        assert_eq!(sealed.refused(), Some(code));
    }
    let mut unnamed = Sealed::with_draft();
    unnamed.say_tags(80, 48);
    unnamed.disk.resize(unnamed.disk.len() + 8192, 0);
    assert_eq!(unnamed.refused(), Some(ExitCode::WeightsRoot));
}

#[test]
fn another_launch_page_a_newer_format_and_a_short_disk_are_refused() {
    let mut other = Sealed::new();
    other.launch.manifest_digest[0] ^= 1;
    assert_eq!(other.refused(), Some(ExitCode::ManifestDigest));
    let mut newer = Sealed::new();
    newer.write(PARTITION_START + 8, &[4]);
    assert_eq!(newer.refused(), Some(ExitCode::NewerFormat));
    let mut short = Sealed::new();
    short.disk.truncate(usize::try_from(short.at(Part::Weights)).unwrap() + 100);
    assert_eq!(short.refused(), Some(ExitCode::ImageShort));
}

#[test]
fn no_report_and_a_report_over_other_data_are_refused() {
    for (refuses, flips_report) in [(Some(CallError::NoTee), false), (None, true)] {
        let mut machine = FakeMachine { refuses, flips_report, ..FakeMachine::default() };
        assert_eq!(Sealed::new().boot(&mut machine), Err(ExitCode::NoReport));
    }
}
