import json
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.fit_kinds import fit
from eval.kinds import load
from eval.options import FITTING, FURTHER, WORDINGS
from rag.answer.question import Kind


def test_the_table_counts_what_is_taken_for_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ['{"kind": "fact", "question": "Who signed?"}', '{"kind": "list", "question": "Summarise it"}', ""]
    (tmp_path / "some.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert main(["kinds", str(tmp_path / "some.jsonl")]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["kind", "n", "right", "share", "else"],
        ["fact", "1", "1", "1.00"],
        ["list", "1", "0", "0.00", "summary", "1"],
        ["all", "2", "1", "0.50"],
    ]


@pytest.mark.parametrize("content", ["no JSON", '{"kind": "fact"}', "[1]"])
def test_a_file_that_holds_no_wordings_is_named(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some.jsonl").write_text(content, encoding="utf-8")
    assert main(["kinds", str(tmp_path / "some.jsonl")]) == 1
    assert "some.jsonl" in capsys.readouterr().err


def test_the_wordings_to_judge_by_are_others_than_those_to_fit_to() -> None:
    judging, fitting = load(WORDINGS), [*load(FITTING), *load(FURTHER)]
    assert len(judging) >= 250 and len(fitting) >= 1_500
    assert not {question.casefold() for _, question in judging} & {question.casefold() for _, question in fitting}
    assert {kind for kind, _ in judging} == {kind for kind, _ in fitting}


def test_the_same_wordings_give_the_same_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "pond club swan pike toad frog".split()  # noqa: SIM905
    lines = [{"kind": "fact", "question": f"Who saw the {word}?"} for word in words]
    lines += [{"kind": "list", "question": f"List every {word}"} for word in words]
    (tmp_path / "some.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (tmp_path / "none.jsonl").write_text("", encoding="utf-8")
    for name in ("one.npz", "two.npz"):
        files = ["--further", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / name)]
        assert main(["fit-kinds", str(tmp_path / "some.jsonl"), *files]) == 0
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert "list 6 6 1.00" in " ".join(capsys.readouterr().out.split())


def test_what_is_fitted_tells_other_wordings() -> None:
    classifier = fit([("fact", "Who saw it?"), ("list", "List it")], buckets=2**12)
    assert classifier.kind_of("List them") is Kind.LIST
    assert classifier.kind_of("Who hid it?") is Kind.FACT


def test_a_kind_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "some.jsonl").write_text('{"kind": "poem", "question": "Sing"}', encoding="utf-8")
    assert main(["fit-kinds", str(tmp_path / "some.jsonl"), "--out", str(tmp_path / "out.npz")]) == 1
    assert "'poem'" in capsys.readouterr().err
