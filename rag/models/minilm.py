"""all-MiniLM-L6-v2 in ONNX Runtime, its graph made of the weights as they are installed."""

import os
from collections.abc import Sequence
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

LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12
_LONGEST = 256
"""Tokens; what follows is not read, as in the model's own settings."""
_EXACT = 3
"""In so many of the first layers the last matrix stays in fp32: those lose most in 8 bits (docs/experiments.md)."""
_MOST = 63
"""Of a weight in 7 bits. With 8, processors without VNNI would add two products beyond what 16 bits hold."""
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


def graph(weights: dict[str, npt.NDArray[Any]]) -> bytes:
    """The content of an ONNX file: from `ids` of a text to its unit vector."""
    from onnx import TensorProto, helper, numpy_helper

    held: dict[str, npt.NDArray[Any]] = {"tokens": np.array([1])}
    nodes: list[NodeProto] = []

    def node(kind: str, *inputs: str, fused: bool = True, others: Sequence[str] = (), **attributes: Any) -> str:
        name = f"{kind}_{len(nodes)}"
        domain = _FUSED if fused else ""
        nodes.append(helper.make_node(kind, inputs, [name, *others], name, domain=domain, **attributes))
        return name

    def hold(name: str, values: npt.NDArray[Any]) -> str:
        held[name] = np.ascontiguousarray(values)
        return name

    def rounded(name: str, matrix: npt.NDArray[Any]) -> tuple[str, str]:
        # Each column has a scale of its own; what is multiplied with it is rounded when a text is read.
        scale = np.abs(matrix).max(axis=0) / _MOST
        return hold(name, np.rint(matrix / scale).astype(np.int8)), hold(f"{name}.scale", scale)

    def own(name: str) -> str:
        return hold(name, weights[name].T if name.endswith("dense.weight") else weights[name])

    def product(below: str, layer: str, exact: bool = False) -> str:
        weight = f"{layer}.dense.weight"
        if exact:
            return node("MatMul", below, own(weight), fused=False)
        return node("DynamicQuantizeMatMul", below, *rounded(weight, weights[weight].T))

    def normalised(below: str, layer: str, skipped: str, exact: bool = False) -> str:
        made = product(below, layer, exact)
        norm, bias = f"{layer}.LayerNorm", own(f"{layer}.dense.bias")
        return node(
            "SkipLayerNormalization", made, skipped, own(f"{norm}.weight"), own(f"{norm}.bias"), bias, epsilon=_EPSILON
        )

    places = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    below = node(
        "EmbedLayerNormalization", "ids", "", own("embeddings.word_embeddings.weight"), hold("places", places), "",
        own("embeddings.LayerNorm.weight"), own("embeddings.LayerNorm.bias"), others=["unused"], epsilon=_EPSILON,
    )  # fmt: skip
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        three = np.concatenate([weights[f"{part}.weight"] for part in parts]).T
        bias = hold(f"{layer}.qkv.bias", np.concatenate([weights[f"{part}.bias"] for part in parts]))
        read = node("DynamicQuantizeLinear", below, fused=False, others=[f"scale_{number}", f"zero_{number}"])
        matrix, scale = rounded(f"{layer}.qkv.weight", three)
        seen = node("QAttention", read, matrix, bias, f"scale_{number}", scale, "", f"zero_{number}", num_heads=_HEADS)
        below = normalised(seen, f"{layer}.attention.output", below)
        wide = product(below, f"{layer}.intermediate")
        wide = node("BiasGelu", wide, own(f"{layer}.intermediate.dense.bias"))
        below = normalised(wide, f"{layer}.output", below, exact=number < _EXACT)
    mean = node("ReduceMean", below, "tokens", fused=False, keepdims=0)
    last = node("LpNormalization", mean, fused=False, axis=-1, p=2)
    content: bytes = helper.make_model(
        helper.make_graph(
            nodes,
            "minilm",
            [helper.make_tensor_value_info("ids", TensorProto.INT32, [1, "tokens"])],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, len(places[0])])],
            [numpy_helper.from_array(values, name) for name, values in held.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)],
        ir_version=9,
    ).SerializeToString()
    return content
