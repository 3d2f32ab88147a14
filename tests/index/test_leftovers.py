"""What a real Chroma server leaves on its disk."""

import sys
from pathlib import Path

import numpy as np
import pytest
from chroma import ChromaProcess

from rag.index.chroma_server import ChromaServer
from rag.index.leftovers import leftovers, main


@pytest.mark.slow
def test_only_what_no_collection_has_is_removed_while_the_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = ChromaProcess(tmp_path)
    try:
        rows = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
        for name in ("kept", "gone"):
            made = ChromaServer(process.url).make(name)
            made.add(range(300), rows)
            made.settle()
        ChromaServer(process.url).drop("gone")
        (tmp_path / "mine").mkdir()
        assert len(leftovers(tmp_path)) == 1
        monkeypatch.setattr(sys, "argv", ["leftovers", str(tmp_path)])
        assert main() == 0 and capsys.readouterr().out.startswith("Removed 1 search graphs")
        assert leftovers(tmp_path) == [] and (tmp_path / "mine").exists()
        process.kill()
        process.start()
        assert ChromaServer(process.url).read("kept").nearest(rows[7], 1)[0][0] == 7
    finally:
        process.kill()


def test_another_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1d8d542c-a206-43a4-81a4-0ec9e5785cc5").mkdir()
    monkeypatch.setattr(sys, "argv", ["leftovers", str(tmp_path)])
    assert main() == 1 and "is not the folder of a Chroma server" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1
