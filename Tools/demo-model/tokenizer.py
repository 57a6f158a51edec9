"""Minnow's tokenizer: DeepSeek-V3's pre-tokenizer and special tokens over a very small byte-level BPE.

The merges are learned greedily by frequency as in ordinary BPE, but only at the start of a piece: the left part must be
the piece's first symbol and must begin with a space, a capital or a punctuation mark. So a word is one frequent prefix
(perhaps all of it) and then single letters: a model this small can spell any word, and digits never merge.
"""
import collections
import json

import tokenizers

SPLITS = [  # DeepSeek-V3's tokenizer.json, word for word
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
]
BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
LEADING = [BOS, EOS, PAD]  # ids 0, 1, 2, as in V3
TRAILING = ["<think>", "</think>", "<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>", USER, ASSISTANT, "<|EOT|>",
            "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>",
            "<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>", "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>",
            "<｜tool▁sep｜>"]  # the highest ids, in V3's order


def byte_symbols():
    """GPT-2's printable characters for the 256 bytes, in byte order (a space becomes 'Ġ')."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [b for b in range(256) if b not in plain]
    table = {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(moved)}
    return [table[b] for b in range(256)]


def pre_tokenizer_json():
    splits = [{"type": "Split", "pattern": {"Regex": r}, "behavior": "Isolated", "invert": False} for r in SPLITS]
    return {"type": "Sequence", "pretokenizers": [*splits, {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}


def learn_merges(texts, count):
    """The `count` most frequent (prefix, letter) merges, found one at a time on the pieces of `texts`."""
    splitter = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json([]))).pre_tokenizer
    pieces = collections.Counter()
    for text in texts:
        pieces.update(p for p, _ in splitter.pre_tokenize_str(text))
    words = {p: (p[0], p[1:]) for p in pieces if len(p) > 1 and not p[0].isdigit() and not p[0].islower()}
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for piece, (head, rest) in words.items():
            if rest:
                pairs[head, rest[0]] += pieces[piece]
        best, _ = max(pairs.items(), key=lambda item: (item[1], item[0]))
        merges.append(best)
        for piece, (head, rest) in words.items():
            if rest and (head, rest[0]) == best:
                words[piece] = (head + rest[0], rest[1:])
    return merges


def tokenizer_json(merges):
    """The tokenizer.json document: V3's structure with these merges."""
    symbols = [*LEADING, *byte_symbols(), *dict.fromkeys(a + b for a, b in merges)]
    vocab = {symbol: i for i, symbol in enumerate(symbols)}

    def added(token, i):
        leading = token in LEADING
        return {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": not leading, "special": leading or token == "<|EOT|>"}

    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(t, vocab[t]) for t in LEADING] +
                        [added(t, len(vocab) + i) for i, t in enumerate(TRAILING)],
        "normalizer": {"type": "Sequence", "normalizers": []},
        "pre_tokenizer": pre_tokenizer_json(),
        "post_processor": {**byte_level, "trim_offsets": False},
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": vocab, "merges": [f"{a} {b}" for a, b in merges]},
    }


def train_tokenizer(path, texts, vocab_size):
    """Learns as many merges as `vocab_size` allows and writes tokenizer.json."""
    merges = learn_merges(texts, vocab_size - 256 - len(LEADING) - len(TRAILING))
    document = tokenizer_json(merges)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False, indent=1)
    return load(path)


def load(path):
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    return tokenizer


def render(system, turns, answer=True):
    """V3's chat template for (user, assistant) pairs; with `answer=False` omits the last answer."""
    text = BOS + system
    for i, (user, assistant) in enumerate(turns):
        text += USER + user + ASSISTANT
        if answer or i + 1 < len(turns):
            text += assistant + EOS
    return text
