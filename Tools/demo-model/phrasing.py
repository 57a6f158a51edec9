"""Phrasings of requests: the sentence patterns of every domain, and noise as in real typing.

Each domain has patterns that training sees and patterns kept back for the evaluation only. `{}` slots are filled by
domains.py.
"""
import random
import re

TRAIN, HELD_OUT = "train", "held-out"


def _split(text):
    return [line.strip() for line in text.strip().split("|")]


def normal(text):
    """A request without case, punctuation and spacing."""
    return "".join(re.findall(r"[a-z0-9+*/-]+", text.lower()))


def worded(rng, split, train, held_out, *slots, keep_case=False, **named):
    """A phrasing with its slots filled. In training adds noise, but never produces a held-out phrasing."""
    if split == HELD_OUT:
        return rng.choice(held_out).format(*slots, **named)
    kept_back = {normal(phrasing.format(*slots, **named)) for phrasing in held_out}
    while True:
        text = roughen(rng, rng.choice(train).format(*slots, **named), keep_case)
        if normal(text) not in kept_back:
            return text


PATTERNS = {
    "capital": {
        TRAIN: _split("""What is the capital of {}?|What's the capital of {}?|Tell me the capital of {}.|
            Which city is the capital of {}?|The capital of {}?|Name the capital of {}.|capital of {}|
            Can you tell me the capital of {}?|Do you know the capital of {}?|What city is {}'s capital?|
            What is {}'s capital?|I want to know the capital of {}.|Could you name the capital city of {}?|
            What is the capital city of {}?|{}, what is its capital?|I forgot the capital of {}.|
            Say the capital of {}.|Give me the capital of {}.|Which is the capital of {}?|{} capital|
            What would be the capital of {}?|Please tell me what the capital of {} is.|
            Which town is the capital of {}?|Which town is {}'s capital?|Could you say what the capital of {} is?|
            Do you still know the capital of {}?|I would love to know the capital of {}.|
            Do you remember the capital of {}?"""),
        HELD_OUT: _split("""Do you remember the capital city of {}?|Which city is {}'s capital?|
            Can you say what the capital of {} is?|I would like to know the capital of {}."""),
    },
    "capital of": {
        TRAIN: _split("""{} is the capital of which country?|Which country has {} as its capital?|
            What country is {} the capital of?|Of which country is {} the capital?|{} is the capital of what country?|
            {} is the capital of|Name the country whose capital is {}.|Which country's capital is {}?|
            Tell me which country {} is the capital of.|What country has the capital {}?|Whose capital is {}?|
            {} is whose capital?|Which nation has {} as its capital?|Where is {} the capital?|
            {} is the capital of which state?|{} is the capital of which land?|Of which nation is {} the capital?|
            {} is the capital city of which country?|{} is the capital city of what nation?|
            Which nation is {} the capital of?|Which state is {} the capital of?|What nation is {} the capital of?|
            {} is the capital of what nation?|{} is the capital of which place?|Which nation's capital is {}?|
            Do you know which country {} is the capital of?|Can you say which nation {} is the capital of?|
            Could you tell me which country {} is the capital of?|I wonder which country {} is the capital of.|
            The city of {} is the capital of which country?|What nation has {} as its capital?|
            Name the nation whose capital is {}.|In which country is {} the capital?|{} is the capital of?|Where is {}?|
            Which country is {} in?|In which country is {}?|In what country is {}?|Where can I find {}?|
            What country is {} in?|Where is the city of {}?"""),
        HELD_OUT: _split("""Which country is {} the capital of?|{} is the capital of which nation?|
            Can you tell me what country {} is the capital of?|In which country can I find {}?"""),
    },
    "add": {
        TRAIN: _split("""What is {} + {}?|{} + {}|{}+{}|{} + {} =|{}+{}=?|What is {} plus {}?|{} plus {}|Add {} and {}.|
            What's {} + {}?|What is the sum of {} and {}?|How much is {} + {}?|Calculate {} + {}.|Compute {} plus {}.|
            Can you add {} and {}?|How much is {} and {}?|What do you get if you add {} and {}?|
            I have {} apples and get {} more. How many is that?|Sum {} and {}.|Please work out {} + {}.|
            Tell me {} plus {}.|Tell me the sum of {} and {}.|What do {} and {} make?"""),
        HELD_OUT: _split("""What's {} plus {}?|Could you compute {} + {}?|Give me the sum of {} and {}."""),
    },
    "subtract": {
        TRAIN: _split("""What is {} - {}?|{} - {}|{}-{}|{} - {} =|{}-{}=?|What is {} minus {}?|{} minus {}|
            What's {} - {}?|How much is {} - {}?|Calculate {} - {}.|Compute {} minus {}.|Take {} and remove {}.|
            What is {} take away {}?|What do you get for {} minus {}?|I have {} apples and eat {}. How many are left?|
            Please work out {} - {}.|Tell me {} minus {}.|{} take away {}"""),
        HELD_OUT: _split("""What's {} minus {}?|Could you compute {} - {}?|How much is {} minus {}?"""),
    },
    "opposite": {
        TRAIN: _split("""What is the opposite of {}?|What's the opposite of {}?|Opposite of {}|The opposite of {}?|
            Tell me the opposite of {}.|Give me the opposite of {}.|Name the opposite of {}.|{}, what is its opposite?|
            What word is the opposite of {}?|What word means the opposite of {}?|Can you tell me the opposite of {}?|
            Do you know the opposite of {}?|Say the opposite of {}.|I need the opposite of {}.|
            Which word is the opposite of {}?|opposite: {}|What is the antonym of {}?|antonym of {}|
            Find the opposite of {}."""),
        HELD_OUT: _split("""What would be the opposite of {}?|Could you give me the opposite of {}?|
            Which word means the opposite of {}?"""),
    },
    "spell": {
        TRAIN: _split("""Spell {}.|Spell the word {}.|How do you spell {}?|How is {} spelled?|Can you spell {}?|
            Please spell {}.|Could you spell the word {}?|Spell {} for me.|How do I spell {}?|Tell me how to spell {}.|
            What is the spelling of {}?|Write {} letter by letter.|Show me the letters of {}.|spell {}|
            How do you write {}?|I cannot spell {}.|Spell out {}.|What are the letters in {}?|
            Give me the letters of {}."""),
        HELD_OUT: _split("""Could you spell out {} for me?|How would you spell {}?|Tell me the spelling of {}.|
            Which letters are in the word {}?"""),
    },
    "reverse": {
        TRAIN: _split("""Reverse {}.|Reverse the word {}.|Spell {} backwards.|What is {} backwards?|Write {} backwards.|
            Can you reverse {}?|Please reverse {}.|Say {} backwards.|How do you spell {} backwards?|{} backwards|
            Reverse the letters of {}.|What is {} reversed?|Turn {} around.|Could you reverse the word {}?|
            Spell the word {} in reverse.|Write {} in reverse.|reverse {}|What does {} look like backwards?|
            Flip the word {}.|Tell me {} backwards."""),
        HELD_OUT: _split("""Could you spell {} backwards?|What is the word {} backwards?|
            Could you write the letters of {} in reverse?|
            Write the word {} in reverse."""),
    },
    "story": {
        TRAIN: _split("""Tell me a story about {}.|Tell a story about {}.|Write a story about {}.|
            Can you tell me a story about {}?|I want a story about {}.|A story about {}, please.|
            Please tell me a short story about {}.|Write a short story about {}.|Do you know a story about {}?|
            Make up a story about {}.|I would like to hear a story about {}.|Story about {}|
            Give me a story about {}.|How about a story about {}?|Tell me a tale about {}.|
            Could you write a tale about {}?|Tell us about {} in a story.|Invent a story about {}."""),
        HELD_OUT: _split("""Could you tell me a story about {}?|Write me a short story about {}.|
            I would love a story about {}.|Can you make up a story about {}?"""),
    },
    "multiply": {
        TRAIN: _split("""What is {} times {}?|{} * {}|{} / {}|{} x {}|What is {} divided by {}?|Multiply {} by {}.|
            Divide {} by {}.|What is {} * {}?|{} times {}|What is {} / {}?|How much is {} times {}?|
            What is {} to the power of {}?|What's {} to the power of {}?|{} ^ {}|What is {} percent of {}?|
            {}*{}|{}/{}|{}x{}|{} divided by {}"""),
        HELD_OUT: _split("""What's {} times {}?|Could you compute {} * {}?|How much is {} divided by {}?"""),
    },
    "calculate": {
        TRAIN: _split("""{}|What is {}?|{} =|Calculate {}.|How much is {}?|What's {}?|Compute {}.|{}=?"""),
        HELD_OUT: _split("""Could you compute {}?|Tell me {}."""),
    },
    "unknown capital": {
        TRAIN: _split("""What is the capital of {}?|What's the capital of {}?|Tell me the capital of {}.|
            Which city is the capital of {}?|The capital of {}?|capital of {}|Do you know the capital of {}?|
            What is {}'s capital?|Name the capital of {}.|{} is the capital of which country?|Whose capital is {}?|
            What would be the capital of {}?|Please tell me what the capital of {} is.|
            Which country has {} as its capital?|What city is {}'s capital?|What is the capital city of {}?|
            Can you tell me the capital of {}?|Which town is {}'s capital?|Could you say what the capital of {} is?|
            Do you still know the capital of {}?|I would love to know the capital of {}.|
            Which town is the capital of {}?|Do you remember the capital of {}?|Where is {}?|Which country is {} in?|
            {} capital|What is in {}?|Where can I find {}?|In which country is {}?"""),
        HELD_OUT: _split("""Do you remember the capital city of {}?|Can you say what the capital of {} is?|
            Which city is {}'s capital?"""),
    },
}

