"""Conversations: domains mixed into single- and multi-turn chats, encoded with the answers marked for the loss."""
import random
from typing import NamedTuple

import torch

import tokenizer as tok
from chat import small_talk
from domains import (BRIEF_SYSTEM, PLAIN_SYSTEM, another_capital, arithmetic, capital, opposite, spelling, story,
                     unknown)
from memory import FACTS, Memory
from phrasing import TRAIN

MIX = [(arithmetic, 24), (capital, 18), (spelling, 22), (opposite, 9), (story, 6), (unknown, 13), (small_talk, 20)]


class Conversation(NamedTuple):
    system: str
    turns: list


def system_prompt(rng):
    """A system prompt and whether it asks for brief answers. Two conversations in three have an empty one."""
    draw = rng.random()
    if draw < 0.66:
        return "", False
    if draw < 0.87:
        return rng.choice(PLAIN_SYSTEM), False
    return rng.choice(BRIEF_SYSTEM), True


def plain_turn(rng, split, brief):
    makers, weights = zip(*MIX)
    return rng.choices(makers, weights)[0](rng, split, brief)


def conversation(rng):
    """One training conversation of one to eight turns."""
    system, brief = system_prompt(rng)
    count = 1 if rng.random() < 0.45 else rng.randint(2, 8)
    memory, turns = Memory(), []
    while len(turns) < count:
        draw = rng.random()
        if count > 1 and draw < 0.22:
            turns.append(memory.tell(rng, rng.choice(list(FACTS)), TRAIN))
        elif draw < (0.50 if memory.known else 0.24 if count > 1 else 0.03):
            known = memory.known and rng.random() < 0.85
            turns.append(memory.ask(rng, rng.choice(list(memory.known if known else FACTS)), TRAIN, brief))
        elif turns and turns[-1].domain == "capitals" and draw < 0.65:
            turns.append(another_capital(rng, brief))
        else:
            turns.append(plain_turn(rng, TRAIN, brief))
    return Conversation(system, turns)


class Encoder:
    """The token ids of a conversation and a mask of the ids that belong to an answer (including its end token)."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.bos, self.eos, self.user, self.assistant = (
            tokenizer.token_to_id(t) for t in (tok.BOS, tok.EOS, tok.USER, tok.ASSISTANT))

    def __call__(self, chat):
        texts = [chat.system] + [t for turn in chat.turns for t in (turn.user, turn.answer)]
        pieces = [e.ids for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]
        ids, answer = [self.bos, *pieces[0]], [False] * (1 + len(pieces[0]))
        for user, reply in zip(pieces[1::2], pieces[2::2]):
            ids += [self.user, *user, self.assistant, *reply, self.eos]
            answer += [False] * (len(user) + 2) + [True] * (len(reply) + 1)
        return ids, answer


def batches(tokenizer, seed, tokens_per_batch, longest=448, pool=1024):
    """An endless stream of (ids, answer mask, valid mask), each [rows, length], padded on the right.

    Conversations are drawn in pools and sorted by length, so that the rows of a batch have similar lengths. Each row holds one
    conversation, without packing, so that there is no attention across conversations.
    """
    encode, epoch = Encoder(tokenizer), 0
    while True:
        rng = random.Random(f"{seed}/{epoch}")
        rows = [row for row in (encode(conversation(rng)) for _ in range(pool)) if len(row[0]) <= longest]
        rows.sort(key=lambda row: len(row[0]))
        groups, group = [], []
        for row in rows:
            if group and len(row[0]) * (len(group) + 1) > tokens_per_batch:
                groups.append(group)
                group = []
            group.append(row)
        groups.append(group)
        rng.shuffle(groups)
        for group in groups:
            yield collate(group)
        epoch += 1


def collate(group):
    length = max(len(ids) for ids, _ in group)
    ids = torch.full((len(group), length), 1)
    answer, valid = (torch.zeros(len(group), length, dtype=torch.bool) for _ in range(2))
    for i, (row, mask) in enumerate(group):
        ids[i, :len(row)], answer[i, :len(row)], valid[i, :len(row)] = torch.tensor(row), torch.tensor(mask), True
    return ids, answer, valid


def sample_texts(count, seed):
    """Conversation text for training the tokenizer."""
    rng = random.Random(seed)
    for _ in range(count):
        chat = conversation(rng)
        yield from [chat.system, *(t for turn in chat.turns for t in (turn.user, turn.answer))]
