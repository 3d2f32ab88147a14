from pathlib import Path

import pytest

from eval.__main__ import main
from eval.kinds import load
from eval.options import WORDINGS

FITTING = WORDINGS.with_name("kinds.jsonl")


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
    judging, fitting = load(WORDINGS), load(FITTING)
    assert len(judging) >= 250 and len(fitting) >= 1_500
    assert not {question.casefold() for _, question in judging} & {question.casefold() for _, question in fitting}
    assert {kind for kind, _ in judging} == {kind for kind, _ in fitting}
