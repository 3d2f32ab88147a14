import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import StoreError
from rag.index.lock import one_writer, owner, writer

HOLD = "import sys; from pathlib import Path; from rag.index.lock import one_writer\nwith one_writer(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"


def test_the_lock_names_its_process_and_is_let_go(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    assert writer(folder) is None
    with one_writer(folder):
        assert str(writer(folder)).startswith(f"process {os.getpid()} since 20")
        with pytest.raises(StoreError, match=f"is being written by process {os.getpid()} since"), one_writer(folder):
            pass
    assert writer(folder) is None
    with one_writer(folder):
        pass


def test_another_process_is_named_and_a_dead_one_does_not_hinder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        assert f"process {other.pid} " in str(writer(tmp_path))
        with pytest.raises(StoreError, match=f"process {other.pid} "), one_writer(tmp_path):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait(10)
    assert (tmp_path / "LOCK.owner").exists()
    assert writer(tmp_path) is None
    with one_writer(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot be written in .*file"), one_writer(tmp_path / "file"):
        pass


def test_where_the_owner_cannot_be_written_the_lock_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "LOCK.owner").mkdir()
    for _ in range(2):
        with pytest.raises(StoreError, match="see that there is room"), one_writer(tmp_path):
            pass


def test_an_owner_that_has_just_got_the_lock_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: (tmp_path / "LOCK.owner").write_text("process 7"))
    assert owner(tmp_path) == "process 7"
