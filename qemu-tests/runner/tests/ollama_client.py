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
tries = [client.chat(model=MODEL, messages=QUESTION, format=schema, options={"temperature": 1, "seed": seed, "num_predict": 64})
         for seed in range(4)]
# White space may go on for as long as it may.
ended = [one.message.content for one in tries if one.done_reason == "stop"]
assert ended and all(json.loads(text)["city"] in ("Paris", "Rome") for text in ended), tries

for refused in ({"model": "another"}, {"options": {"top_p": 7.0, "num_predict": 4}}, {"format": {"not": {}}, "options": {"num_predict": 4}}):
    try:
        client.chat(**{"model": MODEL, "messages": QUESTION, **refused})
    except ollama.ResponseError as error:
        assert error.status_code in (400, 404), (refused, error)
    else:
        raise AssertionError(f"{refused} was taken")
