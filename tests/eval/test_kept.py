"""The records of an interrupted run."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import ANSWERED, FACT, FAILED, HELD_BACK, OUTSIDE, REFUSED

from eval.kept import Kept, run_key
from eval.record import Record, Times
from eval.results import ReportError
from rag.settings import read_settings

OTHER = replace(HELD_BACK, question=replace(FACT, id="other"))


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    kept = Kept.open(tmp_path / "partial", "key")
    for record in (ANSWERED, OTHER, REFUSED):
        kept.add(record)
    again = Kept.open(tmp_path / "partial", "key")
    assert again.records == kept.records == {"f": ANSWERED, "other": OTHER, "o": REFUSED}
    assert Kept.open(tmp_path / "partial", "another").records == {}
    assert Kept.open(tmp_path / "partial", "key", again=True).records == {}


SHARES = st.floats(0, 1)
SECONDS = st.floats(0, 1e6)
ANY = st.builds(
    Record,
    confidence=SHARES,
    times=st.builds(Times, passages=st.none() | SECONDS, first_token=st.none() | SECONDS, total=SECONDS),
    f1=st.none() | SHARES,
    rouge_l=st.none() | SHARES,
    error=st.none(),
    signals=st.dictionaries(st.text(), st.floats(-1e3, 1e3)),
)


@given(ANY)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_record_comes_back(tmp_path: Path, record: Record) -> None:
    Kept.open(tmp_path, "key", again=True).add(record)
    assert Kept.open(tmp_path, "key").records == {record.question.id: record}


def test_failed_questions_are_asked_again(tmp_path: Path) -> None:
    kept = Kept.open(tmp_path, "key")
    kept.add(FAILED)
    assert kept.records == Kept.open(tmp_path, "key").records == {}


def test_what_was_cut_short_is_dropped_and_the_next_record_is_whole(tmp_path: Path) -> None:
    kept = Kept.open(tmp_path, "key")
    kept.add(ANSWERED)
    kept.add(OTHER)
    path = tmp_path / "key.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = Kept.open(tmp_path, "key")
    assert again.records == {"f": ANSWERED}
    again.add(REFUSED)
    assert Kept.open(tmp_path, "key").records == {"f": ANSWERED, "o": REFUSED}


def test_removing_leaves_what_others_kept(tmp_path: Path) -> None:
    one, two = Kept.open(tmp_path / "partial", "one"), Kept.open(tmp_path / "partial", "two")
    one.remove()
    assert [path.name for path in (tmp_path / "partial").iterdir()] == ["two.jsonl"]
    two.remove()
    assert not (tmp_path / "partial").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReportError, match=r"cannot be written .*; name another --out folder"):
        Kept.open(tmp_path / "file", "key")


def test_the_key_is_the_same_only_where_records_may_be_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = read_settings(threads=1)
    key = run_key(plain, "chat", [FACT], ["d", "e"])
    assert run_key(plain, "chat", [FACT], ["e", "d"]) == key
    assert run_key(read_settings(threads=2, timeout=5.0), "chat", [FACT], ["d", "e"]) == key
    others = [
        run_key(read_settings(threads=1, passages=9), "chat", [FACT], ["d", "e"]),
        run_key(read_settings(threads=1, model="/a/x.gguf"), "chat", [FACT], ["d", "e"]),
        run_key(plain, "baseline", [FACT], ["d", "e"]),
        run_key(plain, "chat", [FACT, OUTSIDE], ["d", "e"]),
        run_key(plain, "chat", [FACT], ["d"]),
    ]
    (tmp_path / "new.py").write_text("x = 1")
    monkeypatch.setattr("eval.kept.rag.__path__", [str(tmp_path)])
    others.append(run_key(plain, "chat", [FACT], ["d", "e"]))
    (tmp_path / "weights.json").write_text("{}")
    others.append(run_key(plain, "chat", [FACT], ["d", "e"]))
    assert len({key, *others}) == 8


def test_what_was_answered_stays_where_some_questions_failed(tmp_path: Path) -> None:
    kept = Kept.open(tmp_path, "key")
    kept.add(ANSWERED)
    kept.add(FAILED)
    kept.remove()
    assert Kept.open(tmp_path, "key").records == {"f": ANSWERED}


def test_the_key_knows_what_bears_on_answers_and_not_the_page() -> None:
    def key(**changes: object) -> str:
        return run_key(read_settings(**changes), "chat", [FACT], ["d"])

    assert key(unsupported="drop") != key()
    assert key(per_minute=7, queue=3, upload_mb=5, log_questions=True) == key()
