"""The files of documents that were added in the page: checked, safely named, in a folder of their own."""

import os
import re
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rag import bounds
from rag.documents.parsers import SUFFIXES
from rag.documents.text import clean
from rag.errors import DocumentError, StoreError

FOLDER = "documents"
"""In the folder of the settings' `store`."""
_LONGEST_NAME = 120
"""Bytes; systems take 255, and a number may be added."""
_SEPARATOR = re.compile(r"[/\\]")
_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*#]+')
"""What Windows does not take in a name, and what divides a file from its parts in a source."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""Windows takes these for devices."""


def place_file(folder: Path, path: Path, name: str, megabytes: int) -> Path:
    """Copy an uploaded file into `folder` under a safe form of its `name`; returns where it is.

    Raises DocumentError where its type cannot be read or it is larger than `megabytes`,
    StoreError where it cannot be written.
    """
    plain = _SEPARATOR.split(name)[-1]
    suffix = Path(plain).suffix.lower()
    if suffix not in SUFFIXES:
        raise DocumentError(f"{plain!r} is not of a type that can be read; add a file of {', '.join(SUFFIXES)}.")
    _check_size(plain, path.stat().st_size, megabytes)

    def write(file: BinaryIO) -> None:
        with path.open("rb") as source:
            shutil.copyfileobj(source, file)

    return _place(folder, safe_stem(plain[: -len(suffix)]), suffix, write)


def place_upload(folder: Path, name: str, file: BinaryIO) -> Path:
    """Write an upload into `folder`, made for it, under a safe form of its `name`. Raises OSError."""
    plain = _SEPARATOR.split(name)[-1]
    suffix = next((each for each in SUFFIXES if plain.lower().endswith(each)), "")
    path = folder / f"{safe_stem(plain[: len(plain) - len(suffix)])}{suffix}"
    folder.mkdir(parents=True)
    try:
        with path.open("xb") as kept:
            shutil.copyfileobj(file, kept)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return path


def place_text(folder: Path, title: str, text: str, megabytes: int) -> Path:
    """Write a pasted text into `folder` as Markdown under its title; returns where it is.

    Without a title the first words are its name. Raises DocumentError where the text is
    blank or larger than `megabytes`, StoreError where it cannot be written.
    """
    _check_size(title[: bounds.TITLE], len(text), megabytes)
    title, text = " ".join(clean(title[: bounds.TITLE]).split()), clean(text)
    if not text.strip():
        raise DocumentError("The text is empty; paste some.")
    content = (f"# {title}\n\n{text}" if title else text).encode()
    name = title or " ".join(text.split()[:8])
    _check_size(name, len(content), megabytes)
    return _place(folder, safe_stem(name), ".md", lambda file: file.write(content))


def safe_stem(name: str) -> str:
    """`name`, which has no suffix, as the name of a file that every system takes, that hides nothing and nowhere."""
    plain = _UNSAFE.sub(" ", unicodedata.normalize("NFC", clean(name)))
    short = " ".join(plain.split()).encode()[:_LONGEST_NAME].decode(errors="ignore")
    stem = short.strip(" .") or "document"
    return f"{stem} file" if _RESERVED.fullmatch(stem.partition(".")[0]) else stem


def is_placed(folder: Path, file: str) -> bool:
    """Whether `file` is one of those in `folder`."""
    return os.path.dirname(os.path.abspath(file)) == os.path.abspath(folder)


def _check_size(name: str, size: int, megabytes: int) -> None:
    if size > megabytes * 1_000_000:
        raise DocumentError(
            f"{name!r} has {size / 1e6:,.1f} MB, and at most {megabytes} MB can be added; "
            "divide it, or raise RAG_UPLOAD_MB."
        )


def _place(folder: Path, stem: str, suffix: str, write: Callable[[BinaryIO], object]) -> Path:
    """A new file with this name, or with the first number behind it that is free."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem} {number}{suffix}")
            try:
                file = path.open("xb")  # fails where there is one, also one that was made this moment
            except FileExistsError:
                number += 1
                continue
            try:
                with file:
                    write(file)
            except BaseException:
                path.unlink()
                raise
            return path
    except OSError as error:
        raise StoreError(
            f"The document cannot be stored in {str(folder)!r} ({error.strerror or error}); "
            "see that there is room and that you may write there, or set RAG_STORE to another folder."
        ) from error
