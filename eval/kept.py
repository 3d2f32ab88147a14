"""The records of a run that is not complete, so that the same command goes on where it was."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

import rag
from eval.dataset import Question
from eval.record import Record
from eval.results import ReportError, public_settings
from rag.settings import Settings

_ADAPTER = TypeAdapter(Record)
_ENGINE = {"threads", "timeout", "retries", "download", "online"}
_PAGE = {"add_documents", "upload_mb", "at_once", "queue", "per_minute", "log_questions", "metrics"}


class Kept:
    """A file of records, one JSON line each, by the ids of their questions. Failed ones are not kept: they are asked
    again. The methods raise ReportError where the file cannot be written."""

    def __init__(self, path: Path, records: dict[str, Record]) -> None:
        self.records = records
        self._path = path
        self._failed = False

    @classmethod
    def open(cls, folder: Path, key: str, again: bool = False) -> Self:
        """What `folder`/`key`.jsonl holds, as far as it is whole; nothing with `again`."""
        path = folder / f"{key}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if again:
                path.unlink(missing_ok=True)
            records = _read(path) if path.exists() else {}
            path.write_bytes(b"".join(map(_line, records.values())))  # Whatever was cut short is gone.
        except OSError as error:
            raise _unwritable(path, error) from error
        return cls(path, records)

    def add(self, record: Record) -> None:
        """Keep one more, on the disk before the next question is asked."""
        if record.error is not None:
            self._failed = True
            return
        self.records[record.question.id] = record
        try:
            with self._path.open("ab") as file:
                file.write(_line(record))
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def remove(self) -> None:
        """Forget the file where the run is complete, and the folder where no other run is kept.

        After a run in which some questions failed it stays, and the same command asks these alone.
        """
        if self._failed:
            return
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._path.parent.rmdir()


def _read(path: Path) -> dict[str, Record]:
    records = {}
    for line in path.read_bytes().splitlines():
        try:
            record = _ADAPTER.validate_json(line)
        except ValidationError:
            continue
        records[record.question.id] = record
    return records


def _line(record: Record) -> bytes:
    return _ADAPTER.dump_json(record) + b"\n"


def _unwritable(path: Path, error: OSError) -> ReportError:
    return ReportError(f"{str(path)!r} cannot be written ({error.strerror}); name another --out folder.")


def run_key(settings: Settings, chain: str, questions: Sequence[Question], doc_ids: Iterable[str]) -> str:
    """A name for a run, the same only where its records may be mixed.

    It stands for the settings that bear on answers, the model, the chain, the questions,
    the documents, and the code with the weights of the confidence: after an edit of it a
    run starts anew.
    """
    bearing = {name: value for name, value in public_settings(settings).items() if name not in _ENGINE | _PAGE}
    where = [settings.model, settings.base_url, settings.embedder]
    parts = [bearing, where, chain, [asdict(question) for question in questions], sorted(doc_ids)]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for folder in (Path(rag.__path__[0]), Path(__file__).parent):
        for file in sorted([*folder.glob("*.py"), *folder.glob("*.json")]):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