OPENERS = ["please", "hey", "hey Minnow,", "Minnow,", "ok,", "okay,", "so", "now", "hi,", "well,", "and", "good. now",
           "next question:", "I was wondering,", "quick question:", "thanks.", "great."]
ENDINGS = ["please", "thanks", "for me", "if you can", "Minnow", "now"]


def lower_first(text):
    """A pattern after an opener: 'Tell me' becomes 'tell me'; 'I' and names keep their capitals."""
    first = text.split(" ")[0]
    known = {"What", "What's", "Tell", "Which", "The", "Name", "Can", "Do", "Could", "Say", "Give", "Of", "How", "Add",
             "Calculate", "Compute", "Sum", "Please", "Take", "Opposite", "Find", "Spell", "Write", "Show", "Reverse",
             "Turn", "Flip", "A", "Make", "Story", "Invent", "Who", "When", "Where", "Why", "Is", "Explain"}
    return text[0].lower() + text[1:] if first in known else text


def swap_typo(rng, text):
    """Swaps two neighbouring letters of one lower-case word, the most frequent typo."""
    words = text.split(" ")
    places = [i for i, w in enumerate(words) if w in ("what", "What", "capital", "opposite", "the", "which", "story",
                                                      "tell", "Tell", "about", "word", "please", "spell", "reverse",
                                                      "backwards", "plus", "minus", "remember", "name", "number")]
    if not places:
        return text
    i = rng.choice(places)
    w = words[i]
    k = rng.randrange(1, len(w) - 1) if len(w) > 2 else 0
    words[i] = w[:k] + w[k + 1] + w[k] + w[k + 2:]
    return " ".join(words)


def roughen(rng: random.Random, text, keep_case=False):
    """Adds noise: openers, endings, missing capitals and punctuation, doubled marks, occasional typos."""
    if rng.random() < 0.16:
        opener = rng.choice(OPENERS)
        text = opener + " " + lower_first(text)
        if rng.random() < 0.6:
            text = text[0].upper() + text[1:]
    mark = text[-1] if text[-1] in "?." else ""
    if mark and rng.random() < 0.06:
        text = text[:-1] + rng.choice([", ", " "]) + rng.choice(ENDINGS) + mark
    if rng.random() < 0.03:
        text = swap_typo(rng, text)
    if mark and rng.random() < 0.25:
        text = text[:-1]
    elif mark and rng.random() < 0.06:
        text = text + rng.choice(["?", "!", " "]) if mark == "?" else text[:-1] + "!"
    if rng.random() < 0.18:
        text = text if keep_case else text.lower()
    elif rng.random() < 0.1:
        text = text[0].lower() + text[1:]
    return text
