"""The reranker in PyTorch, with an adapter (LoRA) that can be trained."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel

from rag.models.quantised import QuantisedModel
from rag.models.reranker import LORA_SCALE

RANK = 16
"""Of the two matrices whose product is added to the weights of a layer."""
WHOLE = ("bert.pooler", "classifier")
"""Layers of which every weight is trained."""
_READ_AT_ONCE = 48
"""Pairs in one pass when nothing is learned."""
Tokens = tuple[list[int], list[int]]
"""The ids and the types of a question and a sentence."""


class Adapted(torch.nn.Module):
    """A linear layer with low-rank matrices beside it (LoRA, Hu et al. 2021), which at first change nothing."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.a = torch.nn.Parameter(torch.randn(RANK, layer.in_features) / math.sqrt(layer.in_features))
        self.b = torch.nn.Parameter(torch.zeros(layer.out_features, RANK))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """What the layer gives, and the change."""
        given: torch.Tensor = self.layer(values)
        return given + LORA_SCALE * F.linear(F.linear(values, self.a), self.b)


class Network(torch.nn.Module):
    """The cross-encoder of a file in 8 bits; only its adapter and the layers WHOLE are trained."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        weights = {name: torch.tensor(values) for name, values in QuantisedModel(path).parameters()}
        self.bert = BertModel(_config(weights))
        self.classifier = torch.nn.Linear(self.bert.config.hidden_size, 1)
        self.load_state_dict(weights, strict=True)
        self.requires_grad_(False)
        for name, layer in list(self.bert.encoder.named_modules()):
            if isinstance(layer, torch.nn.Linear):
                parent, _, own = name.rpartition(".")
                setattr(self.bert.encoder.get_submodule(parent), own, Adapted(layer))
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name.startswith(WHOLE) or name.endswith((".a", ".b")))

    def scores(self, read: Sequence[Tokens]) -> torch.Tensor:
        """Log-odds for each pair, of shape (len(read),)."""
        device = self.classifier.weight.device
        longest = max(len(ids) for ids, _ in read)
        values = torch.zeros((3, len(read), longest), dtype=torch.long)
        for i, (ids, types) in enumerate(read):
            length = len(ids)
            values[:, i, :length] = torch.tensor([ids, types, [1] * length])
        ids, types, mask = values.to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            pooled = self.bert(ids, attention_mask=mask, token_type_ids=types).pooler_output
            scores: torch.Tensor = self.classifier(pooled).squeeze(-1)
        return scores.float()

    @torch.no_grad()
    def evaluated(self, read: Sequence[Tokens]) -> list[float]:
        """The same as numbers, without dropout."""
        self.eval()
        parts = [self.scores(read[start : start + _READ_AT_ONCE]) for start in range(0, len(read), _READ_AT_ONCE)]
        found: list[float] = torch.cat(parts).tolist()
        return found

    def adapter(self) -> dict[str, npt.NDArray[np.float16]]:
        """What was trained, as `rag.models.reranker.adapted` takes it."""
        trained = [(name, one) for name, one in self.named_parameters() if one.requires_grad]
        return {name: one.detach().float().cpu().numpy().astype(np.float16) for name, one in trained}


def _config(weights: dict[str, torch.Tensor]) -> BertConfig:
    """Of ms-marco-MiniLM-L-12-v2; sizes as the weights have them, and heads of 32 numbers."""
    words, hidden = weights["bert.embeddings.word_embeddings.weight"].shape
    return BertConfig(
        vocab_size=words,
        hidden_size=hidden,
        num_hidden_layers=sum(name.endswith("attention.self.query.weight") for name in weights),
        num_attention_heads=hidden // 32,
        intermediate_size=weights["bert.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=weights["bert.embeddings.position_embeddings.weight"].shape[0],
    )
