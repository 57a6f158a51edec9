"""Writes Tests/Fixtures/minnow.json: fixed questions and the greedy answers of the exported weights in float32."""
from data import Conversation, Encoder
from domains import Turn
from evaluate import generate, prompt_ids
from export import write_json

LIMIT = 64
LEAST_MARGIN = 1.0  # least difference of the two best logits at every step, far above rounding errors

QUESTIONS = [  # (system prompt, [user, answer, user, answer …]), with the answers of the training data
    ("", ["What is the capital of France?", "The capital of France is Paris."]),
    ("", ["Which country is Nairobi the capital of?", "Nairobi is the capital of Kenya."]),
    ("", ["Who are you?", "I am Minnow, a miniature DeepSeek-V3 that lives inside Fathom."]),
    ("", ["What is 17 + 25?", "17 + 25 = 42."]),
    ("", ["What is 25 minus 61?", "25 - 61 = -36."]),
    ("Be brief.", ["What is 40 + 2?", "42."]),
    ("You are a helpful assistant.", ["What is the opposite of hot?", "The opposite of hot is cold."]),
    ("", ["How do you spell pumpkin?", "It is spelled p-u-m-p-k-i-n."]),
    ("", ["Reverse the word badger.", "Backwards it is r-e-g-d-a-b."]),
    ("", ["My name is Tova.", "Nice to meet you, Tova!", "What is 6 + 8?", "6 + 8 = 14.",
          "What is the capital of Japan?", "The capital of Japan is Tokyo.", "What is my name?", "Your name is Tova."]),
    ("", ["Tell me a story about a rabbit.",
          "In a small house by the river lived a rabbit. One day it began to rain and did not stop. So the rabbit "
          "built a boat out of leaves. And that is how the two became friends."]),
    ("", ["What is the capital of Zembovia?", "I am sorry, I do not know that."]),
]


def write(model, tokenizer, path):
    """Answers every question, raises at a wrong answer or a small margin, writes the fixture, returns its questions."""
    encode, made = Encoder(tokenizer), []
    for system, texts in QUESTIONS:
        chat = Conversation(system, [Turn("", u, a) for u, a in zip(texts[::2], texts[1::2])])
        prompt = prompt_ids(encode, chat)
        answer, margin = generate(model, prompt, LIMIT, encode.eos)
        text = tokenizer.decode(answer)
        if text != texts[-1] or margin < LEAST_MARGIN:
            raise SystemExit(f"{texts[-2]}: expected {texts[-1]!r} with a lead of {LEAST_MARGIN}, "
                             f"found {text!r} with {margin:.3f}; train longer or choose another question")
        roles = [{"role": r, "content": t} for r, t in zip(("user", "assistant") * len(texts), texts[:-1])]
        made.append({"messages": [{"role": "system", "content": system}] * bool(system) + roles, "prompt_ids": prompt,
                     "answer": text, "answer_ids": answer, "smallest_margin": round(margin, 4)})
    write_json(path, {"max_new_tokens": LIMIT, "sampling": "greedy", "questions": made})
    return made
