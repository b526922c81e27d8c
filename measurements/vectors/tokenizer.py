#!/usr/bin/env python3
"""Tokens as llama.cpp makes them, for a seeded corpus of many scripts, emoji, code, white space and control characters.

    python3 tokenizer.py make [VOCABULARY.gguf...]
        writes tokenizer-corpus.json (an array of texts) and tokenizer.json: two made-up vocabularies, trained on the
        corpus, and for each pre-tokenizer and each vocabulary file the digests of the corpus's tokens
    python3 tokenizer.py compare PROGRAM VOCABULARY.gguf...
        runs `PROGRAM VOCABULARY.gguf tokenizer-corpus.json` (the crate's example `tokenize`), which prints the tokens of
        every text, and tells where they differ from llama.cpp's

A digest is FNV-1a, 64 bits, over the tokens of ten texts, a token at a time, each text followed by 0xffffffff.
`plain` is without special tokens, `special` with them. Needs numpy and gguf from PyPI and llama-cpp-python.
"""
import ctypes
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

HERE = Path(__file__).parent
CORPUS, LIST = HERE / "tokenizer-corpus.json", HERE / "tokenizer.json"
TEXTS, BLOCK = 5200, 10
PRE_TOKENIZERS = ["gpt-2", "smollm", "refact", "llama-bpe", "dbrx", "qwen2", "qwen35", "tekken", "gpt-4o"]
MARKS = ["<|im_start|>", "<|im_end|>", "<tool>", "[INST]", "<s>", "</s>", "<unk>", "<|user|>", "<|end|>", "<|endoftext|>"]

# Scripts by their blocks; only characters that Unicode assigns are taken.
BLOCKS = [
    (0x41, 0x7B), (0xC0, 0x250), (0x370, 0x400), (0x400, 0x530), (0x531, 0x590), (0x5D0, 0x5F5), (0x600, 0x700),
    (0x700, 0x750), (0x900, 0x980), (0x980, 0xA00), (0xA00, 0xA80), (0xA80, 0xB00), (0xB00, 0xB80), (0xB80, 0xC00),
    (0xC00, 0xC80), (0xC80, 0xD00), (0xD00, 0xD80), (0xD80, 0xE00), (0xE00, 0xE80), (0xE80, 0xF00), (0xF00, 0xFD0),
    (0x1000, 0x10A0), (0x10A0, 0x1100), (0x1200, 0x1380), (0x13A0, 0x1400), (0x1780, 0x1800), (0x1800, 0x18B0),
    (0x1E00, 0x1F00), (0x1F00, 0x2000), (0x2C80, 0x2D00), (0x3040, 0x30A0), (0x30A0, 0x3100), (0x3105, 0x3130),
    (0x4E00, 0x5200), (0x6000, 0x6200), (0xAC00, 0xB000), (0xA500, 0xA600), (0x10330, 0x10350), (0x1D400, 0x1D500),
]
SENTENCES = """The quick brown fox jumps over the lazy dog, doesn't it?|It's 12:30 and we'll have to go; they've left, I'M LATE, I'd say
Der schnelle braune Fuchs springt über den faulen Hund, größer als früher.|Où est passé l'été dernier ? Ça n'a pas d'importance…
El niño comió una manzana en el jardín; ¿no es así?|Il gatto è salito sull'albero perché c'era un cane.
Быстрая коричневая лиса перепрыгнула через ленивую собаку.|Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.
素早い茶色の狐がのろまな犬を飛び越えた。東京は日本の首都です。|敏捷的棕色狐狸跳过了懒狗。今天天气很好，我们去公园吧！
빠른 갈색 여우가 게으른 개를 뛰어넘는다. 오늘은 날씨가 좋네요.|الثعلب البني السريع يقفز فوق الكلب الكسول، أليس كذلك؟
השועל החום המהיר קופץ מעל הכלב העצלן.|तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।
สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ|Con cáo nâu nhanh nhẹn nhảy qua con chó lười biếng.
Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy.|Hızlı kahverengi tilki tembel köpeğin üstünden atlar; İstanbul'da"""
CODE = """def f(x, y=None):\n    return [i ** 2 for i in range(x) if i % 2 == 0]
fn main() {\n\tlet mut all: Vec<u32> = (0..100).filter(|&n| n & 1 != 0).collect();\n\tprintln!("{all:?}");\n}
#include <stdio.h>\r\nint main(void) { printf("%d\\n", 0x1F << 3); return 0; }
SELECT u.id, COUNT(*) AS n FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE n >= 10 GROUP BY 1;
<div class="a-b" id='c'><p>Hello &amp; bye</p></div><!-- end --></br>
const getUserById = async (userId) => { const r = await fetch(`/api/v2/users/${userId}`); return r?.json() ?? null; };
{"key": [1, 2.5e-10, true, null, "va\\u00e9\\"lue"], "nested": {"a": {}}}
if [[ -n "$HOME" && ! -f ~/.bashrc ]]; then echo 'missing' >&2; exit 1; fi
a->b::c<T>(*p++, &q[i--]) ^= ~(m | n) >>> 2; // HTTPServer parseXMLDocument iOSVersion3
import numpy as np\n\nclass HTTPResponse2XX(Exception):\n    '''doc'''\n    __slots__ = ("a",)\n\n\n"""
PEOPLE = ["👩", "👨", "🧑", "👧", "👦", "👶"]
TONES = ["", "\U0001F3FB", "\U0001F3FD", "\U0001F3FF"]
THINGS = ["💻", "🚀", "🔬", "🎨", "⚕️", "✈️", "❤️", "🌾"]


