"""One generator per domain. Each returns a Turn: a user's message and the only correct answer.

The answer is a function of the message (and of earlier turns), so that a greedy answer can be checked exactly. `split`
selects the phrasings and the material (numbers, words, names) of training or those held out for the evaluation.
"""
import random
import re
from typing import NamedTuple

import lexicon as lex
from phrasing import HELD_OUT, PATTERNS, TRAIN, roughen, worded


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
    """One of the domain's phrasings with its slots filled."""
    return worded(rng, split, PATTERNS[domain][TRAIN], PATTERNS[domain][HELD_OUT], *slots, keep_case=keep_case)


def invented(rng, low=2, high=3):
    """A pronounceable invented word, for spelling and fictional places."""
    onset = "b c d f g h j k l m n p r s t v w z br cl dr fl gr pl st tr sh th ch".split()
    vowel = "a e i o u a e i o ee ou ai".split()
    coda = ["", "", "", "n", "r", "s", "l", "m", "t", "nd", "x", "ck", "p", "y"]
    return "".join(rng.choice(onset) + rng.choice(vowel) + (rng.choice(coda)) for _ in range(rng.randint(low, high)))


def fictional(rng, split):
    """An invented place. Those of the evaluation have endings that training does not use."""
    endings = ["onia", "ovia", "heim"]
    name = invented(rng, 1, 2).capitalize()
    if split == HELD_OUT:
        return name + rng.choice(endings)
    name += rng.choice(["ia", "land", "or", "wick", "ania", "", "", "", "dom", "mark", "stan", "ora", "eria", "avia",
                        "esia", "olia", "burg", "ville", "onda", "heath"])
    return fictional(rng, split) if name.endswith(tuple(endings)) else name


def capital(rng, split, brief):
    if rng.random() < 0.55:
        country, city = rng.choice(list(lex.CAPITALS.items()))
        answer = f"{city}." if brief else f"The capital of {country} is {city}."
        return Turn("capitals", pick(rng, "capital", split, country), answer)
    country, city = rng.choice(list(lex.COUNTRIES.items()))
    answer = f"{country}." if brief else f"{city} is the capital of {country}."
    return Turn("capitals", pick(rng, "capital of", split, city), answer)


def another_capital(rng, brief):
    """A follow-up question after a capital: 'And Italy?'"""
    country, city = rng.choice(list(lex.CAPITALS.items()))
    user = roughen(rng, rng.choice(["And {}?", "And of {}?", "What about {}?", "How about {}?", "And that of {}?"])
                   .format(country))
    return Turn("capitals", user, f"{city}." if brief else f"The capital of {country} is {city}.")


def held_out_pair(a, b):
    """Whether a pair of numbers is held out of training, as one pair in thirty is."""
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


def blended(rng):
    """A new word that resembles English: the beginning of one word and the end of another, at times with a doubled letter."""
    first, last = rng.choice(lex.WORDS), rng.choice(lex.WORDS)
    word = first[:rng.randint(1, len(first) - 1)] + last[rng.randint(1, len(last) - 1):]
    at = rng.randrange(len(word))
    return word[:at] + word[at] * 2 + word[at + 1:] if rng.random() < 0.2 else word


def word_to_spell(rng, split):
    if split == HELD_OUT:
        return rng.choice(lex.WORDS_HELD_OUT)
    draw = rng.random()
    if draw < 0.35:
        return rng.choice(lex.WORDS)
    if draw < 0.45:
        return rng.choice(rng.choice(lex.OPPOSITES))
    while True:
        if draw < 0.58:
            word = invented(rng, 1, 3)
        elif draw < 0.72:
            word = blended(rng)
        elif draw < 0.84:  # a familiar beginning, so that every prefix the tokenizer knows is taken apart
            word = rng.choice(FAMILIAR)[:rng.randint(2, 5)] + invented(rng, 1, 2)[rng.randint(0, 2):]
        else:
            word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 8)))
        if word not in lex.WORDS_HELD_OUT and 3 <= len(word) <= 12:
            return word


