"""all-MiniLM-L6-v2 in ONNX Runtime, its graph made of the weights as they are installed."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

if TYPE_CHECKING:
    from onnx import NodeProto
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

Values = npt.NDArray[Any]
LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12
_LONGEST = 256
"""Tokens; what follows is not read, as in the model's own settings."""
_EXACT = 3
"""In so many of the first layers the last matrix stays in fp32: those lose most in 8 bits (docs/experiments.md)."""
_LARGEST = 63
"""Of a rounded weight, 7 bits. With 8, processors without VNNI would add two products beyond what 16 bits hold."""
_FUSED = "com.microsoft"
"""ONNX Runtime's own operators, which do several of the standard ones at once."""


class MiniLM(Embeddings):
    """Embeds in 8 bits, each text by itself: unit vectors. Threads may share it."""

    def __init__(self, session: "InferenceSession", tokenizer: "Tokenizer", threads: int) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._threads = threads

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of shape (len(texts), dimensions)."""
        read = self._tokenizer.encode_batch(texts)
        if len(texts) == 1 or self._threads == 1:
            return [self._vector(one) for one in read]
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(self._vector, read))

    def embed_query(self, text: str) -> list[float]:
        """The vector of one question."""
        return self.embed_documents([text])[0]

    def _vector(self, read: "Encoding") -> list[float]:
        # One by one, there is no padding to compute, and each processor has a text of its own.
        row: list[float] = self._session.run(None, {"ids": np.array([read.ids], dtype=np.int32)})[0][0].tolist()
        return row


def make_minilm(folder: Path) -> MiniLM:
    """The model in `folder`. Raises OSError or ValueError if a file cannot be read.

    It takes as many threads as OMP_NUM_THREADS says, or as there are processors.
    """
    from onnxruntime import InferenceSession, SessionOptions
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    content = graph(load_file(folder / "model.safetensors"))
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer.enable_truncation(_LONGEST)
    tokenizer.no_padding()
    told = os.environ.get("OMP_NUM_THREADS", "")
    return MiniLM(session, tokenizer, int(told) if told.isdecimal() and int(told) else os.cpu_count() or 1)


def graph(weights: Mapping[str, Values]) -> bytes:
    """The content of an ONNX file: from `ids` of a text to its unit vector."""
    made = _Graph(weights)
    places = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    below = made.node(
        "EmbedLayerNormalization", "ids", "", made.own("embeddings.word_embeddings.weight"),
        made.hold("places", places), "", made.own("embeddings.LayerNorm.weight"),
        made.own("embeddings.LayerNorm.bias"), others=["unused"], epsilon=_EPSILON,
    )  # fmt: skip
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        below = made.normalised(made.attention(below, layer), f"{layer}.attention.output", below)
        wide = made.product(below, f"{layer}.intermediate")
        wide = made.node("BiasGelu", wide, made.own(f"{layer}.intermediate.dense.bias"))
        below = made.normalised(wide, f"{layer}.output", below, exact=number < _EXACT)
    mean = made.node("ReduceMean", below, made.hold("tokens", np.array([1])), fused=False, keepdims=0)
    return made.content(made.node("LpNormalization", mean, fused=False, axis=-1, p=2), len(places[0]))


class _Graph:
    """The operators of a graph so far, and the values they hold.

    The methods take and give the names of values.
    """

    def __init__(self, weights: Mapping[str, Values]) -> None:
        self._weights = weights
        self._held: dict[str, Values] = {}
        self._nodes: list[NodeProto] = []

    def node(self, kind: str, *inputs: str, fused: bool = True, others: Sequence[str] = (), **attributes: Any) -> str:
        """Add an operator; gives its first output. `others` are its further ones."""
        from onnx import helper

        name = f"{kind}_{len(self._nodes)}"
        domain = _FUSED if fused else ""
        self._nodes.append(helper.make_node(kind, inputs, [name, *others], name, domain=domain, **attributes))
        return name

    def hold(self, name: str, values: Values) -> str:
        """Keep values in the graph."""
        self._held[name] = np.ascontiguousarray(values)
        return name

    def own(self, name: str) -> str:
        """Keep weights of the model as they are."""
        return self.hold(name, self._weights[name].T if name.endswith("dense.weight") else self._weights[name])

    def rounded(self, name: str, matrix: Values) -> tuple[str, str]:
        """Keep a matrix as whole numbers, with a scale for each column."""
        scale = np.abs(matrix).max(axis=0) / _LARGEST
        return self.hold(name, np.rint(matrix / scale).astype(np.int8)), self.hold(f"{name}.scale", scale)

    def product(self, below: str, layer: str, exact: bool = False) -> str:
        """Multiply by the weights of a linear layer, without its bias."""
        weight = f"{layer}.dense.weight"
        if exact:
            return self.node("MatMul", below, self.own(weight), fused=False)
        return self.node("DynamicQuantizeMatMul", below, *self.rounded(weight, self._weights[weight].T))

    def normalised(self, below: str, layer: str, skipped: str, exact: bool = False) -> str:
        """A linear layer, with what it skipped added, normalised."""
        made = self.product(below, layer, exact)
        norm, bias = f"{layer}.LayerNorm", self.own(f"{layer}.dense.bias")
        weights = self.own(f"{norm}.weight"), self.own(f"{norm}.bias")
        return self.node("SkipLayerNormalization", made, skipped, *weights, bias, epsilon=_EPSILON)

    def attention(self, below: str, layer: str) -> str:
        """Self-attention, up to its output layer."""
        parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        matrix = np.concatenate([self._weights[f"{part}.weight"] for part in parts]).T
        bias = self.hold(f"{layer}.bias", np.concatenate([self._weights[f"{part}.bias"] for part in parts]))
        scale, zero = f"{layer}.read.scale", f"{layer}.read.zero"
        read = self.node("DynamicQuantizeLinear", below, fused=False, others=[scale, zero])
        weight, weight_scale = self.rounded(f"{layer}.weight", matrix)
        return self.node("QAttention", read, weight, bias, scale, weight_scale, "", zero, num_heads=_HEADS)

    def content(self, vector: str, dimensions: int) -> bytes:
        """As a file that gives `vector` for `ids`."""
        from onnx import TensorProto, helper, numpy_helper

        made = helper.make_graph(
            self._nodes,
            "minilm",
            [helper.make_tensor_value_info("ids", TensorProto.INT32, [1, "tokens"])],
            [helper.make_tensor_value_info(vector, TensorProto.FLOAT, [1, dimensions])],
            [numpy_helper.from_array(values, name) for name, values in self._held.items()],
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)]
        content: bytes = helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()
        return content
