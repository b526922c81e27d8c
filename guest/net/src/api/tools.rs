//! Functions that the model may call.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::ApiError;
use crate::json::{Field, JsonText, Object};

/// Most tools of a request.
const TOOLS_MAX: usize = 128;
/// Most bytes of a name.
const NAME_MAX: usize = 64;
pub(super) const NAME: &str = "1 to 64 of letters, digits, \"_\" and \"-\"";

/// A function that the model may call. Content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name: 1 to 64 ASCII letters, digits, `_` and `-`; unlike that of every other tool.
    pub name: String,
    /// JSON Schema of its arguments, an object; `None` for a function without any.
    pub parameters: Option<JsonText>,
    /// Whether arguments must follow the schema.
    pub is_strict: bool,
    /// All of it as it was sent, for the template.
    pub json: JsonText,
}

/// Whether functions are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    /// None of them.
    None,
    /// At least one.
    Required,
    /// This one. Names a tool of the request.
    Named(String),
}

/// The tools of a request, and what is to be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// In order; empty where there are none.
    pub list: Vec<Tool>,
    /// Whether they are called.
    pub choice: ToolChoice,
    /// Whether one answer may call several.
    pub is_parallel: bool,
}

pub(super) fn tools(body: &Object<'_>) -> Result<Tools, ApiError> {
    for old in ["functions", "function_call"] {
        if let Some(field) = body.find(old) {
            return Err(field.refused("\"tools\" and \"tool_choice\" instead"));
        }
    }
    let list = body.find("tools").map_or_else(|| Ok(Vec::new()), |tools| list(&tools))?;
    let choice =
        body.find("tool_choice").map_or_else(|| Ok(ToolChoice::Auto), |field| choice(&field, &list))?;
    let is_parallel = body.read("parallel_tool_calls", "a flag")?.unwrap_or(true);
    Ok(Tools { list, choice, is_parallel })
}

fn list(field: &Field<'_>) -> Result<Vec<Tool>, ApiError> {
    let mut tools: Vec<Tool> = Vec::new();
    for field in field.items(TOOLS_MAX)? {
        let tool = tool(&field)?;
        if tools.iter().any(|other| other.name == tool.name) {
            return Err(ApiError::invalid(
                field.path(),
                "found a second tool of this name, expected names that differ",
            ));
        }
        tools.push(tool);
    }
    Ok(tools)
}

fn tool(field: &Field<'_>) -> Result<Tool, ApiError> {
    let tool = field.object(&["type", "function"])?;
    let kind = tool.require("type", "\"function\"")?;
    if kind.text()? != "function" {
        return Err(kind.refused("\"function\""));
    }
    let function =
        tool.require("function", "an object")?.object(&["name", "description", "parameters", "strict"])?;
    function.read::<String>("description", "text")?;
    Ok(Tool {
        name: function_name(&function)?,
        parameters: function.find("parameters").map(|schema| object(&schema)).transpose()?,
        is_strict: function.read("strict", "a flag")?.unwrap_or(false),
        json: field.json()?,
    })
}

/// An object as JSON.
pub(super) fn object(field: &Field<'_>) -> Result<JsonText, ApiError> {
    if field.start() == b'{' { field.json() } else { Err(field.refused("an object")) }
}

/// The name of a function.
pub(super) fn function_name(function: &Object<'_>) -> Result<String, ApiError> {
    let field = function.require("name", NAME)?;
    let name = field.text()?;
    if is_name(&name) { Ok(name) } else { Err(field.refused(NAME)) }
}

/// Whether a text is a name of functions and schemas.
pub(super) fn is_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(is_fit)
}

fn choice(field: &Field<'_>, tools: &[Tool]) -> Result<ToolChoice, ApiError> {
    const EXPECTED: &str = "\"none\", \"auto\", \"required\" or a function";
    if field.start() == b'{' {
        let choice = field.object(&["type", "function"])?;
        let name = function_name(&choice.require("function", "an object")?.object(&["name"])?)?;
        let is_known = tools.iter().any(|tool| tool.name == name);
        return if is_known {
            Ok(ToolChoice::Named(name))
        } else {
            Err(field.refused("the name of one of the tools"))
        };
    }
    match field.read::<String>(EXPECTED)?.as_str() {
        "none" => Ok(ToolChoice::None),
        "auto" => Ok(ToolChoice::Auto),
        "required" if tools.is_empty() => Err(field.refused("tools beside \"required\"")),
        "required" => Ok(ToolChoice::Required),
        _ => Err(field.refused(EXPECTED)),
    }
}
