//! The form that answers of `vial chat` must have.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vial_grammar::{Grammar, GrammarError, Json};

use crate::failure::Failure;

/// Longest file in bytes; what a grammar may cost is bounded beside that.
const FILE_MAX: u64 = 1 << 20;

/// Flags of the form; one of them at most.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(multiple = false)]
pub(crate) struct FormArgs {
    /// Hold answers to this JSON Schema; what is not supported is refused with its path.
    ///
    /// Supported: type, properties, required, additionalProperties, enum, const, anyOf, oneOf of values that are apart, allOf,
    /// $ref within the schema, items, prefixItems, minItems, maxItems, minLength and maxLength, or pattern, or format, integers
    /// with bounds and multipleOf, numbers with whole bounds, nullable. Fields come in the order of the schema.
    #[arg(long, value_name = "FILE", visible_alias = "json-schema-file")]
    json_schema: Option<PathBuf>,
    /// Hold answers to this grammar, in llama.cpp's GBNF.
    #[arg(long, value_name = "FILE", visible_alias = "grammar-file")]
    grammar: Option<PathBuf>,
    /// Hold answers to a JSON object.
    #[arg(long)]
    json_object: bool,
}

impl FormArgs {
    /// What answers must follow; `None` where any text will do.
    pub(crate) fn grammar(&self) -> Result<Option<Arc<Grammar>>, Failure> {
        let grammar = match self {
            Self { json_schema: Some(path), .. } => of_file("--json-schema", path, of_schema),
            Self { grammar: Some(path), .. } => of_file("--grammar", path, Grammar::from_gbnf),
            Self { json_object: true, .. } => {
                Grammar::json_object().map_err(|error| Failure::new(format!("--json-object: {error}"), ""))
            }
            _ => return Ok(None),
        };
        grammar.map(|grammar| Some(Arc::new(grammar)))
    }
}

fn of_schema(text: &str) -> Result<Grammar, GrammarError> {
    Grammar::from_schema(&Json::parse(text)?)
}

fn of_file(
    flag: &str,
    path: &Path,
    read: impl FnOnce(&str) -> Result<Grammar, GrammarError>,
) -> Result<Grammar, Failure> {
    let place = format!("{flag} {}", path.display());
    let text =
        text(path).map_err(|error| Failure::new(format!("{place}: {error}"), "name a file that holds it"))?;
    let hint = "see `vial chat --help` for what is supported";
    read(&text).map_err(|error| Failure::new(format!("{place}: {error}"), hint))
}

fn text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    match file.take(FILE_MAX + 1).read_to_string(&mut text) {
        Ok(bytes) if bytes as u64 <= FILE_MAX => Ok(text),
        Ok(_) => Err(format!("found more than {FILE_MAX} bytes, expected at most that")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        form: FormArgs,
    }

    fn parsed(flags: &[&str]) -> Result<FormArgs, clap::Error> {
        Flags::try_parse_from([&["chat"], flags].concat()).map(|flags| flags.form)
    }

    /// What a flag with a file of that text gives.
    fn of(flag: &str, text: &[u8]) -> Result<Option<Arc<Grammar>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("form");
        std::fs::write(&path, text).unwrap();
        let form = parsed(&[flag, path.to_str().unwrap()]).unwrap();
        form.grammar().map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn a_form_comes_of_one_flag_by_the_names_that_people_know() {
        let schema = br#"{"type":"object","properties":{"a":{"type":"integer"}}}"#;
        for flag in ["--json-schema", "--json-schema-file"] {
            assert!(of(flag, schema).unwrap().is_some());
        }
        for flag in ["--grammar", "--grammar-file"] {
            assert!(of(flag, b"root ::= \"a\"").unwrap().is_some());
        }
        assert!(parsed(&["--json-object"]).unwrap().grammar().unwrap().is_some());
        assert!(parsed(&[]).unwrap().grammar().unwrap().is_none());
        for both in [&["--json-object", "--grammar", "a"][..], &["--json-schema", "a", "--grammar", "b"]] {
            let refused = parsed(both).unwrap_err().to_string();
            assert!(refused.contains("cannot be used with"), "{refused}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_with_flag_file_and_place() {
        let refused = |flag, text: &[u8], place| {
            let failure = of(flag, text).unwrap_err();
            assert!(failure.contains(flag) && failure.contains("form: "), "{failure}");
            assert!(failure.contains(place), "{failure}");
        };
        refused("--json-schema", br#"{"properties":{"a":{"not":{}}}}"#, "#/properties/a/not");
        refused("--json-schema", b"{\n\"type\" 7}", "line 2 column 8");
        refused("--json-schema", br#"{"a":1,"a":2}"#, "each name once");
        refused("--json-schema", b"{} {}", "line 1 column 4");
        refused("--json-schema", b"\xFF", "UTF-8");
        refused("--json-schema", &[b' '; (1 << 20) + 1], "more than 1048576 bytes");
        refused("--json-schema", &[b'['; 1000], "expected JSON");
        refused("--grammar", b"root ::= other", "line 1, column 10: rule other is not defined");
        refused("--grammar", b"", "root");
        let none = parsed(&["--grammar", "/nowhere/form"]).unwrap().grammar().unwrap_err();
        assert!(format!("{none:?}").contains("--grammar /nowhere/form: No such file"), "{none:?}");
    }
}