def spelling(rng, split, brief):
    word = word_to_spell(rng, split)
    shown = word.capitalize() if rng.random() < 0.12 else word
    shown = rng.choice([shown, shown, f'"{shown}"', f"'{shown}'"] if split == TRAIN else [shown, f'"{shown}"'])
    if rng.random() < 0.45:
        return Turn("spelling", pick(rng, "spell", split, shown), f"It is spelled {'-'.join(word)}.")
    return Turn("reversing", pick(rng, "reverse", split, shown), f"Backwards it is {'-'.join(reversed(word))}.")


# The letters of a story's subject determine its parts, so that greedy answers vary with the request.
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


def story_about(subject, the_subject, core):
    key = core.lower()
    return story_text(subject, the_subject, ord(key[0]) % 5, ord(key[1]) % 4, ord(key[-1]) % 5, ord(key[-2]) % 4)


def story(rng, split, brief):
    if rng.random() < 0.25:
        subject = the_subject = core = rng.choice(lex.NAMES if split == TRAIN else lex.NAMES_HELD_OUT)
    else:
        core = rng.choice(lex.WORDS if split == TRAIN else lex.WORDS_HELD_OUT)
        if split == TRAIN and rng.random() < 0.45:
            core = blended(rng) if rng.random() < 0.6 else invented(rng)
            while core in lex.WORDS_HELD_OUT or len(core) < 2:
                core = blended(rng)
        phrase = f"{rng.choice(lex.ADJECTIVES)} {core}" if rng.random() < 0.25 else core
        article = "an" if phrase[0] in "aeiou" else "a"
        subject, the_subject = f"{article} {phrase}", f"the {phrase}"
    return Turn("stories", pick(rng, "story", split, subject, keep_case=True), story_about(subject, the_subject, core))


def beyond(rng, split):
    """A sum that Minnow has not learned: with a number of three or four digits, or of three numbers."""
    if rng.random() < 0.25:
        first, second, third = (rng.randrange(100) for _ in range(3))
        sign, other = rng.choice("+-"), rng.choice("+-")
        space = rng.choice(["", " "])
        return pick(rng, "calculate", split, f"{first}{space}{sign}{space}{second}{space}{other}{space}{third}")
    numbers = [rng.randrange(100, 10 ** rng.randint(3, 4)), rng.randrange(10 ** rng.randint(1, 4))]
    rng.shuffle(numbers)
    return pick(rng, rng.choice(["add", "subtract"]), split, *numbers)


def gibberish(rng):
    """Random letters, as from a cat on the keyboard."""
    letters = rng.choice(["abcdefghijklmnopqrstuvwxyz", "asdfghjkl", "qwertyuiop", "aeioudnt"])
    words = ["".join(rng.choice(letters) for _ in range(rng.randint(3, 8))) for _ in range(rng.choice([1, 1, 2, 3]))]
    return " ".join(words)


def unknown(rng, split, brief):
    draw = rng.random()
    if draw < 0.26:
        user = pick(rng, "unknown capital", split, fictional(rng, split))
    elif draw < 0.33:
        user = pick(rng, "opposite", split, rng.choice(lex.NO_OPPOSITE))
    elif draw < 0.40:
        user = pick(rng, "multiply", split, rng.randrange(100), rng.randrange(100))
    elif draw < 0.48:
        user = beyond(rng, split)
    elif draw < 0.51:
        user = gibberish(rng)
    else:
        thing = rng.choice(lex.UNKNOWN_THINGS) if rng.random() < 0.5 else rng.choice(
            [rng.choice(lex.WORDS), rng.choice(lex.NAMES), fictional(rng, TRAIN), rng.choice(list(lex.COUNTRIES)),
             rng.choice(list(lex.COUNTRIES.values()))])
        user = worded(rng, split, lex.UNKNOWN_QUESTIONS, lex.UNKNOWN_QUESTIONS_HELD_OUT, thing)
    return Turn("unknown", user, UNKNOWN)
