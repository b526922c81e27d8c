//! The page of a verdict: one HTML file that holds the verifier (`vial-wasm`) and a question, and judges it in a browser.
//!
//! All of it is inline and nothing is loaded. Its Content-Security-Policy allows one style, one script, by their digests, and
//! WebAssembly; no network, no other script, and no text that becomes markup. What the question holds is data of strangers: it
//! stands in an element that is no script, with nothing in it that could end the element, and is shown as text.
//!
//! Invariant: pages of one question have the same bytes.
#![forbid(unsafe_code)]

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};
use vial_attest::Question;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

const PAGE: &str = include_str!("web/page.html");
const STYLE: &str = include_str!("web/page.css");
const SCRIPT: &str = concat!(include_str!("web/verifier.js"), "\n", include_str!("web/page.js"));

/// There is no verifier to put into a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoVerifier;

impl core::fmt::Display for NoVerifier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("found no verifier for pages in this vial, expected it to be built with one")
    }
}

impl core::error::Error for NoVerifier {}

/// The page that asks a question.
///
/// # Errors
/// This was built without the verifier.
pub fn page(question: &Question) -> Result<String, NoVerifier> {
    VERIFIER.map(|verifier| page_with(question, verifier)).ok_or(NoVerifier)
}

fn page_with(question: &Question, verifier: &[u8]) -> String {
    let parts = [
        ("{policy}", content_security_policy()),
        ("{style}", STYLE.to_owned()),
        ("{question}", data(question)),
        ("{verifier}", Base64::encode_string(verifier)),
        ("{script}", SCRIPT.to_owned()),
    ];
    let mut rest = PAGE;
    let mut page = String::new();
    // In the order of the page, and once: what a part holds is never looked at again.
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).unwrap_or((rest, ""));
        page.extend([before, &part]);
        rest = after;
    }
    page + rest
}

/// One style, one script and WebAssembly; no network; no markup made of text where browsers know trusted types.
fn content_security_policy() -> String {
    let [style, script] = [STYLE, SCRIPT].map(digest);
    format!(
        "default-src 'none'; style-src {style}; script-src {script} 'wasm-unsafe-eval'; base-uri 'none'; \
         form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

fn digest(text: &str) -> String {
    format!("'sha256-{}'", Base64::encode_string(&Sha256::digest(text)))
}

/// The question as JSON for an element of data: without the one character that could end it.
fn data(question: &Question) -> String {
    // Our own structs have string keys and finite numbers; nothing else fails.
    serde_json::to_string(question).unwrap_or_default().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Question {
        Question {
            subject: "</script><script>alert(1)</script><!--{script}".to_owned(),
            ..Question::default()
        }
    }

    #[test]
    fn a_question_cannot_end_its_element_and_is_read_back_as_it_was() {
        let page = page_with(&hostile(), b"\0asm");
        assert_eq!(page.matches("<script").count(), PAGE.matches("<script").count());
        let (_, rest) = page.split_once("id=\"question\">").unwrap();
        let (json, _) = rest.split_once("</script>").unwrap();
        assert_eq!(serde_json::from_str::<Question>(json).unwrap(), hostile());
    }

    #[test]
    fn every_part_stands_in_its_place_and_pages_of_one_question_are_the_same() {
        let page = page_with(&hostile(), b"\0asm");
        for part in ["'sha256-", "AGFzbQ==", STYLE, SCRIPT] {
            assert!(page.contains(part), "{}", part.chars().take(20).collect::<String>());
        }
        assert_eq!(page, page_with(&hostile(), b"\0asm"));
    }

    #[test]
    fn nothing_is_loaded_and_nothing_makes_markup_of_text() {
        for word in [
            "http:",
            "https:",
            "src=",
            "href=",
            "@import",
            "url(",
            "fetch(",
            "innerHTML",
            "insertAdjacent",
            "eval(",
        ] {
            let parts = [PAGE, STYLE, SCRIPT];
            assert!(!parts.iter().any(|part| part.contains(word)), "{word}");
        }
        assert!(content_security_policy().starts_with("default-src 'none'; style-src 'sha256-"));
    }
}
