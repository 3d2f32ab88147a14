import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fakes import publish, write
from filelock import FileLock

from rag.errors import DamagedError, NoIndexError, StoreError
from rag.index.manifest import Corpus, check_files, read_manifest
from rag.index.snapshot import (
    current_name,
    last_corpus,
    newest_sound,
    others,
    remove_unfinished,
    roll_back,
    snapshots,
    write_lock,
    writer,
)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Two snapshots: first of a cat, then, current, of a dog."""
    for text in ("A cat sleeps.", "A dog eats."):
        write(tmp_path / "texts", {"a.txt": text})
        publish(tmp_path / "index", tmp_path / "texts")
    return tmp_path / "index"


@pytest.mark.slow
def test_the_current_snapshot_and_the_one_before_are_kept(index: Path, tmp_path: Path) -> None:
    before = snapshots(index)[0]
    write(tmp_path / "texts", {"a.txt": "A fish swims."})
    publish(index, tmp_path / "texts")
    assert len(snapshots(index)) == 2
    assert snapshots(index)[1] == before
    assert snapshots(index)[0].name == current_name(index)


@pytest.mark.slow
def test_the_manifest_holds_the_digest_of_every_file(index: Path) -> None:
    snapshot = snapshots(index)[0]
    manifest = read_manifest(snapshot)
    there = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()}
    assert set(manifest.files) == there - {"manifest.json"}
    assert (manifest.documents, manifest.passages, manifest.words) == (1, 1, 3)


@pytest.mark.slow
def test_every_overwritten_cut_or_lost_file_is_named_and_the_one_before_is_used(index: Path) -> None:
    current, before = snapshots(index)
    for name in [*read_manifest(current).files, "manifest.json"]:
        path = current / name
        whole = path.read_bytes()
        for damaged in (whole[: len(whole) // 2], bytes(byte ^ 255 for byte in whole), None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            if damaged == whole:
                continue  # An empty file cannot be damaged by cutting or overwriting it.
            with pytest.raises(DamagedError, match=name.rpartition("/")[2]):
                check_files(current)
            sound = newest_sound(index)
            assert sound.path == before
            assert sound.notice is not None and "python ingest.py" in sound.notice
            path.write_bytes(whole)
    assert newest_sound(index).path == current


@pytest.mark.slow
def test_a_large_file_is_read_again_only_if_it_was_written_to_or_is_another(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.index.manifest._READ_WHOLE", 0)
    snapshot = snapshots(index)[0]
    path = snapshot / "passages.sqlite"
    whole, sealed = path.read_bytes(), path.stat()
    path.write_bytes(bytes(len(whole)))
    with pytest.raises(DamagedError, match="overwritten"):
        check_files(snapshot)
    os.utime(path, ns=(sealed.st_atime_ns, sealed.st_mtime_ns))
    check_files(snapshot)  # As a disk that forgets would leave it.
    with pytest.raises(DamagedError, match="overwritten"):
        check_files(snapshot, full=True)
    other = path.with_name("other")
    other.write_bytes(bytes(len(whole)))
    os.utime(other, ns=(sealed.st_atime_ns, sealed.st_mtime_ns))
    os.replace(other, path)
    with pytest.raises(DamagedError, match="overwritten"):
        check_files(snapshot)
    path.write_bytes(whole)
    assert check_files(snapshot).passages == 1


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"20200101T000000000000-abcd", "cut"])
def test_without_a_readable_current_the_newest_is_used(index: Path, content: bytes | str | None) -> None:
    newest = snapshots(index)[0]
    if content == "cut":
        content = (index / "CURRENT").read_bytes()[:-10]
    (index / "CURRENT").unlink()
    if isinstance(content, bytes):
        (index / "CURRENT").write_bytes(content)
    sound = newest_sound(index)
    assert sound.path == newest
    assert sound.notice is not None and "CURRENT does not name a snapshot" in sound.notice


@pytest.mark.slow
def test_where_nothing_is_sound_the_sentence_says_how_to_repair(index: Path, tmp_path: Path) -> None:
    for snapshot in snapshots(index):
        (snapshot / "manifest.json").write_text("{}\n0\n")
    with pytest.raises(DamagedError, match=r"is damaged \(manifest.json .*repair it with: python ingest.py"):
        newest_sound(index)
    with pytest.raises(NoIndexError, match="There is no index"):
        newest_sound(tmp_path / "nowhere")


@pytest.mark.slow
def test_what_it_is_made_of_is_known_while_current_or_a_manifest_can_be_read(index: Path, tmp_path: Path) -> None:
    made = Corpus((str(tmp_path / "texts"),))
    assert last_corpus(tmp_path / "nowhere") is None
    for snapshot in snapshots(index):
        (snapshot / "manifest.json").write_text("{}")
    assert last_corpus(index) == made
    (index / "CURRENT").unlink()
    with pytest.raises(DamagedError, match=r"name the documents again: python ingest\.py PATH"):
        last_corpus(index)


@pytest.mark.slow
def test_what_else_is_in_the_folder_is_left_alone(index: Path, tmp_path: Path) -> None:
    for name in ("Tax-2023", "My-Thesis-draft", "old.building"):
        (index / name).mkdir()
    (index / "CURRENT.txt").write_text("mine")
    remove_unfinished(index)
    write(tmp_path / "texts", {"a.txt": "A fish swims."})
    publish(index, tmp_path / "texts")
    left = {path.name for path in index.iterdir()}
    assert {"Tax-2023", "My-Thesis-draft", "old.building", "CURRENT.txt"} < left
    assert len(snapshots(index)) == 2


def test_a_folder_that_is_none_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="see that it is a folder that you may read"):
        newest_sound(tmp_path / "file")


@pytest.mark.slow
def test_a_publication_during_the_look_is_no_damage(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading CURRENT and looking at the folder another process publishes."""
    current, before = snapshots(index)
    names = iter([before.name, current.name])
    monkeypatch.setattr("rag.index.snapshot.current_name", lambda _: next(names, current.name))
    (before / "passages.sqlite").unlink()
    assert newest_sound(index).path == current and newest_sound(index).notice is None


