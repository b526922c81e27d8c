//! The guest programs an image is made of.

use std::path::Path;

use crate::ImageError;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Firmware, kernel and engine ELF files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// ROM and boot program.
    pub firmware: Vec<u8>,
    /// Kernel.
    pub kernel: Vec<u8>,
    /// Engine.
    pub engine: Vec<u8>,
}

impl Guest {
    /// The programs this vial was built with.
    ///
    /// # Errors
    /// It was built without.
    pub fn embedded() -> Result<Self, ImageError> {
        let [firmware, kernel, engine] = EMBEDDED.ok_or(ImageError::NoGuest)?;
        Ok(Self { firmware: firmware.to_vec(), kernel: kernel.to_vec(), engine: engine.to_vec() })
    }

    /// The programs `firmware.elf`, `kernel.elf` and `engine.elf` of a folder.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn from_folder(folder: &Path) -> Result<Self, ImageError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| ImageError::Read { path, error })
        };
        Ok(Self { firmware: read("firmware.elf")?, kernel: read("kernel.elf")?, engine: read("engine.elf")? })
    }
}
