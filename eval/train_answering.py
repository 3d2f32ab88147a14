"""`python -m eval train-answering`: our own articles, and sets -> the adapter of the chat model."""

import argparse
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from eval.answering_network import Adapted, Batch, adapted, load_network, loss_of, odds_of, write_adapter, written
from eval.answering_rows import Exchange, Exchanges, articles_of_set, load_orders
from eval.results import writing
from eval.statistics import auc, figure
from eval.table import aligned
from eval.training_rows import HELD_OUT, load_articles
from rag import read_settings
from rag.answer.evidence import SourceSentences
from rag.answer.prompts import NOT_STATED
from rag.models.embedder import make_embedder
from rag.models.reranker import make_reranker
from rag.models.weights import find_weights

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENS = 16_384
"""Tokens in a step."""
RATE = 3e-4
"""The highest learning rate."""
WARM_UP = 30
"""Steps in which the rate rises; then it falls as a cosine does."""
LONGEST = 150
"""Tokens of a reply that the model writes before the training."""
_ALIKE = 2048
"""So many exchanges are sorted by length, so that those of a step are about as long as each other."""
_HEADER = ["epoch", "loss", "n", "answerable", "AUC", "answerable refused", "others refused"]


@dataclass(frozen=True)
class Example:
    """An exchange in tokens."""

    prompt: list[int]
    reply: list[int]
    answered: bool


def main(options: argparse.Namespace) -> int:
    """Train, print a table of the articles held out for each epoch, write the adapter. Raises RagError."""
    drawn = random.Random(options.seed)
    torch.manual_seed(options.seed)
    training, held_out = _exchanges(options.data, drawn)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        print("There is no CUDA device: on the CPU an epoch takes days.", file=sys.stderr)
    network, tokenizer = load_network(find_weights(read_settings()), device)
    examples = encoded(tokenizer, with_replies(network, tokenizer, training))
    judged = encoded(tokenizer, with_replies(network, tokenizer, held_out))
    layers = adapted(network)
    print(aligned([_HEADER, _line("0", "", network, judged)], 1), flush=True)
    for epoch, loss in enumerate(train(network, layers, examples, options.epochs, drawn), 1):
        print(aligned([_HEADER, _line(str(epoch), f"{loss:.3f}", network, judged)], 1), flush=True)
    with writing(options.out):
        write_adapter(options.out, layers)
    print(f"Adapter: {options.out}")
    return 0


def _exchanges(folders: Sequence[Path], drawn: random.Random) -> tuple[list[Exchange], list[Exchange]]:
    """Those to train on, and those about every HELD_OUT-th of our articles."""
    settings = read_settings()
    sentences = SourceSentences(make_embedder(settings), make_reranker())
    make = Exchanges(sentences, load_orders(), drawn, settings.passage_words)
    own = load_articles()
    held = own[HELD_OUT - 1 :: HELD_OUT]
    shown = [one for one in own if one not in held]
    training = list(make.of(shown))
    for folder in folders:
        training += make.of(articles_of_set(folder), whole=False)
    training += [*make.refused(), *make.summaries(shown)]
    return training, list(make.of(held))


# Tokens


def encoded(tokenizer: "PreTrainedTokenizerBase", exchanges: Sequence[Exchange]) -> list[Example]:
    """The exchanges in tokens, each reply with the token that ends it."""
    found = []
    for one in exchanges:
        reply = [*tokenizer(one.reply, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        found.append(Example(prompt_of(tokenizer, one.messages), reply, one.reply != NOT_STATED))
    return found


def prompt_of(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[tuple[str, str]]) -> list[int]:
    """The tokens of a prompt, as the engine makes them of these messages."""
    said = [{"role": role, "content": content} for role, content in messages]
    text = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(str(text), add_special_tokens=False)["input_ids"])


def with_replies(network: Any, tokenizer: "PreTrainedTokenizerBase", exchanges: Sequence[Exchange]) -> list[Exchange]:
    """The exchanges, the model having written the replies that lack; without those that it did not write well."""
    lacking = [one for one in exchanges if not one.reply]
    prompts = [prompt_of(tokenizer, one.draft) for one in lacking]
    replies = written(network, prompts, LONGEST, tokenizer.eos_token_id)
    made = [one for one in exchanges if one.reply]
    for one, tokens in zip(lacking, replies, strict=True):
        reply = str(tokenizer.decode(tokens)).strip()
        if reply and len(tokens) < LONGEST and one.must.lower() in reply.lower() and not reply.startswith("Not"):
            made.append(Exchange(one.document, one.messages, reply))
    return made


# Training


def train(
    network: Any, layers: dict[str, Adapted], examples: Sequence[Example], epochs: int, drawn: random.Random,
    tokens: int = TOKENS,
) -> Iterator[float]:  # fmt: skip
    """Train for `epochs` epochs; gives the mean loss of each."""
    learned = [part for layer in layers.values() for part in (layer.a, layer.b)]
    optimiser = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.0, betas=(0.9, 0.98))
    plan = [steps_of(examples, tokens, drawn) for _ in range(epochs)]
    total, step = sum(map(len, plan)), 0
    for epoch in plan:
        losses = []
        for some in epoch:
            rise, fall = min(1, (step + 1) / WARM_UP), 0.5 * (1 + math.cos(math.pi * step / total))
            for group in optimiser.param_groups:
                group["lr"] = RATE * rise * max(0.03, fall)
            step += 1
            loss = loss_of(network, batch_of(some))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
        yield sum(losses) / len(losses)


def steps_of(examples: Sequence[Example], tokens: int, drawn: random.Random) -> list[list[Example]]:
    """The examples in any order, those of a step about as long as each other and `tokens` long together."""
    order = drawn.sample(examples, len(examples))
    steps: list[list[Example]] = []
    for start in range(0, len(order), _ALIKE):
        some: list[Example] = []
        for one in sorted(order[start : start + _ALIKE], key=_length):
            if some and (len(some) + 1) * _length(one) > tokens:
                steps.append(some)
                some = []
            some.append(one)
        steps.append(some)
    drawn.shuffle(steps)
    return steps


def _length(one: Example) -> int:
    return len(one.prompt) + len(one.reply)


def batch_of(examples: Sequence[Example]) -> Batch:
    """The examples side by side. A half of the weight of each is on the first word of the reply, which decides."""
    length = max(map(_length, examples))
    ids = torch.zeros(len(examples), length, dtype=torch.long)
    weights = torch.zeros(len(examples), length)
    for row, one in enumerate(examples):
        first, end = len(one.prompt), _length(one)
        ids[row, :end] = torch.tensor([*one.prompt, *one.reply])
        weights[row, first:end] = 0.5 / max(1, len(one.reply) - 1)
        weights[row, first] = 0.5
    return Batch(ids, weights)


# How good it is


def _line(epoch: str, loss: str, network: Any, examples: Sequence[Example]) -> list[str]:
    refusal = next(one.reply[0] for one in examples if not one.answered)
    odds = [float(odd) for one in examples for odd in odds_of(network, one.prompt, refusal)]
    answered = [float(one.answered) for one in examples]
    shares = [
        sum(odd < 0 for odd, own in zip(odds, answered, strict=True) if own == side) / max(1, answered.count(side))
        for side in (1.0, 0.0)
    ]
    found = figure(auc, odds, answered)
    told = "–" if found is None else f"{found:.3f}"
    return [epoch, loss, str(len(examples)), str(int(sum(answered))), told, *(f"{share:.2f}" for share in shares)]
