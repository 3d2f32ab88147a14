"""The twelve articles of our own: five to fit to, seven to judge by."""

from pathlib import Path

import pytest

from eval.dataset import load

SETS = sorted(path.parent for path in (Path(__file__).parents[2] / "eval" / "sets").glob("*/*/article.txt"))


def test_there_are_sets_to_fit_to_and_sets_to_judge_by() -> None:
    assert [path.parent.name for path in SETS] == ["fitting"] * 5 + ["judging"] * 7


@pytest.mark.parametrize("folder", SETS, ids=lambda path: path.name)
def test_a_set_has_questions_of_all_kinds_and_its_evidence_in_the_article(folder: Path) -> None:
    text = (folder / "article.txt").read_text(encoding="utf-8")
    questions = load(folder / "questions.jsonl")
    assert 300 <= len(text.split()) <= 900
    assert len(questions) >= 25 and sum(not question.answerable for question in questions) >= len(questions) / 4
    assert all(evidence in text for question in questions for evidence in question.evidence)
    assert all(bool(question.evidence) is question.answerable for question in questions if question.kind != "summary")
    assert len({question.kind for question in questions}) >= 12
