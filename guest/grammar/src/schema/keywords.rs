//! Which keyword means what to this crate.

/// Keywords that change what is valid and are not supported.
pub(super) const REFUSED: [&str; 17] = [
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "dependentSchemas",
    "dependentRequired",
    "dependencies",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "$dynamicRef",
    "$recursiveRef",
    "extends",
];

/// Keywords of objects, arrays, strings and numbers: a schema without `type` that has one is taken to mean that type.
pub(super) const OF_OBJECT: [&str; 5] =
    ["properties", "required", "additionalProperties", "minProperties", "maxProperties"];
pub(super) const OF_ARRAY: [&str; 6] =
    ["items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"];
pub(super) const OF_STRING: [&str; 4] = ["minLength", "maxLength", "pattern", "format"];
pub(super) const OF_NUMBER: [&str; 5] =
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
