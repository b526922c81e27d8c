//! Writes small GGUF files in memory: fixtures for tests and benches, here and in other crates.

use alloc::vec::Vec;

/// Bytes of a GGUF file in the making. Entries appear in the order they are added.
#[derive(Clone, Debug, Default)]
pub struct GgufWriter {
    metadata: Vec<u8>,
    metadata_count: u64,
    infos: Vec<u8>,
    tensor_count: u64,
    data: Vec<u8>,
}

/// Alignment of what this writer makes.
const ALIGNMENT: usize = 32;

impl GgufWriter {
    /// An empty file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metadata entry whose value is already encoded after its type number.
    #[must_use]
    pub fn raw(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        put_string(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend(value);
        self.metadata_count += 1;
        self
    }

    /// Adds a 32-bit unsigned integer.
    #[must_use]
    pub fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, 4, &value.to_le_bytes())
    }

    /// Adds a 32-bit float.
    #[must_use]
    pub fn f32(self, key: &str, value: f32) -> Self {
        self.raw(key, 6, &value.to_le_bytes())
    }

    /// Adds a boolean.
    #[must_use]
    pub fn bool(self, key: &str, value: bool) -> Self {
        self.raw(key, 7, &[value.into()])
    }

    /// Adds a string.
    #[must_use]
    pub fn string(self, key: &str, value: &str) -> Self {
        let mut bytes = Vec::new();
        put_string(&mut bytes, value);
        self.raw(key, 8, &bytes)
    }

    /// Adds an array of strings.
    #[must_use]
    pub fn strings(self, key: &str, values: &[&str]) -> Self {
        let mut bytes = array_head(8, values.len());
        for value in values {
            put_string(&mut bytes, value);
        }
        self.raw(key, 9, &bytes)
    }

    /// Adds an array of 32-bit integers.
    #[must_use]
    pub fn i32s(self, key: &str, values: &[i32]) -> Self {
        let mut bytes = array_head(5, values.len());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.raw(key, 9, &bytes)
    }

    /// Adds a tensor of that ggml type at the next aligned offset; `dims` with the contiguous one first.
    #[must_use]
    pub fn tensor(mut self, name: &str, dims: &[u64], kind: u32, bytes: &[u8]) -> Self {
        self.data.resize(self.data.len().next_multiple_of(ALIGNMENT), 0);
        let offset = self.data.len() as u64;
        self.data.extend(bytes);
        self.info(name, dims, kind, offset)
    }

    /// Adds a tensor's info alone, for files that must be refused.
    #[must_use]
    pub fn info(mut self, name: &str, dims: &[u64], kind: u32, offset: u64) -> Self {
        put_string(&mut self.infos, name);
        let count = u32::try_from(dims.len()).unwrap_or(u32::MAX);
        self.infos.extend(count.to_le_bytes());
        self.infos.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
        self.infos.extend(kind.to_le_bytes());
        self.infos.extend(offset.to_le_bytes());
        self.tensor_count += 1;
        self
    }

    /// The file's bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(self.tensor_count.to_le_bytes());
        file.extend(self.metadata_count.to_le_bytes());
        file.extend(self.metadata);
        file.extend(self.infos);
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend(self.data);
        file
    }
}

fn array_head(kind: u32, items: usize) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((items as u64).to_le_bytes());
    bytes
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
