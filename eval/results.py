"""The results of a run as a JSON file, written and read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from eval.record import Record
from rag.errors import RagError
from rag.settings import Settings
from rag.types import Document

_CHAINS = TypeAdapter(dict[str, list[Record]])


class ReportError(RagError):
    """Results cannot be written or read, or cannot be compared."""


@dataclass(frozen=True)
class Result:
    """A results file: when it was made (UTC), the name of the question set, the settings, the number of passages
    found for a question, the documents' titles by id, and the records by chain."""

    path: Path
    made: str
    questions: str
    settings: Mapping[str, Any]
    k: int
    titles: Mapping[str, str]
    chains: Mapping[str, Sequence[Record]]


def public_settings(settings: Settings) -> dict[str, Any]:
    """The settings that bear on the results: numbers and switches, and the bare names of model and embedder.

    Keys, addresses and folders are left out.
    """
    values = settings.model_dump(exclude={"host", "port"})
    kept = {name: value for name, value in values.items() if isinstance(value, bool | int | float)}
    return {
        **kept,
        "unsupported": settings.unsupported,
        "model": _bare(settings.model),
        "embedder": _bare(settings.embedder),
    }


def _bare(name: str) -> str:
    path = PurePath(name)
    return path.name if path.is_absolute() or name.startswith((".", "~")) or path.suffix == ".gguf" else name


def save(
    folder: Path,
    *,
    settings: Settings,
    questions: str,
    documents: Mapping[str, Document],
    chains: Mapping[str, Sequence[Record]],
    summaries: Mapping[str, Mapping[str, Any]],
) -> Path:
    """Write `folder`/<UTC time>.json with the settings, the summaries and every record, and return its path.

    `questions` is the name of the question set. The messages of failed questions are left
    out, since they may name folders. Raises ReportError.
    """
    now = datetime.now(UTC)
    result = {
        "made": now.isoformat(timespec="seconds"),
        "questions": questions,
        "settings": public_settings(settings),
        "documents": [
            {"doc_id": one.doc_id, "title": one.title, "characters": len(one.text)} for one in documents.values()
        ],
        "summaries": summaries,
        "records": {name: [_plain(record) for record in records] for name, records in chains.items()},
    }
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    write(path, json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    return path


def make_folder(folder: Path, option: str = "--out") -> None:
    """Make it where it is not there. Raises ReportError, which tells to give `option` another folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(
            f"{str(folder)!r} cannot be made ({error.strerror}); name another {option} folder."
        ) from error


def write(path: Path, text: str, option: str = "--out") -> None:
    """Write a file. Raises ReportError, which tells to give `option` another one."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{str(path)!r} cannot be written ({error.strerror}); name another {option}.") from error


def _plain(record: Record) -> dict[str, Any]:
    values = asdict(record)
    del values["error"]
    for citation in _citations(values):
        del citation["source"]
    return values


def _citations(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Every citation in a record as it is in JSON."""
    return [*values["citations"], *(one for text in values["sentences"] for one in text["citations"])]


def read(path: Path) -> Result:
    """A results file, also one of before. What `save` leaves out reads as a title and as the kind of the failure.

    Raises ReportError.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for record in (one for records in values["records"].values() for one in records):
            record["error"] = record.get("error_kind")
            for citation in _citations(record):
                citation["source"] = citation["title"]
        chains = _CHAINS.validate_python(values["records"])
        k = max(summary["k"] for summary in values["summaries"].values())
        titles = {one["doc_id"]: one["title"] for one in values["documents"]}
        return Result(path, values["made"], values["questions"], values["settings"], k, titles, chains)
    except OSError as error:
        raise ReportError(
            f"The results {str(path)!r} cannot be read ({error.strerror}); name a file that exists."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
        raise ReportError(
            f"{str(path)!r} is not a results file ({reason}); name one that python -m eval wrote."
        ) from error


def newest(folder: Path) -> Path:
    """The newest results file of a folder, by its name. Raises ReportError where there is none."""
    found = sorted(folder.glob("*T*Z.json"))
    if not found:
        raise ReportError(f"There are no results in {str(folder)!r}; make some with: python -m eval")
    return found[-1]
