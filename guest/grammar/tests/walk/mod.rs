//! Walks through masks: a model without sense, that chooses among the tokens allowed.

use std::sync::Arc;
use vial_grammar::{Grammar, Json, Mask, Matcher, TokenTrie};

/// The schemas of `measurements/vectors/schemas.json`, and texts for each.
pub(crate) fn entries() -> Vec<Json> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../measurements/vectors/schemas.json");
    let text = std::fs::read_to_string(path).expect("the committed list");
    serde_json::from_str(&text).expect("a list of objects")
}

/// The grammar of an entry's schema.
pub(crate) fn grammar(entry: &Json) -> Arc<Grammar> {
    let schema = entry.get("schema").expect("a schema");
    Arc::new(Grammar::from_schema(schema).expect("a supported schema"))
}

/// Numbers from a seed. Source: G. Marsaglia, "Xorshift RNGs", §3.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// A vocabulary in the manner of byte-level BPE: all bytes, then pieces of JSON and of words, split anyhow.
pub(crate) struct Vocabulary {
    pub(crate) tokens: Vec<Vec<u8>>,
    pub(crate) trie: TokenTrie,
    pub(crate) end: u32,
}

impl Vocabulary {
    pub(crate) fn new(size: usize) -> Self {
        let mut random = Random::new(7);
        let text = "{\"name\": \"value\", \"x y\":[1,20, -3.5e1],\n  \"é日本😀\":{\"a\":null},\"true\":false}]}}\",\"}, {\"the of id kind 2024-02-29";
        let bytes: Vec<u8> =
            text.bytes().chain((0..500).map(|_| b"abcdefghijklmnopqrst uvwxyz"[random.below(27)])).collect();
        let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        while tokens.len() < size - 1 {
            let start = random.below(bytes.len() - 8);
            let mut piece = bytes[start..start + 2 + random.below(6)].to_vec();
            let more = random.below(bytes.len() - 8);
            piece.extend_from_slice(&bytes[more..more + random.below(4)]);
            tokens.push(piece);
        }
        let end = u32::try_from(tokens.len()).expect("a small vocabulary");
        tokens.push(Vec::new());
        let trie =
            TokenTrie::new(tokens.len(), &[end], |token, out| out.extend_from_slice(&tokens[token as usize]));
        Self { tokens, trie, end }
    }
}

/// A whole text of a grammar. After some tokens, those that may close something are preferred.
pub(crate) fn walk(grammar: &Arc<Grammar>, vocabulary: &Vocabulary, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut matcher = Matcher::new(Arc::clone(grammar));
    let (mut mask, mut text) = (Mask::new(0), Vec::new());
    for step in 0..20_000 {
        matcher.mask(&vocabulary.trie, &mut mask).expect("a simple grammar");
        let closing: Vec<u32> = [vocabulary.end]
            .into_iter()
            .chain(b"\"}]".map(u32::from))
            .filter(|&token| mask.allows(token))
            .collect();
        // Some tokens stay by chance: a pattern may want more than brackets.
        let is_late = step > 40 && !closing.is_empty() && random.below(4) > 0;
        let allowed = if is_late { closing } else { mask.iter().collect() };
        let token = if is_late && allowed[0] == vocabulary.end {
            vocabulary.end
        } else {
            allowed[random.below(allowed.len())]
        };
        if token == vocabulary.end {
            assert!(matcher.is_complete());
            return text;
        }
        let bytes = &vocabulary.tokens[token as usize];
        matcher.accept_bytes(bytes).expect("an allowed token is accepted");
        text.extend_from_slice(bytes);
    }
    unreachable!("a walk that never ends");
}
