import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from rag.errors import ModelError
from rag.models import embedder
from rag.models.embedder import PACKAGE, make_embedder
from rag.models.minilm import MiniLM, graph, make_minilm
from rag.settings import Settings

TEXTS = ["A black cat sleeps.", "", "x", "日本語 and 😀", "Fish swim in the pond. " * 20, "one two " * 400]


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return make_minilm(Path(str(files(PACKAGE))) / "model")


@pytest.mark.model
@pytest.mark.slow
def test_its_vectors_are_nearly_those_of_sentence_transformers(model: MiniLM) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(files(PACKAGE) / "model"), device="cpu", model_kwargs={"dtype": torch.float32})
    texts = [text for text in TEXTS if text]
    expected = peer.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    vectors = np.array(model.embed_documents(texts))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (vectors * expected).sum(axis=1).min() > 0.98  # A single letter loses most.


@pytest.mark.model
@pytest.mark.slow
def test_its_weights_leave_two_products_room_in_16_bits() -> None:
    import onnx
    from onnx import numpy_helper
    from safetensors.numpy import load_file

    made = onnx.load_from_string(graph(load_file(files(PACKAGE) / "model" / "model.safetensors")))
    rounded = [numpy_helper.to_array(one) for one in made.graph.initializer if one.data_type == onnx.TensorProto.INT8]
    assert len(rounded) == 21
    assert all(2 * 255 * np.abs(matrix.astype(int)).max() < 2**15 for matrix in rounded)


@pytest.mark.model
@pytest.mark.slow
def test_a_vector_does_not_depend_on_what_is_embedded_beside_it(model: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    together = model.embed_documents(TEXTS)
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    alone = make_minilm(Path(str(files(PACKAGE))) / "model")
    assert [alone.embed_query(text) for text in TEXTS] == together
    assert model.embed_documents([]) == []


def test_a_file_that_is_missing_is_named(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "_installed", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"cannot be loaded from .*model.safetensors.*pip install --force-reinstall"):
        make_embedder(settings.model_copy(update={"embedder": ""}))
