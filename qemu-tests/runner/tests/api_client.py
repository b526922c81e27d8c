"""The OpenAI package against an appliance: argv[1] is the base URL, argv[2] the part to run."""

import json
import sys
import threading

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="unused", max_retries=0, timeout=120)
MODEL = client.models.list().data[0].id
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def whole():
    """A whole answer, its usage and its probabilities."""
    answer = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=24, temperature=0, seed=1, logprobs=True, top_logprobs=3
    )
    choice = answer.choices[0]
    assert "Paris" in choice.message.content, choice
    assert choice.message.role == "assistant"
    assert choice.finish_reason in ("stop", "length"), choice
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 0 < answer.usage.completion_tokens <= 24
    tokens = choice.logprobs.content
    assert all(-50 < token.logprob <= 0 and len(token.top_logprobs) == 3 for token in tokens)
    assert "".join(token.token for token in tokens).startswith(choice.message.content)


def streamed():
    """The same tokens in pieces, then the usage."""
    options = {"max_tokens": 24, "temperature": 0, "messages": QUESTION, "model": MODEL}
    expected = client.chat.completions.create(**options)
    chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == expected.choices[0].message.content, text
    assert chunks[-1].usage.completion_tokens == expected.usage.completion_tokens
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert reasons[-1] == expected.choices[0].finish_reason and not any(reasons[:-1]), reasons


def completions():
    """Plain text, a stop string, and equal answers for equal seeds."""
    answer = client.completions.create(model=MODEL, prompt="One, two, three, four,", max_tokens=12, temperature=0)
    assert "five" in answer.choices[0].text, answer
    stopped = client.completions.create(
        model=MODEL, prompt="One, two, three, four,", max_tokens=30, temperature=0, stop=[" seven"]
    )
    assert stopped.choices[0].finish_reason == "stop" and "seven" not in stopped.choices[0].text, stopped
    draw = [
        client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=12, temperature=1, seed=seed)
        for seed in (7, 7, 8)
    ]
    texts = [one.choices[0].text for one in draw]
    assert texts[0] == texts[1] != texts[2], texts


def models():
    """One model; another one, an unknown path and a bad body raise the package's own exceptions."""
    assert len(client.models.list().data) == 1
    try:
        client.completions.create(model="another", prompt="Hello")
    except openai.NotFoundError as error:
        assert MODEL in str(error), error
    else:
        raise AssertionError("another model was taken")
    try:
        client.chat.completions.create(model=MODEL, messages=QUESTION, n=2)
    except openai.BadRequestError as error:
        assert error.body["param"] == "n", error.body
    else:
        raise AssertionError("n=2 was taken")
    try:
        client.embeddings.create(model=MODEL, input="")
    except openai.BadRequestError as error:
        assert error.body["param"] == "input", error.body
    else:
        raise AssertionError("an empty input was taken")


def embeddings():
    """Vectors of one unit's length: as numbers and, as the package asks for by itself, in base64; cut; by tokens."""
    texts = ["The cat sat on the mat.", "A cat was sitting on a mat.", "Quarterly revenue rose by four percent."]
    answer = client.embeddings.create(model=MODEL, input=texts)
    vectors = [one.embedding for one in answer.data]
    dot = lambda one, other: sum(a * b for a, b in zip(one, other))
    assert [one.index for one in answer.data] == [0, 1, 2] and answer.usage.prompt_tokens > 10, answer.usage
    assert all(abs(dot(vector, vector) - 1) < 1e-4 for vector in vectors)
    assert dot(vectors[0], vectors[1]) > dot(vectors[0], vectors[2])
    floats = client.embeddings.create(model=MODEL, input=texts[0], encoding_format="float").data[0].embedding
    assert len(floats) == len(vectors[0]) and dot(floats, vectors[0]) > 0.9999
    short = client.embeddings.create(model=MODEL, input=texts[0], dimensions=32).data[0].embedding
    assert len(short) == 32 and abs(dot(short, short) - 1) < 1e-4
    assert dot(short, vectors[0][:32]) / dot(vectors[0][:32], vectors[0][:32]) ** 0.5 > 0.9999
    tokens = client.embeddings.create(model=MODEL, input=[[1, 2, 3], [4]], extra_body={"pooling": "last"})
    assert len(tokens.data) == 2 and tokens.usage.total_tokens == 4, tokens.usage
    for refused in ({"input": "a", "dimensions": 1 << 20}, {"input": [1 << 30]}, {"input": "a " * 20000}):
        try:
            client.embeddings.create(model=MODEL, **refused)
        except openai.BadRequestError as error:
            assert error.body["param"] in ("dimensions", "input[0]"), error.body
        else:
            raise AssertionError(f"{list(refused)} was taken")


