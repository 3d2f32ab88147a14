"""`python -m eval train-reranker`: our own articles, and sets -> the adapter of the reranker."""

import argparse
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from eval.reranker_network import Network
from eval.results import make_folder, writing
from eval.statistics import auc, figure
from eval.table import Rows, aligned
from eval.training_rows import OWN, Row, divided, exchanged, load_articles, rows_of_articles, rows_of_set, sentences
from rag import read_settings
from rag.models.embedder import make_embedder
from rag.models.reranker import WEIGHTS, installed, make_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH = 48
"""Questions in a step."""
RATE = 6e-4
"""The highest learning rate."""
WARM_UP = 0.06
"""The share of the steps in which the rate rises; then it falls to the end."""
LEFT_OUT = 0.2
"""The share of answerable questions that are shown, each time anew, without what answers them."""
MOST, LIKELIEST = 12, 6
"""Candidates of a question in a step, and how many of them are the first that do not answer."""
EACH = 1.2
"""The weight of the loss of each sentence by itself."""
AMONG = (1, 2, 4)
"""The evidence is looked for among so many sentences."""
_HEADER = ["epoch", "loss", "set", "n", "first", "two", "four", "AUC"]


@dataclass(frozen=True)
class Example:
    """A row in tokens: for each candidate its ids, its types, and whether it answers."""

    row: Row
    read: list[tuple[list[int], list[int], bool]]


def main(options: argparse.Namespace) -> int:
    """Train, print a table of the documents held out for each epoch, write the adapter. Raises RagError."""
    make_folder(options.indexes, "--indexes")
    rows = _rows(options.data, options.indexes)
    training, held_out = divided(rows)
    drawn = random.Random(options.seed)
    training += exchanged([row for row in training if row.set != OWN], drawn)
    folder = installed()
    tokenizer = make_tokenizer(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        print("There is no CUDA device: on the CPU an epoch takes hours.", file=sys.stderr)
    torch.manual_seed(options.seed)
    network = Network(folder / WEIGHTS).to(device)
    examples, judged = encoded(tokenizer, training), encoded(tokenizer, held_out)
    print(aligned([_HEADER, *_table("0", "", network, judged)], 3), flush=True)
    for epoch, loss in enumerate(train(network, examples, options.epochs, drawn), 1):
        print(aligned([_HEADER, *_table(str(epoch), f"{loss:.3f}", network, judged)], 3), flush=True)
    with writing(options.out):
        np.savez_compressed(options.out, allow_pickle=False, **network.adapter())
    print(f"Adapter: {options.out}")
    return 0


def _rows(folders: Sequence[Path], indexes: Path) -> list[Row]:
    settings = read_settings()
    embedder = make_embedder(settings)
    sources = sentences(embedder)
    rows = list(rows_of_articles(load_articles(), sources, settings.passage_words))
    for folder in folders:
        rows += rows_of_set(folder, settings, embedder, sources, indexes)
    return rows


def encoded(tokenizer: "Tokenizer", rows: Sequence[Row]) -> list[Example]:
    """The rows in tokens."""
    examples = []
    for row in rows:
        read = tokenizer.encode_batch([(row.question, one.text) for one in row.candidates])
        pairs = zip(read, row.candidates, strict=True)
        examples.append(Example(row, [(one.ids, one.type_ids, candidate.gold) for one, candidate in pairs]))
    return examples


# Training


def train(
    network: Network, examples: Sequence[Example], epochs: int, drawn: random.Random, batch: int = BATCH
) -> Iterator[float]:
    """Train for `epochs` epochs; gives the mean loss of each."""
    learned = [one for one in network.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.01)
    order = list(examples)
    steps = epochs * math.ceil(len(order) / batch)
    step = 0
    for _ in range(epochs):
        drawn.shuffle(order)
        network.train()
        losses = []
        for start in range(0, len(order), batch):
            shown = [some for one in order[start : start + batch] if (some := _shown(one, drawn))]
            for group in optimiser.param_groups:
                group["lr"] = RATE * min(1, step / (WARM_UP * steps) + 0.01) * max(0.02, 1 - step / steps)
            step += 1
            if not shown:
                continue
            flat = [one for some in shown for one in some]
            gold = torch.tensor([float(gold) for _, _, gold in flat])
            loss = loss_of(network.scores([(ids, types) for ids, types, _ in flat]), gold, [len(one) for one in shown])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
        yield float(np.mean(losses))


def _shown(example: Example, drawn: random.Random) -> list[tuple[list[int], list[int], bool]]:
    """The candidates of this time: at most MOST, and sometimes without those that answer."""
    gold = [one for one in example.read if one[2]]
    others = [one for one in example.read if not one[2]]
    if gold and drawn.random() < LEFT_OUT:
        gold = []
    rest = others[LIKELIEST:]
    room = max(0, MOST - len(gold) - LIKELIEST)
    return gold + others[:LIKELIEST] + drawn.sample(rest, min(len(rest), room))


def loss_of(scores: torch.Tensor, gold: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """The loss of questions whose candidates, `sizes` of each, follow each other in `scores` and `gold`.

    For each question it is the cross entropy of "one of those that answer" among its
    candidates and "none", whose score is 0; and for each candidate, weighted by EACH, the
    cross entropy of whether it answers.
    """
    gold = gold.to(scores.device)
    each = F.binary_cross_entropy_with_logits(scores, gold)
    among = []
    for own, answers in zip(torch.split(scores, list(sizes)), torch.split(gold, list(sizes)), strict=True):
        with_none = torch.cat([own.new_zeros(1), own])
        right = own[answers > 0] if answers.any() else own.new_zeros(1)
        among.append(torch.logsumexp(with_none, 0) - torch.logsumexp(right, 0))
    return EACH * each + torch.stack(among).mean()


# How good it is


def _table(epoch: str, loss: str, network: Network, examples: Sequence[Example]) -> Rows:
    """A line for each set: how often the evidence is among the first, and the AUC of the best score."""
    found: dict[str, list[tuple[Example, list[float]]]] = {}
    for example in examples:
        scores = network.evaluated([(ids, types) for ids, types, _ in example.read])
        found.setdefault(example.row.set, []).append((example, scores))
    lines = []
    for name, judged in found.items():
        shares = [f"{share:.3f}" for share in places(judged)]
        answerable = [float(example.row.answerable) for example, _ in judged]
        best = figure(auc, [max(scores) for _, scores in judged], answerable)
        lines.append([epoch, loss, name, str(len(judged)), *shares, "–" if best is None else f"{best:.3f}"])
    return lines


def places(judged: Sequence[tuple[Example, Sequence[float]]]) -> list[float]:
    """How often a sentence that answers is the first, among the first two, and among the first four."""
    ranks = []
    for example, scores in judged:
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        ranks += [rank for rank, i in enumerate(order) if example.read[i][2]][:1]
    return [sum(rank < most for rank in ranks) / max(1, len(ranks)) for most in AMONG]
