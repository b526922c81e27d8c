//! Firmware's boot logic: find, verify, measure, report, hand over.