class Texts:
    """The corpus, from one seed."""

    def __init__(self):
        self.dice = random.Random(20240229)
        assigned = lambda c: unicodedata.category(c)[0] in "LMNPS"
        self.scripts = [[c for c in map(chr, range(*block)) if assigned(c)] for block in BLOCKS]
        self.sentences = SENTENCES.replace("\n", "|").split("|")
        self.code = CODE.split("\n")

    def all(self):
        kinds = [self.prose, self.script, self.mixed, self.emoji, self.program, self.spaces, self.controls,
                 self.numbers, self.marked, self.letters, self.scalars]
        texts = [""] + [self.dice.choice(kinds)() for _ in range(TEXTS - 1)]
        return [text.replace("X" * 3, "X") for text in texts]

    def some(self, one, low, high, between=""):
        return between.join(one() for _ in range(self.dice.randint(low, high)))

    def prose(self):
        words = self.dice.choice(self.sentences).split(" ")
        start = self.dice.randrange(len(words))
        words = words[start:] + self.dice.choice(self.sentences).split(" ")[:4]
        change = self.dice.choice([str, str, str, str.upper, str.title, str.lower])
        return self.dice.choice(["", "", " ", "\n"]) + change(" ".join(words))

    def word(self, script):
        return self.some(lambda: self.dice.choice(script), 1, 7)

    def script(self):
        script = self.dice.choice(self.scripts)
        return self.some(lambda: self.word(script), 1, 6, self.dice.choice([" ", " ", "", ", ", "'s ", "\n"]))

    def mixed(self):
        one = lambda: self.word(self.dice.choice(self.scripts)) + self.dice.choice([" ", "", "-", "…", "'ll ", "2"])
        return self.some(one, 2, 5)

    def family(self):
        one = lambda: self.dice.choice(PEOPLE) + self.dice.choice(TONES)
        return self.some(one, 1, 4, "\u200d") + self.dice.choice(["", "\u200d" + self.dice.choice(THINGS)])

    def emoji(self):
        flag = lambda: self.some(lambda: chr(0x1F1E6 + self.dice.randrange(26)), 2, 2)
        keycap = lambda: self.dice.choice("0123456789#*") + "\ufe0f\u20e3"
        face = lambda: chr(0x1F600 + self.dice.randrange(80))
        ones = [self.family, flag, keycap, face, lambda: self.dice.choice(THINGS), lambda: self.dice.choice(" ,a\n")]
        return self.some(lambda: self.dice.choice(ones)(), 1, 8)

    def program(self):
        lines = self.some(lambda: self.dice.choice(self.code), 1, 2, "\n" + " " * self.dice.randrange(9))
        return lines.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")

    def spaces(self):
        kinds = [" ", " ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2003", "\u2028", "\x0b", "\x0c", "\x85"]
        run = lambda: self.dice.choice(kinds) * self.dice.choice([1, 1, 2, 3, 4, 7, 8, 15, 16, 33])
        one = lambda: self.some(run, 1, 3) + self.dice.choice(["", "a", "B", "1", ".", "!\n", "()", "é", "語", "'s", "/"])
        return self.some(one, 1, 4)

    def controls(self):
        odd = [chr(c) for c in [*range(32), *range(127, 160)]] + list("\u00ad\u200b\u200e\u202e\u2060\ufeff\ufffd\ufffe\ue000")
        odd += ["\U000e0041", "\U000f0000", "\U0010ffff", "\u0378"]
        return self.some(lambda: self.dice.choice(odd + ["a", " ", "1", "word "]), 1, 12)

    def numbers(self):
        digits = lambda: self.some(lambda: self.dice.choice("0123456789"), 1, 9)
        wide = lambda: self.some(lambda: self.dice.choice("٠١٢٣٤٥०१२३④⑤½¾Ⅷ²³৪"), 1, 4)
        ones = [digits, digits, wide, lambda: self.dice.choice([" ", "  ", ".", ",", "-", "e+", "%", "$", "x", "\n"])]
        return self.some(lambda: self.dice.choice(ones)(), 2, 8)

    def marked(self):
        ones = [lambda: self.dice.choice(MARKS), lambda: self.dice.choice(MARKS)[:-1], self.prose,
                lambda: self.dice.choice(["user\n", " ", "  \n", "system", "<", "|>", "▁", "<0x41>"])]
        return self.some(lambda: self.dice.choice(ones)(), 1, 5)

    def letters(self):
        kinds = ["aB", "ABc", "éÉx", "AÉb", "ß", "ǅ", "ʰA", "語A", "x̂", "İı", "Aa", "'S", "'lL", "’s", "K", "ſ", "a" * 40, "e\u0301\u0327"]
        return self.some(lambda: self.dice.choice(kinds) + self.dice.choice(["", "", " ", "_", "/", "\n"]), 1, 6)

    def scalars(self):
        def one():
            while True:
                character = chr(self.dice.randrange(0x20, 0x20000))
                if unicodedata.category(character) not in ("Cn", "Cs", "Co"):
                    return character
        return self.some(one, 1, 10)


