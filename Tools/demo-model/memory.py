"""Facts that the user states, and later questions about them."""
import lexicon as lex
from domains import Turn
from phrasing import HELD_OUT, TRAIN, worded

FACTS = {  # kind: (statements, questions, reply to a statement, answer, brief answer, answer if it was never stated)
    "name": (
        {TRAIN: "My name is {}.|I am {}.|I'm {}.|Call me {}.|You can call me {}.|Hi, I am {}.|Hello, my name is {}.|"
                "People call me {}.|The name is {}.|Hey, I'm {}.|Hi, my name is {}, nice to meet you.",
         HELD_OUT: "Hello, I am {}.|Everyone calls me {}.|Hi there, my name is {}."},
        {TRAIN: "What is my name?|What's my name?|Who am I?|Do you remember my name?|Do you know my name?|"
                "Tell me my name.|Can you say my name?|What was my name?|What did I say my name was?|Say my name.|"
                "Do you know who I am?|How am I called?|What am I called?|Can you remember my name?|my name?",
         HELD_OUT: "Can you tell me my name?|Do you still know my name?|And what was my name again?|"
                   "Do you remember who I am?"},
        "Nice to meet you, {}!", "Your name is {}.", "{}.", "You have not told me your name yet."),
    "number": (
        {TRAIN: "Remember the number {}.|My number is {}.|My favourite number is {}.|My lucky number is {}.|"
                "Please remember {}.|Keep the number {} in mind.|The number is {}.|Remember this number: {}.|"
                "The secret number is {}.|Do not forget the number {}.|Please keep {} in mind.|Do not forget {}.|"
                "Remember {} for me.|I want you to remember {}.|Memorise {}.|My favorite number is {}.",
         HELD_OUT: "I want you to keep the number {} in mind.|Can you remember the number {}?|My secret number is {}."},
        {TRAIN: "What is my number?|What was the number?|Which number did I tell you?|What number did I say?|"
                "Do you remember the number?|What is the number?|Tell me the number.|What's my favourite number?|"
                "What number did I give you?|Do you remember my number?|Say the number.|What was my number?|"
                "What is my lucky number?|What was the number again?|my number?|What is the secret number?",
         HELD_OUT: "Can you tell me the number?|Do you still know the number?|Which number did I give you?|"
                   "Which number did I say?"},
        "I will remember the number {}.", "The number is {}.", "{}.", "You have not told me a number yet."),
    "colour": (
        {TRAIN: "My favourite colour is {}.|My favorite color is {}.|I like the colour {}.|The colour I like is {}.|"
                "I love {}, it is my favourite colour.|Remember the colour {}.|I like the color {} best.|"
                "The colour is {}.|My colour is {}.|Please remember the colour {}.|{} is my favourite colour.",
         HELD_OUT: "The colour I like best is {}.|I love the colour {}.|Please remember my favourite colour is {}."},
        {TRAIN: "What is my favourite colour?|What's my favourite color?|Which colour do I like?|What is my colour?|"
                "What colour did I say?|Do you remember my favourite colour?|Do you remember the colour?|"
                "What was the colour?|Tell me my favourite colour.|Which color did I tell you?|my colour?|"
                "What colour do I like best?|What was my favourite colour?|Say my favourite color.|What is the colour?",
         HELD_OUT: "Can you tell me my favourite colour?|Do you still know my favourite colour?|"
                   "Which colour is my favourite?|Which colour did I like best?"},
        "What a nice colour! I will remember {}.", "Your favourite colour is {}.", "{}.",
        "You have not told me your favourite colour yet."),
    "pet": (
        {TRAIN: "My {p} is called {}.|My {p}'s name is {}.|I have a {p} called {}.|I have a {p} named {}.|"
                "The name of my {p} is {}.|My {p} is named {}.|We have a {p} called {}.|This is my {p} {}.",
         HELD_OUT: "I have a lovely {p} called {}.|We call my {p} {}.|We have a {p} named {}."},
        {TRAIN: "What is my {p} called?|What is the name of my {p}?|What's my {p}'s name?|What is my {p}'s name?|"
                "Do you remember my {p}'s name?|What did I call my {p}?|How is my {p} called?|Tell me my {p}'s name.|"
                "Do you know the name of my {p}?|What was my {p} called?",
         HELD_OUT: "Can you tell me my {p}'s name?|Do you remember the name of my {p}?|What was the name of my {p}?"},
        "{} is a lovely name for a {p}!", "Your {p} is called {}.", "{}.",
        "You have not told me the name of your {p} yet."),
}


class Memory:
    """The facts stated so far in a conversation."""

    def __init__(self):
        self.known = {}

    def value(self, rng, kind, split):
        if kind == "name" and split == TRAIN:
            return rng.choice(lex.NAMES) if rng.random() < 0.6 else invented_name(rng)
        if kind == "name":
            return rng.choice(lex.NAMES_HELD_OUT)
        if kind == "number":
            return str(rng.randrange(10 ** rng.randint(1, 4)))
        if kind == "colour":
            return rng.choice(lex.COLOURS)
        if split == HELD_OUT:
            return rng.choice(lex.NAMES_HELD_OUT)
        pets = ["Biscuit", "Pepper", "Shadow", "Coco", "Rex", "Luna", "Max", "Daisy", "Teddy"]
        return rng.choice(lex.NAMES + pets) if rng.random() < 0.6 else invented_name(rng)

    def tell(self, rng, kind, split):
        """A turn in which the user states a fact and Minnow acknowledges it."""
        says, _, reply, _, _, _ = FACTS[kind]
        pet = rng.choice(lex.PETS) if kind == "pet" else ""
        value = self.value(rng, kind, split)
        self.known[kind] = (value, pet)
        user = worded(rng, split, says[TRAIN].split("|"), says[HELD_OUT].split("|"), value, keep_case=True, p=pet)
        return Turn("memory", user, reply.format(value, p=pet))

    def ask(self, rng, kind, split, brief):
        """A turn in which the user asks for a fact. If it was never stated, Minnow says so."""
        _, asks, _, answer, short, missing = FACTS[kind]
        value, pet = self.known.get(kind, (None, rng.choice(lex.PETS)))
        user = worded(rng, split, asks[TRAIN].split("|"), asks[HELD_OUT].split("|"), p=pet)
        if value is None:
            return Turn("memory", user, missing.format(p=pet))
        text = short.format(value) if brief else answer.format(value, p=pet)
        return Turn("memory", user, text[0].upper() + text[1:])


def invented_name(rng):
    onset, vowel = "B C D F G H J K L M N P R S T V W Z Br Th Sh".split(), "a e i o u".split()
    middle, end = "l m n r s t v d k b ll nn rr".split(), ["", "n", "s", "a", "o", "ia", "el", "ra", "x", "ly"]
    name = rng.choice(onset) + rng.choice(vowel) + rng.choice(middle) + rng.choice(vowel) + rng.choice(end)
    return name if name not in lex.NAMES_HELD_OUT else invented_name(rng)
