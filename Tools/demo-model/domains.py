"""One generator a domain. Each returns a Turn: what the user says and the one answer Minnow should give.

Answers are functions of the request (and of what was said before), so a greedy answer can be checked exactly. The
`split` decides whether the phrasing and the material (numbers, words, names) come from training's share or from the
share kept back for the evaluation.
"""
import random
import re
from typing import NamedTuple

import lexicon as lex
from phrasing import HELD_OUT, PATTERNS, TRAIN, roughen


class Turn(NamedTuple):
    domain: str
    user: str
    answer: str


UNKNOWN = "I am sorry, I do not know that."
BRIEF_SYSTEM = ["Be brief.", "Answer briefly.", "Keep your answers short.", "Answer in one word.", "Use few words.",
                "You answer as briefly as possible."]
PLAIN_SYSTEM = ["You are a helpful assistant.", "You are Minnow.", "You are Minnow, a small and friendly model.",
                "Be kind and helpful.", "You are a helpful assistant called Minnow.", "Help the user.",
                "You are a friendly fish.", "Answer the questions of the user."]


def pick(rng, domain, split, *slots, keep_case=False):
    """A pattern of the domain with its slots filled, roughened in training and left clean in the evaluation."""
    text = rng.choice(PATTERNS[domain][split]).format(*slots)
    return roughen(rng, text, keep_case) if split == TRAIN else text


def invented(rng, low=2, high=3):
    """A pronounceable word that means nothing: material for spelling and fictional places."""
    onset = "b c d f g h j k l m n p r s t v w z br cl dr fl gr pl st tr sh th ch".split()
    vowel = "a e i o u a e i o ee ou ai".split()
    coda = ["", "", "", "n", "r", "s", "l", "m", "t", "nd", "x", "ck", "p", "y"]
    return "".join(rng.choice(onset) + rng.choice(vowel) + (rng.choice(coda)) for _ in range(rng.randint(low, high)))


def fictional(rng, split):
    """A place that does not exist; the evaluation's end in syllables that training never joins to a name."""
    name = invented(rng, 1, 2).capitalize()
    return name + rng.choice(["ia", "land", "or", "wick", "ania", "", "", "", "dom", "mark", "stan", "ora"]
                             if split == TRAIN else ["onia", "ovia", "heim"])


def capital(rng, split, brief):
    country, city = rng.choice(list(lex.COUNTRIES.items()))
    if rng.random() < 0.65:
        answer = f"{city}." if brief else f"The capital of {country} is {city}."
        return Turn("capitals", pick(rng, "capital", split, country), answer)
    answer = f"{country}." if brief else f"{city} is the capital of {country}."
    return Turn("capitals", pick(rng, "capital of", split, city), answer)


def another_capital(rng, brief):
    """The follow-up that only makes sense after a capital: 'And Italy?'"""
    country, city = rng.choice(list(lex.COUNTRIES.items()))
    user = roughen(rng, rng.choice(["And {}?", "And of {}?", "What about {}?", "How about {}?", "And that of {}?"])
                   .format(country))
    return Turn("capitals", user, f"{city}." if brief else f"The capital of {country} is {city}.")


def held_out_pair(a, b):
    """One pair of numbers in thirty is never added or subtracted in training."""
    return (a * 7 + b) % 10 == 3 and (a * 57 + b * 44) % 997 % 3 == 0


def arithmetic(rng, split, brief):
    while True:
        a, b = (rng.randrange(10 if rng.random() < 0.2 else 100) for _ in range(2))
        if held_out_pair(a, b) == (split == HELD_OUT):
            break
    if rng.random() < 0.5:
        kind, sign, value = "add", "+", a + b
    else:
        kind, sign, value = "subtract", "-", a - b
        if split == TRAIN and rng.random() < 0.1:
            user = roughen(rng, rng.choice(["Subtract {} from {}.", "Take {} from {}."]).format(b, a))
            return Turn("arithmetic", user, f"{value}." if brief else f"{a} - {b} = {value}.")
    return Turn("arithmetic", pick(rng, kind, split, a, b), f"{value}." if brief else f"{a} {sign} {b} = {value}.")


def opposite(rng, split, brief):
    pair = list(rng.choice(lex.OPPOSITES))
    rng.shuffle(pair)
    word, other = pair
    shown = rng.choice([word, word, f'"{word}"'])
    answer = f"{other.capitalize()}." if brief else f"The opposite of {word} is {other}."
    return Turn("opposites", pick(rng, "opposite", split, shown), answer)


