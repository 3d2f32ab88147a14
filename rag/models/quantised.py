"""The weights of an ONNX model in 8 bits, by their names in PyTorch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]


class QuantisedModel:
    """Reads and replaces the weights of the model in a file.

    A layer `x.dense` is the node `/x/dense/MatMul_quant`. The exporter kept the names of
    vectors and embeddings, but numbered most matrices, so these are found by their node.
    ONNX is imported when one is made.
    """

    def __init__(self, path: Path) -> None:
        import onnx
        from onnx import numpy_helper

        self._model = onnx.load(path)
        self._to_array, self._from_array = numpy_helper.to_array, numpy_helper.from_array
        self._held = {one.name: one for one in self._model.graph.initializer}
        nodes = [one for one in self._model.graph.node if one.op_type == "MatMulInteger"]
        self._matrices = {_layer(one.name): one.input[1].removesuffix("_quantized") for one in nodes}

    @property
    def layers(self) -> list[str]:
        """The linear layers, such as "classifier"."""
        return list(self._matrices)

    def matrix(self, layer: str) -> npt.NDArray[np.float32]:
        """The weights of a linear layer, of shape (out, in)."""
        return self._dequantised(self._matrices[layer]).T

    def put_matrix(self, layer: str, weights: Values) -> None:
        """Replace the weights of a linear layer, of shape (out, in), scaled by row."""
        name = self._matrices[layer]
        scales = np.maximum(np.abs(weights).max(axis=1) / 127, 1e-12).astype(np.float32)
        self._put(f"{name}_quantized", np.round(weights.T / scales).astype(np.int8))
        self._put(f"{name}_zero_point", np.zeros(len(scales), dtype=np.int8))
        self._put(f"{name}_scale", scales)

    def put_bias(self, layer: str, bias: Values) -> None:
        """Replace the bias of a linear layer."""
        self._put(f"{layer}.bias", bias.astype(np.float32))

    def parameters(self) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        """Every weight by its name in PyTorch, as floats."""
        for layer in self._matrices:
            yield f"{layer}.weight", self.matrix(layer)
        for name in self._held:
            base = name.removesuffix("_quantized")
            if base != name and "embeddings" in base:
                yield base, self._dequantised(base)
            elif name.endswith((".bias", "LayerNorm.weight")):
                yield name, self._array(name)

    def serialised(self) -> bytes:
        """The model as the content of a file."""
        content: bytes = self._model.SerializeToString()
        return content

    def _dequantised(self, name: str) -> npt.NDArray[np.float32]:
        values: npt.NDArray[np.float32] = self._array(f"{name}_quantized").astype(np.float32)
        values -= self._array(f"{name}_zero_point").astype(np.float32)
        values *= self._array(f"{name}_scale")
        return values

    def _array(self, name: str) -> Values:
        values: Values = self._to_array(self._held[name])
        return values

    def _put(self, name: str, values: Values) -> None:
        self._held[name].CopyFrom(self._from_array(values, name))


def _layer(node: str) -> str:
    """`/bert/pooler/dense/Gemm_MatMul_quant` -> `bert.pooler.dense`."""
    return node.strip("/").rpartition("/")[0].replace("/", ".")