@pytest.mark.slow
def test_an_index_of_another_format_is_told(index: Path) -> None:
    import hashlib

    path = snapshots(index)[0] / "manifest.json"
    content = json.dumps(json.loads(path.read_text().splitlines()[0]) | {"format": 1})
    path.write_text(f"{content}\n{hashlib.sha256(content.encode()).hexdigest()}\n")
    with pytest.raises(DamagedError, match="has format 1, not"):
        read_manifest(path.parent)


@pytest.mark.slow
def test_rolling_back_goes_to_the_one_before_and_forth_again(index: Path) -> None:
    current, before = snapshots(index)
    roll_back(index)
    assert newest_sound(index).path == before and newest_sound(index).notice is None
    roll_back(index)
    assert newest_sound(index).path == current
    assert [path for path, _ in others(index)] == [before]
    (before / "passages.sqlite").unlink()
    assert others(index) == []
    with pytest.raises(StoreError, match="no other sound snapshot"):
        roll_back(index)


HOLD = "import sys; from pathlib import Path; from rag.index.snapshot import write_lock\nwith write_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"


@pytest.mark.slow
def test_the_lock_names_its_process_and_is_let_go(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    assert writer(folder) is None
    with write_lock(folder):
        assert str(writer(folder)).startswith(f"process {os.getpid()} since 20")
        with pytest.raises(StoreError, match=f"is being written by process {os.getpid()} since"), write_lock(folder):
            pass
    assert writer(folder) is None
    with write_lock(folder):
        pass


@pytest.mark.slow
def test_another_process_is_named_and_a_dead_one_does_not_hinder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        assert f"process {other.pid} " in str(writer(tmp_path))
        with pytest.raises(StoreError, match=f"process {other.pid} "), write_lock(tmp_path):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait(10)
    assert (tmp_path / "LOCK.owner").exists()
    assert writer(tmp_path) is None
    with write_lock(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot be written in .*file"), write_lock(tmp_path / "file"):
        pass


def test_where_the_owner_cannot_be_written_the_lock_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "LOCK.owner").mkdir()
    for _ in range(2):
        with pytest.raises(StoreError, match="see that there is room"), write_lock(tmp_path):
            pass


def test_an_owner_that_has_just_got_the_lock_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with write_lock(tmp_path):
        (tmp_path / "LOCK.owner").unlink()
        monkeypatch.setattr("time.sleep", lambda _: (tmp_path / "LOCK.owner").write_text("process 7"))
        assert writer(tmp_path) == "process 7"


@pytest.mark.slow
def test_a_lock_that_is_held_for_a_moment_is_waited_for(index: Path) -> None:
    lock = FileLock(index / "LOCK", thread_local=False)
    lock.acquire()
    released = threading.Timer(0.1, lock.release)
    released.start()
    with write_lock(index):
        assert not lock.is_locked
    released.join()
