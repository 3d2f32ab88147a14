import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from rag.errors import ModelError
from rag.models import embedder
from rag.models.embedder import PACKAGE, make_embedder
from rag.models.minilm import MiniLM, make_minilm
from rag.settings import Settings

TEXTS = ["A black cat sleeps.", "", "x", "日本語 and 😀", "Fish swim in the pond. " * 20, "one two " * 400]


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return make_minilm(Path(str(files(PACKAGE))) / "model")


@pytest.mark.model
@pytest.mark.slow
def test_its_vectors_are_those_of_sentence_transformers(model: MiniLM) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(files(PACKAGE) / "model"), device="cpu", model_kwargs={"dtype": torch.float32})
    expected = peer.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert np.allclose(model.embed_documents(TEXTS), expected, atol=1e-5)


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