def trained(rows, alphabet, count, longest):
    """`count` merges of the most frequent pairs in `rows` of symbols below `alphabet`; no token is longer than that."""
    line = np.concatenate([np.append(row, -1) for row in rows]).astype(np.int64)
    lengths, merges = [1] * alphabet, []
    while len(merges) < count:
        pairs = (line[:-1] << 32) | line[1:]
        pairs, counts = np.unique(pairs[(line[:-1] >= 0) & (line[1:] >= 0)], return_counts=True)
        for at in np.lexsort((pairs, -counts)):
            left, right = int(pairs[at] >> 32), int(pairs[at] & 0xFFFFFFFF)
            if lengths[left] + lengths[right] <= longest:
                break
        merges.append((left, right))
        lengths.append(lengths[left] + lengths[right])
        found = np.flatnonzero((line[:-1] == left) & (line[1:] == right))
        if left == right:
            found = np.array([at for at, even in alternate(found) if even], dtype=np.int64)
        line[found] = len(lengths) - 1
        line = np.delete(line, found + 1)
    return merges


def alternate(places):
    """Whether each place starts a pair, where pairs of equals overlap."""
    last, even = None, False
    for at in places:
        even = not (even and at == last + 1)
        last = at
        yield at, even


def byte_characters():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + at) for at, byte in enumerate(hidden)}}


def with_specials(tokens, types):
    """Marks as control tokens, but for some that are user-defined or unknown; and user-defined white space."""
    kinds = {"<tool>": 4, "<unk>": 2, "     ": 4, "\n\n\n": 4}
    names = [*MARKS, *kinds.keys()]
    new = [name for at, name in enumerate(names) if name not in names[:at] and name not in tokens]
    return tokens + new, types + [kinds.get(name, 3) for name in new]


