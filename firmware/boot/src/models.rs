//! Comparing model files with what was sealed: the root from the tree, and every leaf where that is asked for.

use alloc::format;
use alloc::vec::Vec;
use vial_abi::ExitCode;
use vial_abi::launch_page::Measure;
use vial_weights::Lanes;
use vial_weights::cipher::tags_bytes;
use vial_weights::event_log::{EventLog, names};
use vial_weights::header::Part;
use vial_weights::manifest::Weights;
use vial_weights::tree::{LEAF_BYTES, LeafMismatch, Tree};

use crate::image::Image;
use crate::{Disk, Refusal};

/// A model file of an image: its parts, what its events are called, and how its refusals end the appliance.
pub(crate) struct ModelFile {
    /// What its refusals begin with.
    who: &'static str,
    tree: Part,
    weights: Part,
    tags: Part,
    /// For its root alone, and for every leaf.
    events: [&'static str; 2],
    /// For its root, and for a leaf.
    codes: [ExitCode; 2],
}

/// The model.
pub(crate) const MODEL: ModelFile = ModelFile {
    who: "",
    tree: Part::Tree,
    weights: Part::Weights,
    tags: Part::Tags,
    events: [names::WEIGHTS_ROOT, names::WEIGHTS],
    codes: [ExitCode::WeightsRoot, ExitCode::WeightsLeaf],
};

/// The model that drafts for it.
pub(crate) const DRAFT: ModelFile = ModelFile {
    who: "draft model: ",
    tree: Part::DraftTree,
    weights: Part::DraftWeights,
    tags: Part::DraftTags,
    events: [names::DRAFT_ROOT, names::DRAFT],
    codes: [ExitCode::DraftRoot, ExitCode::DraftLeaf],
};

/// What model files are measured with.
pub(crate) struct Models<'a, D> {
    pub(crate) lanes: Lanes,
    pub(crate) disk: &'a mut D,
    pub(crate) image: &'a Image,
    pub(crate) measure: Measure,
    pub(crate) log: &'a mut EventLog,
}

impl<D: Disk> Models<'_, D> {
    /// Recomputes a file's root from its tree and, if asked to, compares every leaf; gives the tree. Of a file that is not
    /// sealed there must be nothing.
    pub(crate) fn measure(&mut self, file: &ModelFile, sealed: Option<&Weights>) -> Result<Vec<u8>, Refusal> {
        let (found, expected) =
            (self.image.place(file.weights).bytes, sealed.map_or(0, |weights| weights.bytes));
        let [root_code, _] = file.codes;
        if found != expected {
            let line = format!("{}weights length: found {found} bytes, expected {expected}", file.who);
            return Err(Refusal::new(root_code, &line));
        }
        let Some(weights) = sealed else { return Ok(Vec::new()) };
        let values = self.image.read(self.disk, file.tree)?;
        let tree = Tree::new(&values, weights.bytes, &weights.root);
        let tree = tree.map_err(|error| Refusal::new(root_code, &format!("{}{error}", file.who)))?;
        let [of_root, of_leaves] = file.events;
        let event = match self.measure {
            Measure::Nodes => of_root,
            Measure::Full => self.every_leaf(file, &tree).map(|()| of_leaves)?,
        };
        self.log.measure(event, &weights.root);
        Ok(values)
    }

    /// Reads the tags of a file whose leaves are encrypted; of any other there must be none.
    pub(crate) fn tags(&mut self, file: &ModelFile, encrypted: Option<&Weights>) -> Result<Vec<u8>, Refusal> {
        let (found, expected) =
            (self.image.place(file.tags).bytes, encrypted.map_or(0, |weights| tags_bytes(weights.bytes)));
        if found != expected {
            let [root_code, _] = file.codes;
            let line = format!("{}weights tags: found {found} bytes, expected {expected}", file.who);
            return Err(Refusal::new(root_code, &line));
        }
        self.image.read(self.disk, file.tags)
    }

    fn every_leaf(&mut self, file: &ModelFile, tree: &Tree<'_>) -> Result<(), Refusal> {
        let mut checked = Ok(());
        let mut next = 0..tree.leaves();
        let lanes = self.lanes;
        let mut take = |bytes: &[u8]| {
            let mut leaves = bytes.chunks(usize::try_from(LEAF_BYTES).unwrap_or(usize::MAX));
            checked = leaves.try_for_each(|leaf| {
                let number = next.next().ok_or(LeafMismatch { leaf: u64::MAX })?;
                tree.check(lanes, number, leaf)
            });
            checked.is_ok()
        };
        let read = self.disk.stream(self.image.place(file.weights).start, tree.file_bytes(), &mut take);
        let who = file.who;
        read.map_err(|error| Refusal::new(ExitCode::DiskRead, &format!("{who}weights: {error}")))?;
        let [_, leaf_code] = file.codes;
        checked.map_err(|error| Refusal::new(leaf_code, &format!("{who}{error}")))
    }
}
