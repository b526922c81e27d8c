"use strict";

/* The verifier: a request goes in as JSON, a response comes out. Each judgement has an instance, and so memory, of its own.
   Nothing is waited for, so that a verdict is there when the page is. */
function loadVerifier(base64) {
  const characters = atob(base64);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = characters.charCodeAt(at);
  const module = new WebAssembly.Module(bytes);
  return (request) => {
    const { exports } = new WebAssembly.Instance(module, {});
    const text = new TextEncoder().encode(JSON.stringify(request));
    const at = exports.input(text.length) >>> 0;
    if (at === 0) throw new Error("the files are too long");
    new Uint8Array(exports.memory.buffer, at, text.length).set(text);
    const answered = exports.judge() >>> 0;
    const response = new Uint8Array(exports.memory.buffer, answered, exports.output_bytes() >>> 0);
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(response));
  };
}
