import random
import subprocess
import sys
from pathlib import Path

import formats
import pytest

from rag.documents.parsed import FormatError, Parsed
from rag.documents.parsers import read


def parsed(tmp_path: Path, content: bytes, kind: str) -> Parsed:
    file = tmp_path / "file"
    file.write_bytes(content)
    return read(str(file), kind)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("picture", "does not look like HTML"),
        ("page", "does not look like PDF"),
        ("locked", "protected by a password"),
        ("scanned", "run OCR"),
        ("paper", "does not look like DOCX"),
        ("old", "old Office file or protected by a password"),
        ("bomb", "unpacks to more than 500 MB"),
        ("no list", "names no list of its chapters"),
        ("rights", "protected against copying"),
    ],
)
def test_the_reason_for_a_refusal_is_said(tmp_path: Path, name: str, reason: str) -> None:
    suffix, make = formats.BROKEN[name]
    with pytest.raises(FormatError, match=reason):
        parsed(tmp_path, make(random.Random(1)), suffix[1:])


def test_the_worker_starts_without_the_large_libraries() -> None:
    loaded = "import sys, rag.documents.sandbox; print({'torch', 'chromadb', 'langchain_core', 'numpy', 'lxml'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