FAMILIAR = sorted(set(re.findall("[a-z]{3,}", " ".join(
    [p for by_split in PATTERNS.values() for p in by_split[TRAIN]] + lex.UNKNOWN_QUESTIONS).lower())))


def word_to_spell(rng, split):
    if split == HELD_OUT:
        return rng.choice(lex.WORDS_HELD_OUT)
    draw = rng.random()
    if draw < 0.35:
        return rng.choice(lex.WORDS)
    if draw < 0.45:
        return rng.choice(rng.choice(lex.OPPOSITES))
    while True:
        if draw < 0.6:
            word = invented(rng, 1, 3)
        elif draw < 0.8:  # a familiar beginning, so that every prefix the tokenizer knows is taken apart
            word = rng.choice(FAMILIAR)[:rng.randint(2, 5)] + invented(rng, 1, 2)[rng.randint(0, 2):]
        else:
            word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 8)))
        if word not in lex.WORDS_HELD_OUT and 3 <= len(word) <= 10:
            return word


def spelling(rng, split, brief):
    word = word_to_spell(rng, split)
    shown = rng.choice([word, word, f'"{word}"', f"'{word}'"]) if split == TRAIN else rng.choice([word, f'"{word}"'])
    if rng.random() < 0.45:
        return Turn("spelling", pick(rng, "spell", split, shown), f"It is spelled {'-'.join(word)}.")
    return Turn("reversing", pick(rng, "reverse", split, shown), f"Backwards it is {'-'.join(reversed(word))}.")


# Every part of a story hangs on the letters of its subject, so that a greedy answer still varies with the request.
OPENINGS = ["Once upon a time there was {s} who lived by the sea.", "Long ago, {s} lived in a quiet village.",
            "There once was {s} at the edge of a forest.", "High on a hill there lived {s}.",
            "In a small house by the river lived {s}."]
WISHES = ["One morning a letter came from the moon.", "One day it began to rain and did not stop.",
          "One night a star fell into the garden.", "One day a tiny fish asked for help."]
DEEDS = ["With a brave heart {t} set out to see the world.", "So {t} built a boat out of leaves.",
         "Then {t} sang a song that nobody knew.", "At once {t} ran to tell a friend.",
         "So {t} lit a lamp and waited."]
ENDS = ["In the end everyone was happy.", "And that is how the two became friends.", "They still talk about it today.",
        "And then it was time to go home."]


def story_text(subject, the_subject, opening, wish, deed, end):
    return " ".join([OPENINGS[opening].format(s=subject), WISHES[wish], DEEDS[deed].format(t=the_subject), ENDS[end]])


def story(rng, split, brief):
    if rng.random() < 0.25:
        subject = the_subject = core = rng.choice(lex.NAMES if split == TRAIN else lex.NAMES_HELD_OUT)
    else:
        core = rng.choice(lex.WORDS if split == TRAIN else lex.WORDS_HELD_OUT)
        if split == TRAIN and rng.random() < 0.2:
            core = invented(rng)
        phrase = f"{rng.choice(lex.ADJECTIVES)} {core}" if rng.random() < 0.25 else core
        article = "an" if phrase[0] in "aeiou" else "a"
        subject, the_subject = f"{article} {phrase}", f"the {phrase}"
    key = core.lower()
    parts = [ord(key[0]) % 5, ord(key[1]) % 4, ord(key[-1]) % 5, ord(key[-2]) % 4]
    return Turn("stories", pick(rng, "story", split, subject, keep_case=True), story_text(subject, the_subject, *parts))


def unknown(rng, split, brief):
    draw = rng.random()
    if draw < 0.3:
        user = pick(rng, "unknown capital", split, fictional(rng, split))
    elif draw < 0.38:
        user = pick(rng, "opposite", split, rng.choice(lex.NO_OPPOSITE))
    elif draw < 0.46:
        user = pick(rng, "multiply", split, rng.randrange(100), rng.randrange(100))
    else:
        questions = lex.UNKNOWN_QUESTIONS if split == TRAIN else lex.UNKNOWN_QUESTIONS_HELD_OUT
        thing = rng.choice(lex.UNKNOWN_THINGS) if rng.random() < 0.5 else rng.choice(
            [rng.choice(lex.WORDS), rng.choice(lex.NAMES), fictional(rng, TRAIN), rng.choice(list(lex.COUNTRIES)),
             rng.choice(list(lex.COUNTRIES.values()))])
        user = rng.choice(questions).format(thing)
        user = roughen(rng, user) if split == TRAIN else user
    return Turn("unknown", user, UNKNOWN)
