"""The files of runs: results, and the records of an unfinished run."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Literal, Self

from pydantic import TypeAdapter, ValidationError

import rag
from eval.dataset import Question
from eval.record import Record
from rag.errors import RagError
from rag.settings import Settings
from rag.types import Document

_ENGINE = {"timeout", "online"}
_PAGE = {"add_documents", "upload_mb", "at_once", "queue", "per_minute", "log_questions", "metrics"}


class ReportError(RagError):
    """Results cannot be written or read, or cannot be compared."""


@dataclass(frozen=True)
class Result:
    """A results file.

    When it was made (UTC), the name of the question set, the settings, the number of
    passages found for a question, the documents' titles by id, and the records by chain.
    """

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
    named = {"unsupported": settings.unsupported, "model": _bare(settings.model), "embedder": _bare(settings.embedder)}
    return kept | named


def _bare(name: str) -> str:
    path = PurePath(name)
    return path.name if path.is_absolute() or name.startswith((".", "~")) or path.suffix == ".gguf" else name


def save(
    folder: Path, *, settings: Settings, questions: str, documents: Mapping[str, Document],
    chains: Mapping[str, Sequence[Record]], summaries: Mapping[str, Mapping[str, Any]],
) -> Path:  # fmt: skip
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


def _plain(record: Record) -> dict[str, Any]:
    values = asdict(record)
    del values["error"]
    for citation in _citations(values):
        del citation["source"]
    return values


def _citations(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Every citation in a record as it is in JSON."""
    of_sentences = [one for text in values["sentences"] for one in text["citations"]]
    return [*values["citations"], *values.get("near", ()), *of_sentences]


def read(path: Path) -> Result:
    """A results file, also an older one.

    Instead of what `save` leaves out it has a title and the kind of the failure. Raises ReportError.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for record in (one for records in values["records"].values() for one in records):
            record["error"] = record.get("error_kind")
            for citation in _citations(record):
                citation["source"] = citation["title"]
        chains = TypeAdapter(dict[str, list[Record]]).validate_python(values["records"])
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
    """The newest results file of a folder, by its name. Raises ReportError if there is none."""
    found = sorted(folder.glob("*T*Z.json"))
    if not found:
        raise ReportError(f"There are no results in {str(folder)!r}; make some with: python -m eval")
    return found[-1]


def make_folder(folder: Path, option: str = "--out") -> None:
    """Make it if it is not there. Raises ReportError, which tells to give `option` another folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(
            f"{str(folder)!r} cannot be made ({error.strerror}); name another {option} folder."
        ) from error


def write(path: Path, text: str, option: str = "--out") -> None:
    """Write a file. Raises ReportError, which tells to give `option` another one."""
    with writing(path, option):
        path.write_text(text, encoding="utf-8")


@contextmanager
def writing(path: Path, option: str = "--out") -> Iterator[None]:
    """Raises ReportError if the file cannot be written within, which tells to give `option` another one."""
    try:
        yield
    except OSError as error:
        raise ReportError(f"{str(path)!r} cannot be written ({error.strerror}); name another {option}.") from error


class Kept:
    """The records of an unfinished run, so that the same command goes on from there.

    One JSON line each. Failed ones are not kept: they are asked again. The methods raise ReportError if the
    file cannot be written.
    """

    _adapter = TypeAdapter(Record)

    def __init__(self, path: Path, records: dict[str, Record]) -> None:
        """`records` are those of the file, by the ids of their questions."""
        self.records = records
        self._path = path
        self._failed = False

    @classmethod
    def open(cls, folder: Path, key: str, again: bool = False) -> Self:
        """What `folder`/`key`.jsonl holds, as far as it is whole; nothing with `again`."""
        path = folder / f"{key}.jsonl"
        records = {}
        make_folder(folder)
        with writing(path):
            lines = path.read_bytes().splitlines() if path.exists() and not again else []
        for line in lines:
            with suppress(ValidationError):
                record = cls._adapter.validate_json(line)
                records[record.question.id] = record
        kept = cls(path, records)
        kept._write("wb", records.values())  # Whatever was cut short is gone.
        return kept

    def add(self, record: Record) -> None:
        """Keep one more, on the disk before the next question is asked."""
        if record.error is not None:
            self._failed = True
            return
        self.records[record.question.id] = record
        self._write("ab", [record])

    def _write(self, mode: Literal["ab", "wb"], records: Iterable[Record]) -> None:
        with writing(self._path), self._path.open(mode) as file:
            file.writelines(self._adapter.dump_json(one) + b"\n" for one in records)

    def remove(self) -> None:
        """Forget the file if the run is complete, and the folder if no other run is kept.

        After a run in which some questions failed it stays, and the same command asks these alone.
        """
        if not self._failed:
            self._path.unlink(missing_ok=True)
            with suppress(OSError):
                self._path.parent.rmdir()


def run_key(settings: Settings, chain: str, questions: Sequence[Question], doc_ids: Iterable[str]) -> str:
    """A name for a run, the same only if its records may be mixed.

    It stands for the settings that bear on answers, the model, the chain, the questions,
    the documents, and the code with the weights of the confidence: after an edit of it a
    run starts anew.
    """
    bearing = {name: value for name, value in public_settings(settings).items() if name not in _ENGINE | _PAGE}
    where = [settings.model, settings.base_url, settings.embedder]
    parts = [bearing, where, chain, [asdict(question) for question in questions], sorted(doc_ids)]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for folder in (Path(rag.__path__[0]), Path(__file__).parent):
        for file in sorted(one for one in folder.rglob("*") if one.suffix in {".py", ".json", ".npz", ".gguf"}):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