def byte_vocabulary(texts):
    characters = byte_characters()
    merges = trained([np.frombuffer(text.encode(), dtype=np.uint8) for text in texts], 256, 1400, 12)
    tokens = [characters[byte] for byte in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    lines = [f"{tokens[left]} {tokens[right]}" for left, right in merges]
    unmerged = ["Ġquick", "Ġparse", "123", "ĊĊĊĊ", "HTTP", "Ġ.", "æĿ±äº¬", "'S", "Ġcollect", "Fox"]
    tokens = list(dict.fromkeys(tokens + unmerged))
    tokens, types = with_specials(tokens, [1] * len(tokens))
    return {"tokens": tokens, "types": types, "merges": lines}


def sentence_vocabulary(texts):
    texts = [text.replace(" ", "▁") for text in texts]
    counts = {}
    # llama.cpp reads a token's text up to its first zero.
    for character in "".join(texts).replace("\0", ""):
        counts[character] = counts.get(character, 0) + 1
    often = sorted(counts, key=lambda character: (-counts[character], character))[:700]
    number = {character: at for at, character in enumerate(often)}
    rows = [[number.get(character, -1) for character in text] for text in texts if text]
    merges = trained([np.array(row) for row in rows], len(often), 1000, 9)
    joined = list(often)
    for left, right in merges:
        joined.append(joined[left] + joined[right])
    head = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    # llama.cpp joins text into control and byte tokens where their parts are tokens. Vial never does, so none are here.
    words = [word for word in dict.fromkeys(joined[len(often):] + often) if len(word) == 1 or not set(word) & set("<>[]")]
    # Ranks in threes, so that scores are equal here and there.
    scores = [0.0] * len(head) + [-float(at // 3) for at in range(len(words))]
    tokens, types = with_specials(head + words, [2, 3, 3] + [6] * 256 + [1] * len(words))
    return {"tokens": tokens, "types": types, "scores": scores + [0.0] * (len(tokens) - len(scores))}


def write(path, vocabulary, model, pre, name, flags):
    file = gguf.GGUFWriter(path, "llama")
    file.add_name(name)
    file.add_tokenizer_model(model)
    file.add_tokenizer_pre(pre)
    file.add_token_list(vocabulary["tokens"])
    file.add_token_types(vocabulary["types"])
    if "scores" in vocabulary:
        file.add_token_scores(vocabulary["scores"])
    if "merges" in vocabulary:
        file.add_token_merges(vocabulary["merges"])
    for key, value in flags.items():
        file.add_bool(f"tokenizer.ggml.{key}", value)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.close()


class Peer:
    """llama.cpp with one vocabulary."""

    def __init__(self, path):
        quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
        self.quiet = quiet
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise SystemExit(f"{path}: llama.cpp does not load it")
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)

    def tokens(self, text, special):
        data = text.encode()
        room = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(self.vocabulary, data, len(data), room, len(room), False, special)
        assert count >= 0, (text, count)
        return list(room[:count])


def digests(peer, texts, special):
    all = []
    for start in range(0, len(texts), BLOCK):
        digest = 0xCBF29CE484222325
        for text in texts[start:start + BLOCK]:
            for token in peer.tokens(text, special) + [0xFFFFFFFF]:
                digest = ((digest ^ token) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        all.append(f"{digest:016x}")
    return " ".join(all)


def both(path, texts):
    peer = Peer(path)
    return {"plain": digests(peer, texts, False), "special": digests(peer, texts, True)}


def make(files):
    texts = Texts().all()
    CORPUS.write_text(json.dumps(texts, ensure_ascii=False, indent=0) + "\n")
    made = {"bytes": byte_vocabulary(texts), "sentence": sentence_vocabulary(texts)}
    cases = [("bytes", "gpt2", pre, "made", {}) for pre in PRE_TOKENIZERS]
    cases += [("sentence", "llama", "default", "made", {}),
              ("sentence", "llama", "default", "made without prefix", {"add_space_prefix": False}),
              ("sentence", "llama", "default", "made as Phi-3", {})]
    listed = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, model, pre, name, flags in cases:
            path = os.path.join(folder, "vocabulary.gguf")
            write(path, made[kind], model, pre, name, flags)
            case = {"vocabulary": kind, "model": model, "pre": pre, "name": name, "flags": flags}
            listed.append(case | both(path, texts))
    real = {Path(file).name: both(file, texts) for file in files}
    LIST.write_text(json.dumps({"vocabularies": made, "made": listed, "files": real}, ensure_ascii=False, indent=0) + "\n")


def compare(program, files):
    texts = json.loads(CORPUS.read_text())
    for file in files:
        peer, wrong = Peer(file), 0
        ours = json.loads(subprocess.run([program, file, CORPUS], stdout=subprocess.PIPE, check=True).stdout)
        for special, lists in zip([False, True], ours):
            for text, found in zip(texts, lists):
                expected = peer.tokens(text, special)
                if found != expected:
                    wrong += 1
                    if wrong <= 5:
                        print(f"  {text!r} special={special}\n    found    {found}\n    expected {expected}")
        print(f"{Path(file).name}: {2 * len(texts)} texts, {wrong} differ")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", *files]:
            make(files)
        case ["compare", program, *files]:
            compare(program, files)
        case _:
            raise SystemExit(__doc__)
