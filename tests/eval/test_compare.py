"""Two runs compared, on records whose changes one can count."""

from dataclasses import replace
from pathlib import Path

import pytest
from records import ANSWERED, FACT, FAILED, RECORDS

from eval.compare import Run, comparison, paired, runs
from eval.record import Record
from eval.results import ReportError, Result


def record(number: int, right: bool, text: str = "He did.") -> Record:
    return replace(ANSWERED, question=replace(FACT, id=str(number)), correct=right, text=text)


def run(name: str, rights: str, **settings: object) -> Run:
    """One record for each character, right where it is a 1."""
    return Run(name, settings, [record(number, one == "1") for number, one in enumerate(rights)])


def test_only_the_same_question_is_paired() -> None:
    first = [record(1, True), record(2, True), record(3, True)]
    reworded = replace(first[1], question=replace(first[1].question, question="Who else?"))
    later = replace(first[2], question=replace(first[2].question, history=(("Who?", "He."),)))
    other = replace(first[0], text="Another.")
    assert paired(first, [later, reworded, other]) == [(first[0], other)]
    corrected = replace(first[0], question=replace(first[0].question, answers=("She",)))
    assert paired(first, [corrected]) == []


def test_a_comparison_in_plain_words() -> None:
    text = comparison(run("a", "0000011110", passages=4), run("b", "11111111", passages=6, model="m"))
    assert text.startswith(
        "a and b: 8 questions in both "
        "(left out: 2 of the first and 0 of the second, not in the other with the same answers)."
    )
    assert "Settings that differ: passages 4 → 6, model None → 'm'." in text
    lines = text.splitlines()
    assert next(line for line in lines if line.startswith("a  ")).split()[:3] == ["a", "3", "0.38"]
    assert next(line for line in lines if line.startswith("difference")).split()[:3] == ["difference", "+5", "+0.62"]
    assert "5 became right and 0 became wrong; by McNemar's exact test p = 0.062, which chance alone could do." in text
    assert "Became right:\n0: Who?\n    before: He did.\n    after:  He did.\n1: Who?" in text
    assert "Became wrong" not in text


def test_a_change_that_is_no_chance_is_called_so() -> None:
    text = comparison(run("a", "1111110"), run("b", "0000000"))
    assert "0 became right and 6 became wrong; by McNemar's exact test p = 0.031, more than chance would do." in text
    assert "left out" not in text and "Settings" not in text and "Became right:" not in text


def test_failures_are_said_to_be_failures() -> None:
    failed = replace(FAILED, question=record(0, True).question)
    assert "after:  Failed: The file" in comparison(run("a", "1"), Run("b", {}, [failed]))


def test_runs_without_a_common_question_are_an_error() -> None:
    with pytest.raises(ReportError, match="a and b have no question in common; name runs of the same set"):
        comparison(run("a", "1"), Run("b", {}, [record(7, True)]))


def test_the_runs_of_files() -> None:
    def result(name: str, *chains: str) -> Result:
        return Result(Path(f"x/{name}.json"), "", "", {}, 2, {}, dict.fromkeys(chains, RECORDS))

    assert [one.name for one in runs([result("a", "chat", "baseline")])] == ["a.json chat", "a.json baseline"]
    both = [result("a", "chat", "baseline"), result("b", "chat")]
    assert [one.name for one in runs(both)] == ["a.json chat", "b.json chat"]


def test_the_command_needs_two_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from eval.__main__ import main

    assert main(["compare", str(tmp_path / "none.json")]) == 1
    assert "name a file that exists" in capsys.readouterr().err
    one = Result(tmp_path / "a.json", "", "", {}, 2, {}, {"chat": [record(1, True)]})
    monkeypatch.setattr("eval.compare.read", lambda path: one)
    assert main(["compare", "a.json"]) == 1
    assert "There is one run in a.json chat; name a second" in capsys.readouterr().err
    assert main(["compare", "a.json", "a.json"]) == 0
    assert "0 became right and 0 became wrong; by McNemar's exact test p = 1.000" in capsys.readouterr().out
