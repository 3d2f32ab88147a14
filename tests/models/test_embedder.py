from pathlib import Path

import pytest
from fakes import write

from rag.errors import ModelError
from rag.models.embedder import embedder_name, make_embedder
from rag.settings import Settings

WEIGHTS = "model.safetensors"
CONFIG = {
    "modules.json": '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]',
    "config.json": '{"model_type": "bert", "architectures": ["BertModel"]}',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "embedder", {WEIGHTS: "first"})
    return tmp_path / "embedder"


def named(settings: Settings, folder: Path) -> str:
    return embedder_name(settings.model_copy(update={"embedder": str(folder)}))


@pytest.mark.parametrize("file", [WEIGHTS, "2_Dense/model.safetensors", "3_Dense/pytorch_model.bin"])
def test_other_weights_make_another_name(settings: Settings, folder: Path, file: str) -> None:
    names = []
    for content in ("one", "other", "one"):
        write(folder, {file: content})
        names.append(named(settings, folder))
    assert names[0] == names[2] != names[1]


def test_weights_that_are_not_loaded_do_not_change_the_name(settings: Settings, folder: Path) -> None:
    before = named(settings, folder)
    write(folder, {"pytorch_model.bin": "the same for older versions", "README.md": "text"})
    assert named(settings, folder) == before


@pytest.mark.slow
def test_damaged_weights_are_refused_in_a_sentence(settings: Settings, folder: Path) -> None:
    write(folder, CONFIG | {WEIGHTS: "not what it says"})
    with pytest.raises(ModelError, match=r"cannot be loaded \(.+\); set RAG_EMBEDDER to a folder"):
        make_embedder(settings.model_copy(update={"embedder": str(folder)}))


def test_an_error_without_a_message_is_named(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", fails)
    with pytest.raises(ModelError, match=r"cannot be loaded \(ValueError\)"):
        make_embedder(settings.model_copy(update={"embedder": str(folder)}))
