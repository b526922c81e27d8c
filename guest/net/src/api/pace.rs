//! Streams in frames of one size.

use alloc::format;

use crate::error::ApiError;
use crate::json::Object;
use crate::paced::Pace;

/// Bytes of a frame: an event and more, and not more than a record holds.
const BYTES: core::ops::RangeInclusive<usize> = 256..=16_000;
/// Milliseconds between frames.
const MILLISECONDS: core::ops::RangeInclusive<u64> = 10..=10_000;

/// Extension `stream_frames`: bytes of each frame, and milliseconds from one to the next.
pub(super) fn pace(body: &Object<'_>) -> Result<Option<Pace>, ApiError> {
    let Some(field) = body.find("stream_frames") else { return Ok(None) };
    if !body.read("stream", "a flag")?.unwrap_or(false) {
        return Err(ApiError::invalid("stream_frames", "expected \"stream\": true beside it"));
    }
    let object = field.object(&["bytes", "milliseconds"])?;
    let bytes = object.require("bytes", "a number of bytes")?.read("a number of bytes")?;
    let milliseconds = object.require("milliseconds", "a number")?.read("a number")?;
    let outside = |name: &str, found: u64, least: u64, most: u64| {
        ApiError::invalid(&object.path(name), format!("found {found}, expected {least} to {most}"))
    };
    if !BYTES.contains(&bytes) {
        return Err(outside("bytes", bytes as u64, *BYTES.start() as u64, *BYTES.end() as u64));
    }
    if !MILLISECONDS.contains(&milliseconds) {
        return Err(outside("milliseconds", milliseconds, *MILLISECONDS.start(), *MILLISECONDS.end()));
    }
    Ok(Some(Pace { bytes, interval_ns: milliseconds * 1_000_000 }))
}
