//! How model families write calls of tools.

/// The texts around a call's name and arguments.
///
/// Calls are written `open`, `before_name` NAME `before_arguments` JSON `after`, again after `between` for each further
/// call, `close`. The parser and the grammar read the same row, so that they cannot differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallFormat {
    /// The family it was met in first.
    pub name: &'static str,
    /// What tells calls from text: the beginning of `open` and `before_name`. Free text never holds it.
    pub trigger: &'static str,
    /// Whether calls come only at the start of an answer, and `trigger` means nothing after that.
    pub is_only_at_start: bool,
    /// Before the first call.
    pub open: &'static str,
    /// Before a name.
    pub before_name: &'static str,
    /// Between name and arguments.
    pub before_arguments: &'static str,
    /// After the arguments.
    pub after: &'static str,
    /// Between two calls; none if the family writes one call only.
    pub between: Option<&'static str>,
    /// After the last call.
    pub close: &'static str,
}

/// Lists of JSON objects between two marks.
const fn list(
    name: &'static str,
    trigger: &'static str,
    open: &'static str,
    close: &'static str,
) -> CallFormat {
    CallFormat {
        name,
        trigger,
        is_only_at_start: false,
        open,
        before_name: "{\"name\": \"",
        before_arguments: "\", \"arguments\": ",
        after: "}",
        between: Some(", "),
        close,
    }
}

/// One call after the other, each between marks of its own.
const fn marked(
    name: &'static str,
    before_name: &'static str,
    before_arguments: &'static str,
    after: &'static str,
) -> CallFormat {
    CallFormat {
        name,
        trigger: before_name,
        is_only_at_start: false,
        open: "",
        before_name,
        before_arguments,
        after,
        between: Some(""),
        close: "",
    }
}

const HERMES: CallFormat = CallFormat {
    trigger: "<tool_call>",
    between: Some("\n"),
    ..marked("hermes", "<tool_call>\n{\"name\": \"", "\", \"arguments\": ", "}\n</tool_call>")
};
const SMOLLM: CallFormat = list("smollm", "<tool_call>", "<tool_call>[", "]</tool_call>");
const GRANITE: CallFormat = list("granite", "<|tool_call|>", "<|tool_call|>[", "]");
const MISTRAL: CallFormat = list("mistral", "[TOOL_CALLS]", "[TOOL_CALLS][", "]");
const MISTRAL_SPACED: CallFormat = list("mistral-spaced", "[TOOL_CALLS]", "[TOOL_CALLS] [", "]");
const MISTRAL_ARGS: CallFormat = marked("mistral-args", "[TOOL_CALLS]", "[ARGS]", "");
const LLAMA: CallFormat = CallFormat {
    is_only_at_start: true,
    between: None,
    ..marked("llama-3", "{\"name\": \"", "\", \"parameters\": ", "}")
};
const FUNCTION: CallFormat = marked("functionary", "<function=", ">", "</function>");
const DEEPSEEK: CallFormat = CallFormat {
    trigger: "<｜tool▁calls▁begin｜>",
    open: "<｜tool▁calls▁begin｜>",
    between: Some("\n"),
    close: "<｜tool▁calls▁end｜>",
    ..marked(
        "deepseek",
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
        "\n```json\n",
        "\n```<｜tool▁call▁end｜>",
    )
};
const DEEPSEEK_PLAIN: CallFormat = CallFormat {
    trigger: "<｜tool▁calls▁begin｜>",
    open: "<｜tool▁calls▁begin｜>",
    close: "<｜tool▁calls▁end｜>",
    ..marked("deepseek-plain", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>")
};

/// Which format a chat template asks for: the first row all of whose signs are in it. No format: calls are written in a way
/// that is not supported, as fields of XML.
const FAMILIES: [(&[&str], Option<&CallFormat>); 13] = [
    (&["<parameter="], None),
    (&["<arg_key>"], None),
    (&["<｜tool▁call▁begin｜>", "```json"], Some(&DEEPSEEK)),
    (&["<｜tool▁call▁begin｜>"], Some(&DEEPSEEK_PLAIN)),
    (&["[TOOL_CALLS]", "[ARGS]"], Some(&MISTRAL_ARGS)),
    (&["[TOOL_CALLS] ["], Some(&MISTRAL_SPACED)),
    (&["[TOOL_CALLS]"], Some(&MISTRAL)),
    (&["<|tool_call|>"], Some(&GRANITE)),
    (&["<tool_call>["], Some(&SMOLLM)),
    (&["<tool_call>"], Some(&HERMES)),
    (&["<function="], Some(&FUNCTION)),
    (&["{\"name\": ", "\"parameters\": "], Some(&LLAMA)),
    (&["<|python_tag|>"], Some(&LLAMA)),
];

impl CallFormat {
    /// Its texts, in the order of an answer: control tokens that stand in them are part of what a model says.
    #[must_use]
    pub const fn texts(&self) -> [&'static str; 6] {
        let between = match self.between {
            Some(between) => between,
            None => "",
        };
        [self.open, self.before_name, self.before_arguments, self.after, between, self.close]
    }

    /// The format that a chat template asks for. Measured: from the model file.
    #[must_use]
    pub fn detect(template: &str) -> Option<&'static Self> {
        let has_all = |signs: &[&str]| signs.iter().all(|sign| template.contains(sign));
        FAMILIES.iter().find(|(signs, _)| has_all(signs)).and_then(|(_, format)| *format)
    }

    /// Every format there is.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        FAMILIES.iter().filter_map(|(_, format)| *format)
    }
}