def tools():
    """A conversation with a call is read; tools are refused by name where the template has no place for them."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    conversation = QUESTION + [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
        {"role": "user", "content": [{"type": "text", "text": "And what is the capital"}, {"type": "text", "text": " of France?"}]},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=conversation, max_tokens=8, temperature=0)
    assert answer.choices[0].message.content, answer
    assert answer.usage.prompt_tokens_details.cached_tokens is not None, answer.usage
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    try:
        answer = client.chat.completions.create(model=MODEL, messages=QUESTION, tools=[tool], max_tokens=8)
    except openai.BadRequestError as error:
        assert error.body["param"] == "tools", error.body
    else:
        assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls"), answer
    try:
        client.chat.completions.create(model=MODEL, messages=QUESTION, tools=[{**tool, "type": "other"}])
    except openai.BadRequestError as error:
        assert error.body["param"] == "tools[0].type", error.body
    else:
        raise AssertionError("a tool of another type was taken")


def structured():
    """Answers in the form that was asked for, whatever the temperature; a form that is not supported is refused with its path."""
    ask = lambda **options: client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=1, **options).choices[0]
    city = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}, "rank": {"type": "integer"}},
            "required": ["city", "rank"], "additionalProperties": False}
    schema = lambda of: {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": of}}
    for seed in range(4):
        choice = ask(response_format=schema(city), seed=seed, max_tokens=64)
        assert choice.finish_reason == "stop", choice
        value = json.loads(choice.message.content)
        assert set(value) == {"city", "rank"} and value["city"] in ("Paris", "Rome"), value
        assert isinstance(value["rank"], int), value
    choice = ask(extra_body={"grammar": 'root ::= ("yes" | "no") "!"'}, max_tokens=8)
    assert choice.message.content in ("yes!", "no!") and choice.finish_reason == "stop", choice
    chunks = client.chat.completions.create(
        model=MODEL, messages=QUESTION, response_format={"type": "json_object"}, max_tokens=200, temperature=0, stream=True)
    pieces = [(chunk.choices[0].delta.content or "", chunk.choices[0].finish_reason) for chunk in chunks if chunk.choices]
    text = "".join(piece for piece, _ in pieces)
    assert text.startswith("{") and (pieces[-1][1] == "length" or isinstance(json.loads(text), dict)), text
    try:
        ask(response_format=schema({"type": "object", "properties": {"a": {"not": {}}}}), max_tokens=8)
    except openai.BadRequestError as error:
        assert "/properties/a/not" in str(error), error.body
    else:
        raise AssertionError("a schema that is not supported was taken")


def caching():
    """A growing conversation pays once for what it begins with: over one connection, and by a key over several."""
    story = " ".join(f"On day {day} the ship sailed {day * 7} miles to the west." for day in range(1, 13))
    turns = [{"role": "user", "content": story}]

    def fresh(credential="one"):
        return openai.OpenAI(base_url=sys.argv[1], api_key=credential, max_retries=0, timeout=120)

    def cached(asker, **options):
        answer = asker.chat.completions.create(model=MODEL, messages=turns, max_tokens=8, temperature=0, **options)
        texts.append(answer.choices[0].message.content)
        return answer.usage.prompt_tokens_details.cached_tokens

    texts = []
    one, other = fresh(), fresh()
    least = cached(one)
    assert least < 64, least
    turns += [{"role": "assistant", "content": texts[0]}, {"role": "user", "content": "And then?"}]
    assert cached(one) >= 128
    # Whoever did not say it finds nothing: another connection, another user of this one, one that shares nothing.
    for options in ({}, {"user": "ann"}, {"extra_body": {"cache_prompt": False}}):
        assert cached(one if options else other, **options) == least, options
    key = {"extra_body": {"prompt_cache_key": "voyage"}}
    assert cached(one, **key) == least
    assert cached(other, **key) >= 128
    assert cached(fresh("two"), **key) == least
    try:
        cached(one, extra_body={"prompt_cache_key": "k" * 513})
    except openai.BadRequestError as error:
        assert error.param == "prompt_cache_key" and "513" in error.message, error
    else:
        raise AssertionError("a key that is too long was taken")


def many():
    """Eight streams at once give what one gives alone."""
    prompts = [f"Count from {n} to ten: {n}," for n in range(8)]
    options = {"model": MODEL, "max_tokens": 16, "temperature": 0}
    alone = [client.completions.create(prompt=prompt, **options).choices[0].text for prompt in prompts]
    together = [""] * len(prompts)

    def read(place):
        for chunk in client.completions.create(prompt=prompts[place], stream=True, **options):
            together[place] += chunk.choices[0].text if chunk.choices else ""

    threads = [threading.Thread(target=read, args=[place]) for place in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone == together, (alone, together)


def leaving():
    """A client that leaves ends its generation: the next request is answered soon."""
    stream = client.completions.create(model=MODEL, prompt="Once", max_tokens=1500, stream=True)
    next(iter(stream))
    stream.close()
    answer = client.completions.create(model=MODEL, prompt="Hello", max_tokens=1, timeout=10)
    assert answer.usage.completion_tokens == 1


globals()[sys.argv[2]]()
