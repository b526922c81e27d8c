"""The Ollama package against an appliance behind `vial connect`: argv[1] is the address."""

import json
import sys

import ollama

client = ollama.Client(host=sys.argv[1], timeout=120)
MODEL = client.list().models[0].model
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
OPTIONS = {"temperature": 0, "num_predict": 24, "seed": 1}

whole = client.chat(model=MODEL, messages=QUESTION, options=OPTIONS)
assert "Paris" in whole.message.content and whole.done and whole.done_reason in ("stop", "length"), whole
assert 0 < whole.eval_count <= 24 and whole.prompt_eval_count > 5, whole
parts = list(client.chat(model=MODEL, messages=QUESTION, options=OPTIONS, stream=True))
assert "".join(part.message.content for part in parts) == whole.message.content, parts
assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]

answer = client.generate(model=MODEL, prompt="What is the capital of France?", options=OPTIONS)
assert answer.response == whole.message.content, answer
raw = client.generate(model=MODEL, prompt="One, two, three, four,", raw=True, options={**OPTIONS, "num_predict": 8})
assert "five" in raw.response and raw.done_reason == "length", raw

schema = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"],
          "additionalProperties": False}
formed = client.chat(model=MODEL, messages=QUESTION, format=schema, options={"temperature": 0})
assert json.loads(formed.message.content)["city"] in ("Paris", "Rome"), formed

for refused in ({"model": "another"}, {"options": {"temperature": 9.0}}, {"format": {"not": {}}}):
    try:
        client.chat(**{"model": MODEL, "messages": QUESTION, **refused})
    except ollama.ResponseError as error:
        assert error.status_code in (400, 404), (refused, error)
    else:
        raise AssertionError(f"{refused} was taken")
