"""The chat model in PyTorch, with an adapter (LoRA) for its attention that can be trained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

RANK = 32
"""Of the two matrices whose product is added to the weights of a layer."""
SCALE = 2.0
"""The product counts so many times."""
LAYERS = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output"}
"""The layers of the attention, and what a GGUF file calls them. Those of the feed-forward part as well were not better
and made reading a sixth slower."""
_AT_ONCE = 128
"""Replies that are written side by side."""


class Adapted(torch.nn.Module):
    """A linear layer with low-rank matrices beside it (LoRA, Hu et al. 2021), which at first change nothing."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        device = layer.weight.device
        self.a = torch.nn.Parameter(torch.randn(RANK, layer.in_features, device=device) / math.sqrt(layer.in_features))
        self.b = torch.nn.Parameter(torch.zeros(layer.out_features, RANK, device=device))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """What the layer gives, and the change."""
        given: torch.Tensor = self.layer(values)
        return given + SCALE * F.linear(F.linear(values, self.a.to(values.dtype)), self.b.to(values.dtype))


@dataclass(frozen=True)
class Batch:
    """Token ids of prompts with their replies, filled up at the right; the weight of each token in the loss.

    Both have the shape (exchanges, tokens).
    """

    ids: torch.Tensor
    weights: torch.Tensor


def load_network(path: Path, device: str) -> tuple[Any, Any]:
    """The model of a GGUF file in bfloat16, whose own weights are not learned, and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, name = str(path.parent), path.name
    network: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.bfloat16)
    return network.to(device).requires_grad_(False), AutoTokenizer.from_pretrained(folder, gguf_file=name)


def adapted(network: Any) -> dict[str, Adapted]:
    """Put an adapter beside each of LAYERS; returns them by their name in a GGUF file."""
    made = {}
    for number, block in enumerate(network.model.layers):
        for own, name in LAYERS.items():
            layer = Adapted(getattr(block.self_attn, own))
            setattr(block.self_attn, own, layer)
            made[f"blk.{number}.{name}.weight"] = layer
    return made


def loss_of(network: Any, batch: Batch) -> torch.Tensor:
    """The mean over the exchanges of the weighted cross entropy of their tokens."""
    device = network.lm_head.weight.device
    ids, weights = batch.ids.to(device), batch.weights.to(device)
    read = network.model(input_ids=ids).last_hidden_state  # What fills up stands behind, and is not looked at.
    counted = weights[:, 1:] > 0
    logits = network.lm_head(read[:, :-1][counted]).float()
    each = F.cross_entropy(logits, ids[:, 1:][counted], reduction="none")
    return (each * weights[:, 1:][counted]).sum() / len(ids)


@torch.no_grad()
def odds_of(network: Any, prompt: Sequence[int], refusal: int) -> list[float]:
    """The log-odds that a reply does not begin with the token `refusal`."""
    device = network.lm_head.weight.device
    read = network.model(input_ids=torch.tensor([prompt], device=device)).last_hidden_state[:, -1]
    chances = network.lm_head(read).float().softmax(-1)[:, refusal].clamp(1e-6, 1 - 1e-6)
    return [float(odd) for odd in torch.log((1 - chances) / chances)]


@torch.no_grad()
def written(network: Any, prompts: Sequence[Sequence[int]], most: int, end: int) -> list[list[int]]:
    """What the model writes to each prompt, at most `most` tokens, without the one that ends it."""
    device = network.lm_head.weight.device
    replies: dict[int, list[int]] = {}
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        length = max(len(prompts[i]) for i in some)
        ids = torch.full((len(some), length), end)
        for row, i in enumerate(some):
            ids[row, length - len(prompts[i]) :] = torch.tensor(prompts[i])
        seen = torch.tensor([[0] * (length - len(prompts[i])) + [1] * len(prompts[i]) for i in some])
        whole = network.generate(
            input_ids=ids.to(device), attention_mask=seen.to(device), max_new_tokens=most, do_sample=False,
            eos_token_id=end, pad_token_id=end,
        )  # fmt: skip
        for i, tokens in zip(some, whole[:, length:].tolist(), strict=True):
            replies[i] = tokens[: tokens.index(end)] if end in tokens else tokens
    return [replies[i] for i in range(len(prompts))]


def write_adapter(path: Path, layers: dict[str, Adapted]) -> None:
    """Write the matrices in 8 bits as an adapter that llama.cpp reads. May raise OSError."""
    from gguf import GGMLQuantizationType, GGUFWriter, quantize

    file = GGUFWriter(path, "qwen2")
    file.add_string("general.type", "adapter")
    file.add_string("adapter.type", "lora")
    file.add_float32("adapter.lora.alpha", SCALE * RANK)
    for name, layer in layers.items():
        for end, part in (("lora_a", layer.a), ("lora_b", layer.b)):
            values = np.ascontiguousarray(part.detach().float().cpu().numpy())
            kind = GGMLQuantizationType.Q8_0
            file.add_tensor(f"{name}.{end}", quantize(values, kind), raw_dtype=kind)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
