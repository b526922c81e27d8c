//! Whether an appliance has room for what an image holds beside its weights: firmware places that in an area of fixed length.

use std::path::Path;
use vial_abi::call::REPORT_OUT_BYTES;
use vial_abi::memory::{BLOBS_MAX_BYTES, PAGE, round_up};
use vial_weights::header::{Part, SealedHeader};
use vial_weights::manifest::MANIFEST_MAX;

use crate::ImageError;

/// Parts that firmware places there, each on pages of its own.
const PARTS: [Part; 5] = [Part::Bundle, Part::Tree, Part::DraftTree, Part::Tags, Part::DraftTags];
/// Firmware's event log: seven events of less than 100 bytes, and a first one.
const LOG_MAX: u64 = PAGE;

/// Refuses an image of this model whose parts firmware would find no place for.
pub(crate) fn check(model: &Path, header: &SealedHeader) -> Result<(), ImageError> {
    let (found, expected) = (bytes(header), BLOBS_MAX_BYTES);
    if found <= expected {
        Ok(())
    } else {
        Err(ImageError::Blobs { path: model.to_owned(), found, expected })
    }
}

/// Bytes of the area that they take. The manifest is not written yet, log and report never are: they count as they can become at
/// most, a page each.
fn bytes(header: &SealedHeader) -> u64 {
    let others = [MANIFEST_MAX as u64, LOG_MAX, REPORT_OUT_BYTES as u64];
    let lens = PARTS.iter().map(|part| header.place(*part).len).chain(others);
    lens.fold(0, |all, len| all.saturating_add(round_up(len, PAGE)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vial_weights::cipher::tags_bytes;
    use vial_weights::tree::{LEAF_BYTES, leaves};

    /// Lengths of an image of models of so many leaves.
    fn checked(bundle: u64, [model, draft]: [u64; 2], is_encrypted: bool) -> Result<(), (u64, u64)> {
        let tags = |leaves: u64| if is_encrypted { tags_bytes(leaves * LEAF_BYTES) } else { 0 };
        let lens = Part::ALL.map(|part| match part {
            Part::Bundle => bundle,
            Part::Tree => leaves(model * LEAF_BYTES) * 32,
            Part::DraftTree => leaves(draft * LEAF_BYTES) * 32,
            Part::Tags => tags(model),
            Part::DraftTags => tags(draft),
            Part::Weights => model * LEAF_BYTES,
            _ => 4000,
        });
        let header = SealedHeader::plan(lens, 1 << 20, 1 << 20);
        check(Path::new("a"), &header).map_err(|error| match error {
            ImageError::Blobs { found, expected, .. } => (found, expected),
            other => unreachable!("{other}"),
        })
    }

    /// Manifest and log have a page each, the report all that it may take.
    const ROOM: u64 = BLOBS_MAX_BYTES - 2 * PAGE - REPORT_OUT_BYTES as u64;

    #[test]
    fn an_image_is_refused_from_the_first_leaf_on_that_firmware_has_no_place_for() {
        let most = ROOM / 32;
        assert_eq!(checked(0, [most, 0], false), Ok(()));
        assert_eq!(checked(0, [most + 1, 0], false), Err((BLOBS_MAX_BYTES + PAGE, BLOBS_MAX_BYTES)));
        // Tree and tags end on pages of their own.
        let most = ROOM / (PAGE * 3) * (PAGE * 3) / 48;
        assert_eq!(checked(0, [most, 0], true), Ok(()));
        assert!(checked(0, [most + 256, 0], true).is_err() && checked(0, [most + 256, 0], false).is_ok());
    }

    #[test]
    fn bundle_and_draft_model_count() {
        let most = ROOM / 32;
        assert_eq!(checked(1, [most, 0], false), Err((BLOBS_MAX_BYTES + PAGE, BLOBS_MAX_BYTES)));
        assert_eq!(checked(PAGE, [most - 128, 0], false), Ok(()));
        assert!(checked(0, [most, 1], false).is_err());
        assert!(checked(u64::MAX, [most, most], true).is_err(), "no sum overflows");
    }
}
