//! GGUF model, tokenizer, chat template, forward pass, sampler; no I/O.
