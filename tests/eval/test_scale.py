"""Made corpora and `python -m eval bench --scale`, with vectors that take no model."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import TopicEmbedder, write

from eval.__main__ import main
from eval.fresh import Fresh
from eval.scale import Size, table
from eval.scale_corpus import PASSAGE_WORDS, MixingEmbedder, sentences_of, write_corpus
from eval.scale_steps import CORPUS, QUESTIONS, SENTENCES, build, search

PLACES = ("Rome", "Oslo", "Lima", "Kyiv", "Bern", "Riga", "Bonn", "Cork")
WORDS = ("baker", "sailor", "tailor", "farmer", "miller", "potter", "weaver", "barber", "hunter", "fisher")
SENTENCES_MADE = [
    f"In {place} the {word} and the {other} met number {first * second} on the bridge."
    for first, place in enumerate(PLACES, 2)
    for second, (word, other) in enumerate(pairwise(WORDS), 3)
]


def vectors(count: int = len(SENTENCES_MADE)) -> Any:
    rows = np.random.default_rng(1).normal(size=(count, 32)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def lines(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def test_sentences_are_taken_once_and_spread_evenly() -> None:
    text = "Short. " + " ".join(SENTENCES_MADE)
    assert sentences_of([text, text], 1000) == SENTENCES_MADE
    some = sentences_of([text], 10)
    assert len(some) == 10 and some[0] == SENTENCES_MADE[0] and some[-1] in SENTENCES_MADE[-10:]


def test_the_same_seed_makes_the_same_corpus_and_another_makes_another(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_corpus(tmp_path / name, SENTENCES_MADE, 50, seed)
    assert lines(tmp_path / "a") == lines(tmp_path / "b") != lines(tmp_path / "c")
    documents = lines(tmp_path / "a")
    assert [one["title"] for one in documents] == [f"Report {number}" for number in range(5)]
    assert all(len(one["text"].split()) >= 10 * PASSAGE_WORDS for one in documents)


def test_a_larger_corpus_has_other_words_in_its_other_worlds(tmp_path: Path) -> None:
    write_corpus(tmp_path / "a", SENTENCES_MADE, 4000)
    by_world: dict[str, set[str]] = {}
    for line in "\n".join(one["text"] for one in lines(tmp_path / "a")[:100]).splitlines():
        place, _, sentence = line.partition(": ")
        by_world.setdefault(place.partition("/")[2], set()).update(sentence.split())
    assert by_world.keys() == {"0", "1"}
    assert by_world["0"] <= set(" ".join(SENTENCES_MADE).split())


def test_a_passage_is_near_its_sentences(tmp_path: Path) -> None:
    rows = vectors()
    embedder = MixingEmbedder(rows)
    one = f"Report 3\nNo. 7/0: {SENTENCES_MADE[7]}"
    vector = np.asarray(embedder.embed_query(one))
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert int(np.argmax(rows @ vector)) == 7 and 0.8 < float(rows[7] @ vector) < 0.99
    assert embedder.embed_query(one) == embedder.embed_documents([one])[0]
    other = np.asarray(embedder.embed_query(one.replace("7/0", "7/1")))
    assert float(other @ vector) < 0.95


@pytest.mark.slow
def test_the_steps_measure_what_is_built(tmp_path: Path) -> None:
    write_corpus(tmp_path / CORPUS, SENTENCES_MADE, 300)
    np.save(tmp_path / SENTENCES, vectors())
    questions = {SENTENCES_MADE[number]: vectors()[number].tolist() for number in range(0, 60, 3)}
    (tmp_path / QUESTIONS).write_text(json.dumps(questions))
    built = build(tmp_path, tmp_path / "index")
    assert 250 < built["passages"] < 350 and built["index_mb"] > 0.3  # type: ignore[operator]
    assert set(built["stages_s"]) >= {"Reading documents", "Embedding passages"}  # type: ignore[call-overload]
    found = search(tmp_path, tmp_path / "index")
    assert found["recall"] >= 0.99  # type: ignore[operator]
    assert {way: len(times) for way, times in found["times_ms"].items()} == dict.fromkeys(  # type: ignore[attr-defined]
        ("chroma", "meaning", "words", "fused"), 20
    )


SAID: dict[str, Any] = {
    "passages": 1000, "build_s": 2.0, "stages_s": {"Reading documents": 1.0}, "index_mb": 5.0, "open_s": 0.25,
    "reader_mb": 8.0, "recall": 0.995, "times_ms": {way: [1.0, 3.0] for way in ("chroma", "meaning", "words", "fused")},
}  # fmt: skip


def test_the_table_has_a_line_for_each_size() -> None:
    size = Size(peak_mb=None, **SAID)
    header, line = table([size]).splitlines()
    assert header.split()[0] == "passages" and "recall@10" in header
    assert line.split() == ["1,000", "500", "–", "5", "0.25", "8", *["2.0", "2.9"] * 2, "2.9", "2.9", "0.995"]


@pytest.mark.slow
def test_the_command_measures_the_sizes_in_turn_and_writes_table_and_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    embedder = TopicEmbedder()
    monkeypatch.setattr("eval.scale.make_embedder", lambda settings: embedder)
    asked: list[tuple[str, int]] = []

    def measured(what: str, folder: Path, index: Path) -> Fresh:
        asked.append((what, len(lines(folder / CORPUS))))
        return Fresh({}, 100.0, SAID)

    monkeypatch.setattr("eval.scale.measured", measured)
    question = {"id": "a", "kind": "fact", "question": "Who met in Oslo?", "answers": ["The baker"]}
    write(tmp_path / "towns", {"towns.txt": "\n\n".join(SENTENCES_MADE), "questions.jsonl": json.dumps(question)})
    command = ["bench", "--scale", "--no-article", "--data", str(tmp_path / "towns"), "--sizes", "200", "100"]
    out = tmp_path / "out"
    for _ in range(2):
        assert main([*command, "--out", str(out)]) == 0
    assert asked[:4] == [("build", 10), ("search", 10), ("build", 20), ("search", 20)]
    assert len([text for text in embedder.texts if text in SENTENCES_MADE]) == len(
        SENTENCES_MADE
    )  # Only the first time.
    assert "recall@10" in capsys.readouterr().out
    assert len(json.loads((out / "scale.json").read_text())["sizes"]) == 2
    assert (out / "scale.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.iterdir()) == ["scale-vectors.npz", "scale.json", "scale.png"]
