//! What opens a leaf, and what does not.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::tree::{LeafMismatch, TreeError};

const ROOT: [u8; 32] = [7; 32];

fn owner() -> OwnerKey {
    OwnerKey::new(&core::array::from_fn(|at| u8::try_from(at).unwrap()))
}

fn cipher(owner: &OwnerKey, id: ImageId, file: File) -> Cipher {
    owner.image_key(&id).cipher(id, file)
}

fn id() -> ImageId {
    ImageId::new(&ROOT, None)
}

fn plain() -> Vec<u8> {
    (0..=250_u8).cycle().take(128 << 10).collect()
}

/// Leaf 5 of the model, encrypted, and its tag.
fn sealed() -> (Vec<u8>, [u8; TAG_BYTES]) {
    let mut bytes = plain();
    let tag = cipher(&owner(), id(), File::Model).encrypt(5, &mut bytes).unwrap();
    (bytes, tag)
}

#[test]
fn a_leaf_is_opened_where_it_lies_by_the_key_it_was_sealed_with() {
    let (mut bytes, tag) = sealed();
    assert!(bytes != plain() && bytes.len() == plain().len());
    assert_eq!(sealed(), (bytes.clone(), tag), "two times the same");
    cipher(&owner(), id(), File::Model).decrypt(5, &mut bytes, &tag).unwrap();
    assert!(bytes == plain());
}

#[test]
fn another_leaf_file_image_key_tag_or_byte_opens_nothing() {
    let (bytes, tag) = sealed();
    let refused = |cipher: &Cipher, leaf, tag: &[u8; TAG_BYTES], bytes: &[u8]| {
        let mut copy = bytes.to_vec();
        assert_eq!(cipher.decrypt(leaf, &mut copy, tag), Err(LeafMismatch { leaf }));
        assert!(copy == bytes, "nothing of it is opened");
    };
    let right = cipher(&owner(), id(), File::Model);
    refused(&right, 4, &tag, &bytes);
    refused(&cipher(&owner(), id(), File::Draft), 5, &tag, &bytes);
    let other = [8; 32];
    for id in [ImageId::new(&other, None), ImageId::new(&ROOT, Some(&other))] {
        refused(&cipher(&owner(), id, File::Model), 5, &tag, &bytes);
    }
    refused(&cipher(&OwnerKey::new(&[1; 32]), id(), File::Model), 5, &tag, &bytes);
    refused(&right, 5, &tag, &bytes[..bytes.len() - 1]);
    for at in 0..TAG_BYTES {
        let mut tag = tag;
        tag[at] ^= 1;
        refused(&right, 5, &tag, &bytes);
    }
    for at in [0, 77, bytes.len() - 1] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        refused(&right, 5, &tag, &bytes);
    }
}

/// A key schedule that took the image id from elsewhere would let one key and nonce meet two texts.
#[test]
fn associated_data_alone_tells_leaves_files_and_images_apart() {
    let (mut bytes, tag) = sealed();
    let Cipher { aead, .. } = cipher(&owner(), id(), File::Model);
    let moved = Cipher { aead, id: id(), file: File::Draft };
    assert_eq!(moved.decrypt(5, &mut bytes, &tag), Err(LeafMismatch { leaf: 5 }));
    let moved = Cipher { file: File::Model, id: ImageId::new(&[8; 32], None), ..moved };
    assert_eq!(moved.decrypt(5, &mut bytes, &tag), Err(LeafMismatch { leaf: 5 }));
    Cipher { id: id(), ..moved }.decrypt(5, &mut bytes, &tag).unwrap();
}

#[test]
fn the_key_check_knows_its_key_and_image_alone() {
    let check = |owner: &OwnerKey, id: ImageId| owner.image_key(&id).check(&id);
    let right = check(&owner(), id());
    assert_eq!(right, check(&owner(), id()));
    assert_ne!(right, check(&OwnerKey::new(&[1; 32]), id()));
    assert_ne!(right, check(&owner(), ImageId::new(&[8; 32], None)));
    assert_ne!(right, *owner().image_key(&id()).bytes());
}

#[test]
fn keys_are_never_shown() {
    use alloc::format;
    assert_eq!(format!("{:?} {:?}", owner(), owner().image_key(&id())), "OwnerKey(..) ImageKey(..)");
}

#[test]
fn tags_that_are_missing_or_too_many_are_refused_by_their_length() {
    let cipher = || cipher(&owner(), id(), File::Model);
    for len in [0, 31, 48] {
        let tags = vec![0; len];
        let refused = Decryptor::new(cipher(), &tags, 200_000).unwrap_err();
        assert_eq!(refused, TreeError::Tags { found: len as u64, expected: 32 });
    }
    let (mut bytes, tag) = sealed();
    let tags = [[0; TAG_BYTES], tag].concat();
    let decryptor = Decryptor::new(cipher(), &tags, 200_000).unwrap();
    assert_eq!(decryptor.decrypt(2, &mut bytes), Err(LeafMismatch { leaf: 2 }));
}
