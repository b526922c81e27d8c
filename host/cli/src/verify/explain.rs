//! `vial verify --explain`: what a field of the policy is for.

use vial_attest::Profile;
use vial_attest::policy::{FIELDS, Field};

use crate::failure::Failure;
use crate::terminal::{Style, print};

/// Prints one field, or all.
pub(super) fn run(name: &str) -> Result<(), Failure> {
    let fields: Vec<_> = FIELDS.iter().filter(|field| name == "all" || field.name == name).collect();
    if fields.is_empty() {
        let text = format!("--explain: found {name:?}, expected a field of the policy, or all");
        return Err(Failure::new(text, "`vial verify --explain all` lists them"));
    }
    fields.into_iter().flat_map(lines).for_each(|line| print(&line));
    Ok(())
}

fn lines(field: &Field) -> Vec<String> {
    let profiles = Profile::ALL.map(|profile| {
        format!("{} {}", profile.name(), field.default_of(profile).unwrap_or("(must be stated)"))
    });
    vec![
        format!("{}  {}", Style::Good.paint(field.name), field.says),
        format!("    holds {}, or any", field.kind),
        format!("    {}", Style::Dim.paint(&profiles.join(" · "))),
    ]
}
