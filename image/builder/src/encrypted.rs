//! Keys of what is sealed, and what the manifest says of them.

use vial_weights::cipher::{Cipher, File, ImageId, OwnerKey};
use vial_weights::manifest::Encryption;

use crate::ImageError;
use crate::model::Model;
use crate::stream::Hashed;

/// Both files' ciphers, and what they were made for.
pub(crate) struct Ciphers {
    model: Cipher,
    draft: Cipher,
    encryption: Encryption,
}

impl Ciphers {
    /// Reads both files for their roots; tells `progress` the bytes done so far.
    pub(crate) fn new(
        owner: &OwnerKey,
        model: &Model<'_>,
        draft: Option<&Model<'_>>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, ImageError> {
        let plaintext_root = model.root(progress)?;
        let before = model.bytes;
        let draft = draft.map(|draft| draft.root(&mut |done| progress(before + done))).transpose()?;
        let id = ImageId::new(&plaintext_root, draft.as_ref());
        let key = owner.image_key(&id);
        let (model, of_draft) = (key.cipher(id, File::Model), key.cipher(id, File::Draft));
        let encryption =
            Encryption { plaintext_root, draft_plaintext_root: draft, key_check: key.check(&id) };
        Ok(Self { model, draft: of_draft, encryption })
    }

    /// Of a file.
    pub(crate) fn get(&self, file: File) -> &Cipher {
        match file {
            File::Model => &self.model,
            File::Draft => &self.draft,
        }
    }

    /// What the manifest says, if what was copied is what the ciphers were made for.
    pub(crate) fn encryption(
        &self,
        (model, hashed): (&Model<'_>, &Hashed),
        draft: Option<&(&Model<'_>, Hashed)>,
    ) -> Result<Encryption, ImageError> {
        model.check(&self.encryption.plaintext_root, hashed)?;
        if let Some(((model, hashed), root)) = draft.zip(self.encryption.draft_plaintext_root) {
            model.check(&root, hashed)?;
        }
        Ok(self.encryption)
    }
}
