//! Which pattern a name stands for. Source: llama.cpp `llama_vocab::impl::load`, pre-tokenizers, and
//! `llm_tokenizer_bpe`.

use super::{Splitter, Words};

/// Every name that is known.
pub(crate) const KNOWN: &str = "gpt-2, phi-2, mpt, olmo, jais, trillion, granite-docling, gigachat, a.x-4.0, mellum, \
    exaone4, starcoder, refact, command-r, smollm, codeshell, exaone, minerva-7b, mellum2, llama3, llama-v3, llama-bpe, \
    falcon3, falcon-h1, pixtral, midm-2.0, lfm2, dbrx, smaug-bpe, chatglm-bpe, glm4, qwen2, deepseek-r1-qwen, kormo, \
    stablelm2, hunyuan, solar-open, megrez, grok-2, qwen35, tekken, gpt-4o, llama4, kanana2";

const GPT2: Splitter = Splitter {
    words: Words::Gpt2,
    numbers: usize::MAX,
    cuts_numbers: false,
    joins_marks: false,
    keeps_tokens: false,
    adds_bos: false,
};
const DIGITS: Splitter = Splitter { numbers: 1, cuts_numbers: true, ..GPT2 };
const LLAMA: Splitter = Splitter { words: Words::Llama, numbers: 3, ..GPT2 };
const QWEN2: Splitter = Splitter { numbers: 1, ..LLAMA };
const TEKKEN: Splitter =
    Splitter { words: Words::Cased { has_endings: false }, keeps_tokens: true, adds_bos: true, ..QWEN2 };
const GPT4O: Splitter = Splitter { words: Words::Cased { has_endings: true }, ..LLAMA };

/// The splitter of that name.
pub(super) fn named(name: &str) -> Option<Splitter> {
    Some(match name {
        "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "trillion" | "granite-docling" | "gigachat"
        | "a.x-4.0" | "mellum" | "exaone4" => GPT2,
        "starcoder" | "refact" | "command-r" | "smollm" | "codeshell" | "exaone" | "minerva-7b"
        | "mellum2" => DIGITS,
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2" => {
            Splitter { keeps_tokens: true, adds_bos: true, ..LLAMA }
        }
        "dbrx" | "smaug-bpe" | "chatglm-bpe" => LLAMA,
        "glm4" => Splitter { keeps_tokens: true, ..LLAMA },
        "qwen2" | "deepseek-r1-qwen" | "kormo" | "stablelm2" | "hunyuan" | "solar-open" | "megrez"
        | "grok-2" => QWEN2,
        "qwen35" => Splitter { joins_marks: true, ..QWEN2 },
        "tekken" => TEKKEN,
        "gpt-4o" | "llama4" | "kanana2" => GPT4O,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_a_refusal_lists_is_known() {
        let unknown = KNOWN.split(", ").find(|name| named(name).is_none());
        assert_eq!(unknown, None);
        assert_eq!(named("weird"), None);
    }
}
