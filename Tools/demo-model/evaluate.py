"""Evaluates the exported weights with phrasings, numbers, words and names that were held out of training.

A greedy answer equals the expected one exactly if every expected token is the most likely one after its predecessors, so
that one pass over question and answer suffices. Only stories, which have many correct answers, are generated.
"""
import json
import random
import re

import torch

import domains
import lexicon as lex
from chat import small_talk
from data import Conversation, Encoder, collate, conversation
from domains import HELD_OUT, PLAIN_SYSTEM, Turn
from memory import FACTS, Memory

DOMAINS = ["small talk", "capitals", "arithmetic", "opposites", "spelling", "reversing", "memory", "stories", "unknown"]


def memory_chat(rng):
    """A statement of a fact, up to four other turns (all of held-out material), and the question about it."""
    memory, turns = Memory(), []
    kind = rng.choice(list(FACTS))
    told = rng.random() < 0.85
    if told:
        turns.append(memory.tell(rng, kind, HELD_OUT))
    makers = [domains.capital, domains.arithmetic, domains.opposite, domains.spelling, small_talk, domains.unknown]
    for _ in range(rng.randint(0, 4)):
        turns.append(rng.choice(makers)(rng, HELD_OUT, False))
    turns.append(memory.ask(rng, kind, HELD_OUT, False))
    return turns


def questions(domain, count, seed=7):
    """Held-out conversations whose last turn belongs to `domain`. Half of them have a system prompt."""
    rng = random.Random(f"{seed}/{domain}")
    makers = {"small talk": small_talk, "capitals": domains.capital, "arithmetic": domains.arithmetic,
              "opposites": domains.opposite, "spelling": domains.spelling, "reversing": domains.spelling,
              "stories": domains.story, "unknown": domains.unknown}
    chats = []
    while len(chats) < count:
        turns = memory_chat(rng) if domain == "memory" else [makers[domain](rng, HELD_OUT, False)]
        if turns[-1].domain == domain:
            chats.append(Conversation(rng.choice(["", rng.choice(PLAIN_SYSTEM)]), turns))
    return chats


def last_answer(answer):
    """The mask of the final answer only: the run of marked positions that reaches the end of the row."""
    keep, on = [False] * len(answer), True
    for i in reversed(range(len(answer))):
        on = on and answer[i]
        keep[i] = on
    return keep


@torch.no_grad()
def score(model, encode, chats):
    """(whether each chat's answer is exact, accepted MTP drafts, all drafts), with one pass per batch."""
    right, accepted, drafts = [], 0, 0
    for start in range(0, len(chats), 32):
        rows = [encode(chat) for chat in chats[start:start + 32]]
        ids, answer, _ = collate([(ids, last_answer(mask)) for ids, mask in rows])
        hidden = model(ids)
        best = model.head(hidden).argmax(-1)
        right += (~(answer[:, 1:] & (best[:, :-1] != ids[:, 1:]))).all(1).tolist()
        draft = model.head(model.draft(ids, hidden)).argmax(-1)[:, :-1]  # at i: its guess for token i + 2
        judged = answer[:, 1:-1] & answer[:, 2:]
        accepted += int((draft == best[:, 1:-1])[judged].sum())
        drafts += int(judged.sum())
    return right, accepted, drafts


@torch.no_grad()
def generate(model, ids, limit, end):
    """Greedy continuation of a prompt: (token ids without the end token, smallest margin of the first logit)."""
    made, lead = [], float("inf")
    while len(made) < limit:
        top = model.head(model(torch.tensor([ids + made]))[:, -1])[0].topk(2)
        lead = min(lead, float(top.values[0] - top.values[1]))
        token = int(top.indices[0])
        if token == end:
            break
        made.append(token)
    return made, lead


def is_story(text, request):
    """Whether the text is a story of the grammar about the requested subject."""
    subject = re.search(r"about (.*?)[.?]?$", request).group(1)
    the = re.sub(r"^an? ", "the ", subject)
    ranges = [range(len(part)) for part in (domains.OPENINGS, domains.WISHES, domains.DEEDS, domains.ENDS)]
    return any(text == domains.story_text(subject, the, a, b, c, d)
               for a in ranges[0] for b in ranges[1] for c in ranges[2] for d in ranges[3])


@torch.no_grad()
def expert_loads(model, encode, count=200):
    """{layer: load of the busiest expert divided by the mean load}, on new conversations of the training mix."""
    rng, totals = random.Random("loads"), {}
    rows = [encode(conversation(rng)) for _ in range(count)]
    for start in range(0, count, 16):
        ids, _, valid = collate(rows[start:start + 16])
        model.draft(ids, model(ids))
        for i, moe in model.moe_layers().items():
            load = moe.load(valid if i < model.c.num_hidden_layers else valid[:, 1:]).float()
            totals[i] = totals.get(i, 0) + load
    return {i: round(float(load.max() / load.mean()), 3) for i, load in totals.items()}


def evaluate(model, tokenizer, count=200, misses=None):
    """The README's results: exact answers per domain, MTP acceptance, expert loads. Appends failed chats to `misses`."""
    encode, result, accepted, drafts = Encoder(tokenizer), {}, 0, 0
    for domain in DOMAINS:
        chats = questions(domain, count // 2 if domain == "stories" else count)
        right, a, d = score(model, encode, chats)
        accepted, drafts = accepted + a, drafts + d
        if domain == "stories":
            right = [ok or is_story(answer_to(model, encode, chat), chat.turns[-1].user)
                     for ok, chat in zip(right, chats)]
        result[domain] = round(sum(right) / len(right), 4)
        if misses is not None:
            misses += [chat for ok, chat in zip(right, chats) if not ok]
    return {"exact": result, "mtp_acceptance": round(accepted / drafts, 4),
            "busiest_expert_over_mean": expert_loads(model, encode)}


def prompt_ids(encode, chat):
    """The conversation's ids before the last answer."""
    ids, answer = encode(chat)
    return ids[:last_answer(answer).index(True)]


def answer_to(model, encode, chat, limit=96):
    made, _ = generate(model, prompt_ids(encode, chat), limit, encode.eos)
    return encode.tokenizer.decode(made)
