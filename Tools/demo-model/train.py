"""Trains Minnow: next-token and MTP loss on the answers; the bias update balances the experts.

loss = L_main + λ L_MTP + α L_balance (V3 equations 17-25, λ = 0.3, α = 1e-4); after each step
b_i += γ · sign(mean load - load_i), with γ = 1e-3 (V3 section 2.1.2: auxiliary-loss-free balancing).
"""
import argparse
import pathlib
import time

import torch
import torch.nn.functional as F

import data
import tokenizer as tok
from model import Config, Minnow
from muon import Muon

MTP_WEIGHT, BALANCE_WEIGHT, BIAS_STEP = 0.3, 1e-4, 1e-3


def optimisers(model, lr):
    """Muon for the matrices inside the blocks; AdamW for embedding, head, router and norms."""
    matrices = [p for n, p in model.named_parameters()
                if p.ndim >= 2 and n not in ("embed_tokens", "lm_head") and not n.endswith("gate.weight")]
    inside = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inside]
    return [Muon(matrices, lr), torch.optim.AdamW(rest, lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)]


def losses(model, ids, answer, valid):
    """(main, MTP, balance): cross-entropies of the answers' tokens, and the mean balance loss of the mixtures."""
    hidden = model(ids)
    first = answer[:, 1:]
    main = F.cross_entropy(model.head(hidden[:, :-1][first]), ids[:, 1:][first])
    drafted = model.draft(ids, hidden)
    second = answer[:, 2:] & answer[:, 1:-1]  # both the input token and the drafted token belong to an answer
    mtp = F.cross_entropy(model.head(drafted[:, :-1][second]), ids[:, 2:][second])
    inside = [moe.balance_loss(valid if i < model.c.num_hidden_layers else valid[:, 1:])
              for i, moe in model.moe_layers().items()]
    return main, mtp, torch.stack(inside).mean()


@torch.no_grad()
def update_biases(model, valid, step):
    for i, moe in model.moe_layers().items():
        load = moe.load(valid if i < model.c.num_hidden_layers else valid[:, 1:]).float()
        moe.gate.e_score_correction_bias += step * torch.sign(load.mean() - load)


def learning_rate(step, steps, peak):
    """Warm-up, a plateau, and a linear decay to 2 % over the last 35 % of the steps."""
    falling = (steps - step) / (0.35 * steps)
    return peak * min((step + 1) / 100, 1.0, max(falling, 0.02))


def train(work, steps, peak=4e-3, tokens=4096, seed=1, log=50, save=200):
    """Trains for `steps` steps, resuming from `work`/state.pt, on a GPU if there is one. Returns the model."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    tokenizer = tok.load(work / "tokenizer.json")
    model = Minnow(Config(vocab_size=tokenizer.get_vocab_size())).to(device)
    opts, state_path, begun, spent = optimisers(model, peak), work / "state.pt", 0, 0.0
    if state_path.exists():
        state = torch.load(state_path, map_location=device)
        model.load_state_dict(state["model"])
        for opt, saved in zip(opts, state["optimisers"]):
            opt.load_state_dict(saved)
        begun, spent = state["step"], state["seconds"]
    stream = data.batches(tokenizer, seed + begun, tokens)
    clock, seen, sums = time.time(), 0, torch.zeros(3, device=device)
    for step in range(begun, steps):
        model.set_quantise(step >= 0.85 * steps)
        lr = learning_rate(step, steps, peak)
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = lr
            opt.zero_grad()
        ids, answer, valid = (t.to(device) for t in next(stream))
        main, mtp, balance = losses(model, ids, answer, valid)
        (main + MTP_WEIGHT * mtp + BALANCE_WEIGHT * balance).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
        update_biases(model, valid, BIAS_STEP * lr / peak)
        seen, sums = seen + int(valid.sum()), sums + torch.stack((main, mtp, balance)).detach()
        if (step + 1) % log == 0:
            seconds = time.time() - clock
            print(f"step {step + 1} main {sums[0] / log:.4f} mtp {sums[1] / log:.4f} balance {sums[2] / log:.3f} "
                  f"{seen / seconds:.0f} tok/s {spent + seconds:.0f} s", flush=True)
            spent, clock, seen, sums = spent + seconds, time.time(), 0, torch.zeros(3, device=device)
        if (step + 1) % save == 0 or step + 1 == steps:
            partial = state_path.with_suffix(".tmp")
            torch.save({"model": model.state_dict(), "optimisers": [o.state_dict() for o in opts], "step": step + 1,
                        "seconds": spent + time.time() - clock}, partial)
            partial.rename(state_path)
    return model.cpu()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of the training state")
    parser.add_argument("--steps", type=int, required=True)
    arguments = parser.parse_args()
    train(arguments.work, arguments.steps)
