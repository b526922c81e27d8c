#!/usr/bin/env python3
"""JSON Schemas with texts that follow them or do not, as the `jsonschema` package says.

    python3 schemas.py > schemas.json     makes the committed list anew: 300 seeded schemas, texts for each
    python3 schemas.py check < LINES      checks texts that grammars gave: one JSON object {"schema": number, "text": …} a
                                          line, as `cargo run -p vial-grammar --example walks` prints them

A text under "made" follows its schema in the form that grammars give (fields in the schema's order, compact). Those under
"valid" and "invalid" are changed at random places. Needs jsonschema from PyPI.
"""
import copy
import json
import pathlib
import random
import sys

import jsonschema

COUNT = 300
WORDS = ["a", "ab", "name", "Größe", "x y", "\"q\"", "日本", "n/0", "~", "id", "kind", "list", "deep", "\n"]
PATTERNS = [
    ("^[a-z]{2,4}$", ["ab", "wxyz"]),
    ("^(yes|no)$", ["yes", "no"]),
    ("^\\d{3}-\\d{2}$", ["123-45"]),
    ("^[A-Z][a-z]*( [A-Z][a-z]*)?$", ["Ada", "Ada Lovelace"]),
    ("^#[0-9a-fA-F]{6}$", ["#00ffAA"]),
    ("[aeiou]", ["bed", "e"]),
    ("^[^\\s\"]+$", ["a-b", "\\"]),
]
FORMATS = {
    "date": ["2024-02-29", "1999-12-31"],
    "email": ["ada@example.org"],
    "ipv4": ["10.1.2.255"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000"],
}


class Maker:
    """Makes a schema, and for each schema a function that makes values."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.definitions = {}

    def schema(self, depth):
        leaves = [self.string, self.integer, self.number, self.word, self.enum, self.types]
        nests = [self.object, self.object, self.array, self.any_of, self.one_of, self.all_of, self.reference]
        return self.random.choice(leaves if depth <= 0 else leaves + nests * 2)(depth - 1)

    def text(self, least=0, most=6):
        return "".join(self.random.choice("abz é\"\\\n😀/") for _ in range(self.random.randint(least, most)))

    def string(self, _):
        kind = self.random.randrange(5)
        if kind == 0:
            pattern, samples = self.random.choice(PATTERNS)
            return {"type": "string", "pattern": pattern}, lambda: self.random.choice(samples)
        if kind == 1:
            name = self.random.choice(list(FORMATS))
            return {"type": "string", "format": name}, lambda: self.random.choice(FORMATS[name])
        if kind == 2:
            least, most = self.random.randint(0, 3), self.random.randint(3, 9)
            return {"type": "string", "minLength": least, "maxLength": most}, lambda: self.text(least, most)
        return {"type": "string"}, self.text

    def integer(self, _):
        low, high = sorted(self.random.randint(-10 ** self.random.randint(1, 6), 10 ** self.random.randint(1, 6)) for _ in "ab")
        kind = self.random.randrange(5)
        if kind == 0:
            return {"type": "integer"}, lambda: self.random.randint(-(10**9), 10**9)
        if kind == 1:
            return {"type": "integer", "minimum": low}, lambda: self.random.randint(low, low + 10**6)
        if kind == 2:
            step = self.random.randint(2, 9)
            schema = {"type": "integer", "multipleOf": step, "minimum": 0, "maximum": 500}
            return schema, lambda: step * self.random.randint(0, 500 // step)
        if kind == 3:
            schema = {"type": "integer", "exclusiveMinimum": low - 1, "exclusiveMaximum": high + 1}
            return schema, lambda: self.random.randint(low, high)
        return {"type": "integer", "minimum": low, "maximum": high}, lambda: self.random.randint(low, high)

    def number(self, _):
        low = self.random.randint(-100, 100)
        high = low + self.random.randint(1, 50)
        between = lambda: round(self.random.uniform(low + 0.01, high - 0.01), 2)
        return self.random.choice(
            [
                ({"type": "number"}, lambda: round(self.random.uniform(-1000, 1000), 3)),
                ({"type": "number", "minimum": low, "maximum": high}, between),
                ({"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": high}, between),
                ({"type": "number", "maximum": high}, between),
            ]
        )

    def word(self, _):
        return self.random.choice(
            [({"type": "boolean"}, lambda: self.random.random() < 0.5), ({"type": "null"}, lambda: None)]
        )

    def enum(self, _):
        values = self.random.sample(["red", "green", 1, 2.5, None, True, ["x"], {"k": 1}, "é\"", ""], self.random.randint(1, 4))
        if len(values) == 1:
            return {"const": values[0]}, lambda: values[0]
        return {"enum": values}, lambda: self.random.choice(values)

    def types(self, _):
        makers = {"string": self.text, "integer": lambda: self.random.randint(-9, 9), "null": lambda: None, "boolean": lambda: True}
        names = self.random.sample(list(makers), self.random.randint(2, 3))
        return {"type": names}, lambda: makers[self.random.choice(names)]()

    def object(self, depth):
        names = self.random.sample(WORDS, self.random.randint(0, 4))
        fields = {name: self.schema(depth) for name in names}
        required = [name for name in names if self.random.random() < 0.6]
        schema = {"type": "object", "properties": {name: schema for name, (schema, _) in fields.items()}, "required": required}
        extra = None
        kind = self.random.randrange(4)
        if kind == 0:
            schema["additionalProperties"] = False
        elif kind == 1:
            schema["additionalProperties"], extra = self.schema(0)

        def make():
            value = {name: one() for name, (_, one) in fields.items() if name in required or self.random.random() < 0.5}
            if extra and self.random.random() < 0.5:
                value["further"] = extra()
            return value

        return schema, make

    def array(self, depth):
        item, make_item = self.schema(depth)
        if self.random.random() < 0.3:
            first, make_first = self.schema(0)
            schema = {"type": "array", "prefixItems": [first], "items": item, "minItems": 1, "maxItems": 3}
            return schema, lambda: [make_first()] + [make_item() for _ in range(self.random.randint(0, 2))]
        least, most = self.random.randint(0, 2), self.random.randint(2, 4)
        schema = {"type": "array", "items": item}
        if self.random.random() < 0.7:
            schema |= {"minItems": least, "maxItems": most}
        return schema, lambda: [make_item() for _ in range(self.random.randint(least, most))]

    def any_of(self, depth):
        choices = [self.schema(depth) for _ in range(self.random.randint(1, 3))]
        return {"anyOf": [schema for schema, _ in choices]}, lambda: self.random.choice(choices)[1]()

    def one_of(self, depth):
        fields = [self.schema(depth) for _ in "ab"]
        choices = [
            {
                "type": "object",
                "properties": {"kind": {"const": kind}, "value": schema},
                "required": ["kind", "value"],
                "additionalProperties": False,
            }
            for kind, (schema, _) in zip("ab", fields)
        ]

        def make():
            at = self.random.randrange(2)
            return {"kind": "ab"[at], "value": fields[at][1]()}

        return {"oneOf": choices}, make

    def all_of(self, depth):
        (one, make_one), (other, make_other) = self.schema(depth), self.schema(0)
        schemas = [{"type": "object", "properties": {"one": one}, "required": ["one"]}, {"properties": {"other": other}}]
        return {"allOf": schemas}, lambda: {"one": make_one(), "other": make_other()}

    def reference(self, depth):
        name = f"d{len(self.definitions)}"
        self.definitions[name] = None
        inner, make_inner = self.schema(depth)
        pointer = {"$ref": f"#/$defs/{name}"}
        self.definitions[name] = {
            "type": "object",
            "properties": {"value": inner, "next": {"anyOf": [{"type": "null"}, pointer]}},
            "required": ["value", "next"],
            "additionalProperties": False,
        }

        def make(left=2):
            return {"value": make_inner(), "next": make(left - 1) if left and self.random.random() < 0.5 else None}

        return pointer, make

    def changed(self, value):
        """The value with one place changed."""
        value = copy.deepcopy(value)
        strange = self.random.choice([None, True, 0, -7, 1.5, 10**7, "", "zz", [], {}, ["x", "x", "x", "x", "x"], {"more": 1}])
        if isinstance(value, dict) and value and self.random.random() < 0.8:
            key = self.random.choice(list(value))
            if self.random.random() < 0.3:
                del value[key]
            else:
                value[key] = self.changed(value[key])
            return value
        if isinstance(value, list) and value and self.random.random() < 0.8:
            at = self.random.randrange(len(value))
            value[at] = self.changed(value[at])
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self.random.random() < 0.5:
            return value + self.random.choice([-1, 1, 1000, 0.5])
        return strange


def validator(schema):
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def entry(seed):
    maker = Maker(seed)
    schema, make = maker.schema(3)
    if maker.definitions:
        schema = {**schema, "$defs": maker.definitions}
    checker = validator(schema)
    made = [make() for _ in range(2)]
    assert all(checker.is_valid(value) for value in made), (schema, made)
    texts = {"made": sorted({dump(value) for value in made}), "valid": set(), "invalid": set()}
    for _ in range(4):
        changed = maker.changed(maker.random.choice(made))
        texts["valid" if checker.is_valid(changed) else "invalid"].add(dump(changed))
    return {"schema": schema, **{name: sorted(found) for name, found in texts.items()}}


def check(lines):
    schemas = json.loads(pathlib.Path(__file__).with_name("schemas.json").read_text())
    checkers = [validator(entry["schema"]) for entry in schemas]
    count = 0
    for line in lines:
        found = json.loads(line)
        value = json.loads(found["text"])
        errors = [error.message for error in checkers[found["schema"]].iter_errors(value)]
        assert not errors, (schemas[found["schema"]]["schema"], found["text"], errors)
        count += 1
    print(f"{count} texts follow their schemas")


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check(sys.stdin)
    else:
        print("[\n" + ",\n".join(dump(entry(seed)) for seed in range(COUNT)) + "\n]")
