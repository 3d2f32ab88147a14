"""The results file: what it holds, what it leaves out, and reading it again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from records import DOCUMENT, RECORDS

from eval.results import ReportError, newest, public_settings, read, save
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


def test_the_results_file_holds_everything_but_secrets_and_folders(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        settings=settings(tmp_path),
        questions="set.jsonl",
        documents={"d": DOCUMENT},
        chains={"chat": RECORDS},
        summaries={"chat": summarise(RECORDS, 2)},
    )
    text = path.read_text(encoding="utf-8")
    assert not any(word in text for word in ("very-secret", "word@", "somebody", str(tmp_path)))
    written = json.loads(text)
    assert written["questions"] == "set.jsonl"
    assert written["documents"] == [{"doc_id": "d", "title": "Article", "characters": 100}]
    assert written["summaries"]["chat"]["kinds"]["fact"]["right"] == 1
    first, _, _, failed = written["records"]["chat"]
    assert first["question"]["evidence"] == ["x", "xx"]
    assert first["evidence"][0] == [{"doc_id": "d", "start": 0, "end": 10}]
    assert first["sentences"][0]["citations"][0]["quote"] == "xxxx"
    assert failed["error_kind"] == "ModelError"


def test_save_says_what_to_do_when_the_folder_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot be written .*; name another --out"):
        save(
            tmp_path / "none",
            settings=settings(tmp_path),
            questions="set.jsonl",
            documents={},
            chains={},
            summaries={},
        )


def written(tmp_path: Path) -> Path:
    return save(
        tmp_path,
        settings=settings(tmp_path),
        questions="set.jsonl",
        documents={"d": DOCUMENT},
        chains={"chat": RECORDS, "baseline": RECORDS[:1]},
        summaries={"chat": summarise(RECORDS, 2), "baseline": summarise(RECORDS[:1], 2)},
    )


def test_results_read_as_they_were_but_for_what_is_left_out(tmp_path: Path) -> None:
    result = read(written(tmp_path))
    assert (result.questions, result.k, result.titles, set(result.chains)) == (
        "set.jsonl", 2, {"d": "Article"}, {"chat", "baseline"},
    )  # fmt: skip
    first, second, third, failed = result.chains["chat"]
    assert first.citations == tuple(replace(one, source="Article") for one in RECORDS[0].citations)
    assert first.evidence == RECORDS[0].evidence
    assert [second, third] == RECORDS[1:3]
    assert failed.error == "ModelError"
    assert summarise(result.chains["chat"], 2) == summarise(RECORDS, 2)


def test_results_of_before_the_newer_fields_can_be_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    values = json.loads(path.read_text(encoding="utf-8"))
    for one in values["records"]["chat"]:
        del one["gist"], one["rouge_l"], one["signals"], one["question"]["near_doc_ids"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert read(path).chains["chat"][1] == RECORDS[1]


def test_the_signals_are_kept(tmp_path: Path) -> None:
    measured = replace(RECORDS[0], signals={"stated": -1.5, "unknown": 0.0})
    path = save(
        tmp_path, settings=settings(tmp_path), questions="set.jsonl", documents={}, chains={"chat": [measured]},
        summaries={"chat": summarise([measured], 2)},
    )  # fmt: skip
    assert read(path).chains["chat"][0].signals == {"stated": -1.5, "unknown": 0.0}


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
