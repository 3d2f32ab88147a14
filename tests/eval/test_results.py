"""The results file, and the records of an interrupted run: what they hold, what they leave out, and reading them again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from records import ANSWERED, DOCUMENT, FACT, FAILED, HELD_BACK, OUTSIDE, RECORDS, REFUSED

from eval.record import Record, Times
from eval.results import Kept, ReportError, newest, public_settings, read, run_key, save
from eval.summary import summarise
from rag.settings import Settings, read_settings


def settings(tmp_path: Path) -> Settings:
    return read_settings(
        data=tmp_path,
        index=tmp_path,
        cache=tmp_path,
        model="/home/somebody/small.gguf",
        embedder="/home/somebody/minilm",
        base_url="https://user:word@host.example/v1",
        api_key=SecretStr("very-secret"),
        passages=3,
    )


def test_settings_are_kept_without_keys_addresses_and_folders(tmp_path: Path) -> None:
    kept = public_settings(settings(tmp_path))
    assert (kept["model"], kept["embedder"], kept["passages"]) == ("small.gguf", "minilm", 3)
    assert not {"api_key", "base_url", "data", "index", "cache", "host", "port"} & set(kept)
    assert public_settings(read_settings(model="openai:gpt", embedder="org/name"))["embedder"] == "org/name"


def written(folder: Path, tmp_path: Path, **chains: list[Record]) -> Path:
    summaries = {name: summarise(records, 2) for name, records in chains.items()}
    return save(
        folder, settings=settings(tmp_path), questions="set.jsonl", documents={"d": DOCUMENT}, chains=chains,
        summaries=summaries,
    )  # fmt: skip


def test_the_results_file_holds_everything_but_secrets_and_folders(tmp_path: Path) -> None:
    text = written(tmp_path, tmp_path, chat=RECORDS).read_text(encoding="utf-8")
    assert not any(word in text for word in ("very-secret", "word@", "somebody", str(tmp_path)))
    values = json.loads(text)
    assert values["questions"] == "set.jsonl"
    assert values["documents"] == [{"doc_id": "d", "title": "Article", "characters": 100}]
    assert values["summaries"]["chat"]["kinds"]["fact"]["right"] == 1
    first, _, _, failed = values["records"]["chat"]
    assert first["question"]["evidence"] == ["x", "xx"]
    assert first["evidence"][0] == [{"doc_id": "d", "start": 0, "end": 10}]
    assert first["sentences"][0]["citations"][0]["quote"] == "xxxx"
    assert failed["error_kind"] == "ModelError"
    with pytest.raises(ReportError, match=r"cannot be written .*; name another --out"):
        written(tmp_path / "none", tmp_path, chat=RECORDS)


def test_results_read_as_they_were_but_for_what_is_left_out(tmp_path: Path) -> None:
    result = read(written(tmp_path, tmp_path, chat=RECORDS, baseline=RECORDS[:1]))
    assert (result.questions, result.k, result.titles, set(result.chains)) == (
        "set.jsonl", 2, {"d": "Article"}, {"chat", "baseline"},
    )  # fmt: skip
    first, second, third, failed = result.chains["chat"]
    assert first.citations == tuple(replace(one, source="Article") for one in RECORDS[0].citations)
    assert first.evidence == RECORDS[0].evidence
    assert [second, third] == RECORDS[1:3]
    assert failed.error == "ModelError"
    assert summarise(result.chains["chat"], 2) == summarise(RECORDS, 2)


def test_what_was_quoted_is_kept_without_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path, tmp_path, chat=[replace(RECORDS[1], near=RECORDS[0].citations)])
    assert "somebody" not in path.read_text(encoding="utf-8")
    assert read(path).chains["chat"][0].near == tuple(replace(one, source="Article") for one in RECORDS[0].citations)


def test_results_of_before_the_newer_fields_can_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, tmp_path, chat=RECORDS)
    values = json.loads(path.read_text(encoding="utf-8"))
    for one in values["records"]["chat"]:
        del one["gist"], one["rouge_l"], one["signals"], one["near"], one["question"]["near_doc_ids"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert read(path).chains["chat"][2] == RECORDS[2]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"records": {"chat": [{"citations": [], "sentences": []}]}}'])
def test_what_is_not_a_results_file_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReportError, match=r"is not a results file .*; name one that python -m eval wrote"):
        read(path)
    with pytest.raises(ReportError, match="name a file that exists"):
        read(tmp_path / "none.json")


def test_the_newest_results_are_the_last_by_name(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="make some with: python -m eval"):
        newest(tmp_path)
    for name in ("20260102T000000Z.json", "20260101T000000Z.json", "zebra.json"):
        (tmp_path / name).touch()
    assert newest(tmp_path).name == "20260102T000000Z.json"


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


@pytest.mark.slow
@given(ANY)
@hypothesis_settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_record_comes_back(tmp_path: Path, record: Record) -> None:
    Kept.open(tmp_path, "key", again=True).add(record)
    assert Kept.open(tmp_path, "key").records == {record.question.id: record}


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
    with pytest.raises(ReportError, match=r"cannot be made .*; name another --out folder"):
        Kept.open(tmp_path / "file", "key")


def test_the_key_is_the_same_only_where_records_may_be_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = read_settings()
    key = run_key(plain, "chat", [FACT], ["d", "e"])
    assert run_key(plain, "chat", [FACT], ["e", "d"]) == key
    assert run_key(read_settings(online=True, timeout=5.0), "chat", [FACT], ["d", "e"]) == key
    assert (
        run_key(read_settings(per_minute=7, queue=3, upload_mb=5, log_questions=True), "chat", [FACT], ["d", "e"])
        == key
    )
    others = [
        run_key(read_settings(unsupported="drop"), "chat", [FACT], ["d", "e"]),
        run_key(read_settings(passages=9), "chat", [FACT], ["d", "e"]),
        run_key(read_settings(model="/a/x.gguf"), "chat", [FACT], ["d", "e"]),
        run_key(plain, "baseline", [FACT], ["d", "e"]),
        run_key(plain, "chat", [FACT, OUTSIDE], ["d", "e"]),
        run_key(plain, "chat", [FACT], ["d"]),
    ]
    (tmp_path / "new.py").write_text("x = 1")
    monkeypatch.setattr("eval.results.rag.__path__", [str(tmp_path)])
    others.append(run_key(plain, "chat", [FACT], ["d", "e"]))
    (tmp_path / "weights.json").write_text("{}")
    others.append(run_key(plain, "chat", [FACT], ["d", "e"]))
    assert len({key, *others}) == 9


def test_what_was_answered_stays_where_some_questions_failed(tmp_path: Path) -> None:
    kept = Kept.open(tmp_path, "key")
    kept.add(ANSWERED)
    kept.add(FAILED)
    kept.remove()
    assert Kept.open(tmp_path, "key").records == {"f": ANSWERED}
