//! Vectors in OpenAI's form.

use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding as _};
use serde_json::json;

use crate::api::{Encoding, Form};
use crate::error::ApiError;

/// The body that tells `vectors`, one an input, as pooled: they are cut to the dimensions asked for and then made one
/// unit long.
///
/// # Errors
/// A vector that is no numbers, or has fewer elements than asked for.
pub(crate) fn body(
    model: &str,
    form: Form,
    vectors: &[Vec<f32>],
    tokens: usize,
) -> Result<Vec<u8>, ApiError> {
    let mut out = Vec::from(&br#"{"object":"list","data":["#[..]);
    for (index, vector) in vectors.iter().enumerate() {
        let unit = unit(vector, form.dimensions)
            .ok_or_else(|| ApiError::server("the model's states are no numbers"))?;
        let comma = if index == 0 { "" } else { "," };
        out.extend(
            alloc::format!(r#"{comma}{{"object":"embedding","index":{index},"embedding":"#).into_bytes(),
        );
        out.extend(written(&unit, form.encoding));
        out.push(b'}');
    }
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    let rest = alloc::format!(r#"],"model":{},"usage":{usage}}}"#, json!(model));
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

/// The first elements, divided by their length; all zeros stay so.
fn unit(vector: &[f32], dimensions: Option<usize>) -> Option<Vec<f32>> {
    let kept = vector.get(..dimensions.unwrap_or(vector.len()))?;
    let squares: f64 = kept.iter().map(|&element| f64::from(element) * f64::from(element)).sum();
    let length = libm::sqrt(squares);
    if !length.is_finite() {
        return None;
    }
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "rounded to the precision that is told")]
    Some(kept.iter().map(|&element| (f64::from(element) * scale) as f32).collect())
}

fn written(vector: &[f32], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Float => serde_json::to_vec(vector).unwrap_or_default(),
        Encoding::Base64 => quoted(vector).into_bytes(),
    }
}

fn quoted(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|element| element.to_le_bytes()).collect();
    alloc::format!("\"{}\"", Base64::encode_string(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use serde_json::Value;

    fn told(encoding: Encoding, dimensions: Option<usize>, vectors: &[Vec<f32>]) -> Value {
        serde_json::from_slice(&body("m\"", Form { encoding, dimensions }, vectors, 7).unwrap()).unwrap()
    }

    #[test]
    fn vectors_are_cut_and_then_one_unit_long() {
        let told = told(Encoding::Float, Some(2), &[vec![3.0, 4.0, 100.0], vec![0.0, 0.0, 1.0]]);
        assert_eq!(told["object"], "list");
        assert_eq!(told["data"][0], json!({ "object": "embedding", "index": 0, "embedding": [0.6, 0.8] }));
        assert_eq!(told["data"][1]["embedding"], json!([0.0, 0.0]));
        assert_eq!(
            (&told["model"], &told["usage"]),
            (&json!("m\""), &json!({ "prompt_tokens": 7, "total_tokens": 7 }))
        );
    }

    #[test]
    fn base64_is_of_little_endian_floats() {
        // Source: Python's `base64.b64encode(struct.pack("<2f", 0.6, 0.8))`.
        let told = told(Encoding::Base64, None, &[vec![3.0, 4.0]]);
        assert_eq!(told["data"][0]["embedding"], "mpkZP83MTD8=");
    }

    #[test]
    fn vectors_that_are_no_numbers_or_too_short_are_refused() {
        let refused = |dimensions, vector: Vec<f32>| {
            body("m", Form { encoding: Encoding::Float, dimensions }, &[vector], 1).unwrap_err().status
        };
        assert_eq!(refused(None, vec![1.0, f32::NAN]), 500);
        assert_eq!(refused(None, vec![f32::INFINITY]), 500);
        assert_eq!(refused(Some(3), vec![1.0, 2.0]), 500);
        assert_eq!(
            told(Encoding::Float, None, &[vec![f32::MAX, f32::MAX]])["data"][0]["embedding"][0],
            0.707_106_77
        );
    }
}
