//! Sizes of the measured programs.

use super::table::Report;
use crate::guest::Builder;
use anyhow::Result;

/// Adds them.
pub(super) fn measure(report: &mut Report) -> Result<()> {
    let folder = Builder::new()?.folder();
    let mut all = 0;
    let mut rows = Vec::new();
    for name in ["firmware", "kernel", "engine"] {
        let bytes = std::fs::metadata(folder.join(format!("{name}.elf")))?.len();
        all += bytes;
        rows.push(vec![name.to_owned(), format!("{bytes}"), String::new()]);
    }
    rows.push(vec!["all".to_owned(), format!("{all}"), format!("at most {}", 4 << 20)]);
    report.table("Measured programs", &["program", "bytes", "wanted"], &rows);
    Ok(())
}
