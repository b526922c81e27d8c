#!/usr/bin/env python3
"""Prompts that Python's jinja2 renders from chat templates, in the sandbox of the `transformers` library.

    python3 templates.py FOLDER                  prints prompts of every *.jinja of a folder, over all cases
    python3 templates.py --few templates > templates.json
                                                 makes the committed list anew, over some of the cases

A case is a conversation with tools or none, an ending or none, and further variables. Where the template raises, the
prompt is null. Needs jinja2 from PyPI.
"""
import datetime
import itertools
import json
import pathlib
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW_S = 1_753_006_089
MARKS = {"bos_token": "<s>", "eos_token": "</s>"}

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place & what it's \"like\".",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Town, as <name>"},
                "days": {"type": "integer", "minimum": 1, "maximum": 14, "default": 3},
                "units": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "limits": {"type": "array", "items": {"type": "number"}, "description": "Größen"},
                "where": {"type": "object", "properties": {"north": {"type": "boolean"}}, "required": ["north"]},
                "either": {"type": ["string", "null"]},
            },
            "required": ["place", "days"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "The time.",
        "parameters": {"type": "object", "properties": {}},
        "return": {"type": "string", "description": "ISO 8601"},
    },
}
PLAIN = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {
            "type": "object",
            "properties": {
                "first": {"type": "integer", "description": "A number"},
                "rest": {
                    "type": "object",
                    "description": "More",
                    "additionalProperties": {"type": "number"},
                    "properties": {"second": {"type": "number", "description": "Another"}},
                },
            },
            "required": ["first"],
        },
    },
}
ARGUMENTS = {"place": "Zürich \"Nord\"", "days": 2, "limits": [0.5, 1e22, -3], "where": {"north": True}, "either": None}


def call(name, arguments, at):
    return {"id": f"call0000{at}", "type": "function", "function": {"name": name, "arguments": arguments}}


def user(content):
    return {"role": "user", "content": content}


def system(content):
    return {"role": "system", "content": content}


def answer(content, **fields):
    return {"role": "assistant", "content": content, **fields}


def result(content, at, name="get_weather"):
    return {"role": "tool", "content": content, "name": name, "tool_call_id": f"call0000{at}"}


def parts(*texts):
    return [{"type": "text", "text": text} for text in texts]


ASK = user("What's the weather in Zürich?")
CONVERSATIONS = {
    "user": [user("Hi <there> & \"you\"")],
    "system": [system("Be brief."), user("Hi")],
    "turns": [system(" Be kind.\n"), user(" One\n\ntwo "), answer("Yes: ✓\n"), user("And?"), answer("So."), user("ok")],
    "answered": [user("a"), answer("b")],
    "parts": [system("S"), user(parts("one ", "two")), answer("x"), user(parts("three"))],
    "call": [ASK, answer(None, tool_calls=[call("get_weather", ARGUMENTS, 0)]), result('{"c": 21.5}', 0)],
    "calls": [
        system("Use tools."),
        ASK,
        answer("Let me see.", tool_calls=[call("get_weather", ARGUMENTS, 1), call("clock", {}, 2)]),
        result('{"c": -1}', 1),
        result("12:00", 2, "clock"),
        answer("It is cold at noon."),
        user("Thanks"),
    ],
    "empty call": [ASK, answer("", tool_calls=[call("clock", {}, 3)]), result("", 3, "clock"), answer("No.")],
    "text arguments": [ASK, answer("", tool_calls=[call("clock", '{"a": 1}', 4)]), result("[1]", 4, "clock")],
    "reasoning": [user("1+1?"), answer("2", reasoning_content="One and\none."), user("Sure?")],
    "reasoned call": [
        ASK,
        answer("", reasoning_content="I need it.", tool_calls=[call("get_weather", {"place": "Bern"}, 5)]),
        result("sunny", 5),
    ],
    "think": [user("1+1?"), answer("<think>\nOne and one.\n</think>\n\n2"), user("Sure?"), answer("<think>x</think>y")],
    "two users": [user("a"), user("b")],
    "developer": [{"role": "developer", "content": "Be exact."}, user("Hi")],
    "answer first": [answer("I begin."), user("ok")],
    "none": [],
}
TOOLS = {"": None, "tools": [WEATHER, CLOCK], "plain": [PLAIN], "empty": []}
VARIABLES = {
    "": {},
    "thinking": {"enable_thinking": True, "thinking": True, "reasoning_effort": "high", "date_string": "1 May 2025",
                 "functions": "[{}]", "datetime": "Monday"},
    "no thinking": {"enable_thinking": False, "thinking": False, "reasoning_effort": "low", "keep_reasoning": True},
}
FEW = {
    ("user", "", True, ""),
    ("system", "", True, "thinking"),
    ("turns", "", False, ""),
    ("turns", "tools", True, "no thinking"),
    ("parts", "", True, ""),
    ("call", "tools", True, ""),
    ("calls", "tools", False, "thinking"),
    ("reasoning", "", True, ""),
    ("reasoned call", "tools", True, "thinking"),
    ("think", "", True, "no thinking"),
    ("two users", "", True, ""),
}


class Generation(Extension):
    """`{% generation %}` marks answers for training; the text is what counts here."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("text"), [], [], body).set_lineno(line)

    def text(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def strftime_now(form):
    now = datetime.datetime.fromtimestamp(NOW_S, datetime.timezone.utc)
    return now.replace(tzinfo=None).strftime(form)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = strftime_now
    return made


def cases(is_few):
    for conversation, tools, ends, variables in itertools.product(CONVERSATIONS, TOOLS, (True, False), VARIABLES):
        if not is_few or (conversation, tools, ends, variables) in FEW:
            yield {
                "name": f"{conversation}/{tools}/{ends}/{variables}",
                "messages": CONVERSATIONS[conversation],
                "tools": TOOLS[tools],
                "add_generation_prompt": ends,
                "variables": VARIABLES[variables],
            }


def prompt(template, case):
    if template is None:
        return None
    names = {name: case[name] for name in ("messages", "tools", "add_generation_prompt")}
    try:
        return template.render(**{"documents": None, **MARKS, **names, **case["variables"]})
    except Exception:
        return None


def compiled(source):
    try:
        return environment().from_string(source)
    except jinja2.exceptions.TemplateSyntaxError:
        return None


def unknown(source):
    """Filters and tests that jinja2 does not have, which it finds where they are reached; null if it reads nothing."""
    made = environment()
    try:
        used = made.parse(source)
    except jinja2.exceptions.TemplateSyntaxError:
        return None
    filters = {node.name for node in used.find_all(jinja2.nodes.Filter)} - set(made.filters)
    return sorted(filters | {node.name for node in used.find_all(jinja2.nodes.Test)} - set(made.tests))


def main():
    is_few, folder = "--few" in sys.argv, pathlib.Path(sys.argv[-1])
    listed, templates = list(cases(is_few)), []
    for path in sorted(folder.glob("*.jinja")):
        template = compiled(path.read_text())
        prompts = [prompt(template, case) for case in listed]
        templates.append({"name": path.name, "unknown": unknown(path.read_text()), "prompts": prompts})
    # One line a prompt, so that a change shows what changed.
    json.dump({"now_s": NOW_S, "marks": list(MARKS.values()), "cases": listed, "templates": templates}, sys.stdout,
              ensure_ascii=False, indent=0 if is_few else None)


main()
