"""What workers read, in Parquet files: an update that was interrupted goes on from there."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.index.manifest import to_disk

if TYPE_CHECKING:
    from pyarrow import Table

Row = dict[str, Any]
"""`key`: of a file; `found`: a document of it as JSON; `last`: its last row, without a document; `sound`: in that,
whether all of it could be read."""


def file_key(source: str, digest: str, words: int) -> str:
    """What a file's content, its name and the words in a passage are remembered by."""
    return hashlib.sha256(json.dumps([source, digest, words]).encode()).hexdigest()


class ParsedFiles:
    """Files that were read, by `file_key`, in a folder that one process writes."""

    def __init__(self, folder: Path) -> None:
        """Look at what is there; a damaged file is removed. Raises OSError."""
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table

        self._folder = folder
        self._parts: dict[str, list[Path]] = {}
        self._whole: set[str] = set()
        self._held: tuple[Path, list[Row]] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        for part in sorted(folder.iterdir()):
            try:
                if part.suffix != ".parquet":
                    raise ValueError("It was not finished.")
                self._note(part, read_table(part, columns=["key", "last", "sound"]).to_pylist())
            except (ArrowException, ValueError, OSError):
                part.unlink()
        self._next = 1 + max((int(part.stem) for part in folder.iterdir()), default=0)

    def __contains__(self, key: str) -> bool:
        """Whether all of the file is there, and all of it could be read."""
        return key in self._whole

    def rows(self, key: str) -> Iterator[Row]:
        """The rows of a file, in order."""
        from pyarrow.parquet import read_table

        for part in self._parts[key]:
            if self._held is None or self._held[0] != part:
                self._held = part, read_table(part).to_pylist()
            yield from (row for row in self._held[1] if row["key"] == key)

    def put(self, table: "Table") -> list[Row]:
        """Keep rows for certain, and return them. Raises OSError."""
        from pyarrow.parquet import write_table

        part = self._folder / f"{self._next:08}.parquet"
        write_table(table, part.with_suffix(".writing"), compression="zstd")
        to_disk(part.with_suffix(".writing"))
        os.replace(part.with_suffix(".writing"), part)
        self._next += 1
        rows: list[Row] = table.to_pylist()
        self._note(part, rows)
        return rows

    def remove(self) -> None:
        """Remove the folder."""
        with suppress(OSError):
            shutil.rmtree(self._folder)

    def _note(self, part: Path, rows: list[Row]) -> None:
        for key in dict.fromkeys(row["key"] for row in rows):
            self._parts.setdefault(key, []).append(part)
        self._whole.update(row["key"] for row in rows if row["last"] and row["sound"])
