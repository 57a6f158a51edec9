#!/usr/bin/env python3
"""Makes Minnow: tokenizer, training, export, evaluation, test fixture. Resumes an interrupted run."""
import argparse
import json
import pathlib
import platform

import torch

import crosscheck
import data
import evaluate
import export
import fixture
import tokenizer as tok
from train import train

ROOT = pathlib.Path(__file__).resolve().parents[2]
VOCAB_SIZE, STEPS = 768, 6800


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / ".build/minnow", help="training state goes here")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "Sources/Minnow/checkpoint")
    parser.add_argument("--fixture", type=pathlib.Path, default=ROOT / "Tests/Fixtures/minnow.json")
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "tokenizer.json").exists():
        tok.train_tokenizer(work / "tokenizer.json", data.sample_texts(15000, seed=0), VOCAB_SIZE)
    trained = train(work, arguments.steps)
    export.export(trained, work / "tokenizer.json", arguments.out)

    model, tokenizer = export.load(arguments.out)
    report = evaluate.evaluate(model, tokenizer)
    questions = fixture.write(model, tokenizer, arguments.fixture)
    main_error, mtp_error = crosscheck.crosscheck(arguments.out, [q["prompt_ids"] + q["answer_ids"] for q in questions])
    state = torch.load(work / "state.pt", map_location="cpu")
    report |= {
        "transformers_relative_error": {"main": main_error, "mtp": mtp_error},
        "fixture_smallest_margin": min(q["smallest_margin"] for q in questions),
        "training": {"steps": state["step"], "seconds": round(state["seconds"]), "threads": torch.get_num_threads(),
                     "machine": platform.machine(), "torch": torch.__version__},
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": sum(f.stat().st_size for f in arguments.out.iterdir()),
    }
    export.write_json(pathlib.Path(__file__).parent / "eval.json", report)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
