"""Fitting the confidence: models of one signal that can be worked out by hand, and the command on two small sets."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from records import DOCUMENT, FACT, FAILED, OUTSIDE, record
from threadpoolctl import threadpool_limits

from eval.__main__ import main
from eval.fit import FitError, examples_of, weights
from eval.record import Record
from eval.results import Result, save
from eval.summary import summarise
from eval.trial import (
    LEAVE_ONE_OUT,
    TEN_FOLDS,
    Example,
    balanced,
    brier,
    calibration_error,
    fit,
    folds,
    signal_rows,
    tried,
    ways,
    without_rows,
)  # fmt: skip
from rag.answer.confidence import SIGNALS, Confidence
from rag.settings import read_settings


def example(answerable: bool, value: float, name: str = "a") -> Example:
    return Example(name, {"x": value}, answerable, answerable)


TWO = [example(False, 10), example(True, 20)]


@pytest.fixture(autouse=True)
def three_folds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of small matrices threads only wait for each other."""
    monkeypatch.setattr("eval.trial.FOLDS", 3)
    with threadpool_limits(1):
        yield


def test_the_standardisation_is_folded_into_the_weights() -> None:
    # Standardised (mean 15, deviation 5) they are at -1 and 1. The penalised likelihood w²/2 + 2 log(1 + e^-w) is
    # least where w = 2 / (1 + e^w), which is 0.675; the bias is 0.
    model = fit(TWO, ["x"])
    slope = model.weights["x"] * 5
    assert slope == pytest.approx(0.675, abs=0.001)
    assert slope == pytest.approx(2 / (1 + math.exp(slope)))
    assert model.bias == pytest.approx(-15 * model.weights["x"])
    assert model.probability({"x": 15, "other": 9}) == pytest.approx(0.5)
    assert model.probability({"x": 20}) == pytest.approx(1 / (1 + math.exp(-slope)))


def test_no_unit_matters_and_a_constant_weighs_nothing() -> None:
    plain = fit(TWO, ["x"])
    moved = [replace(one, signals={"x": 1000 * one.signals["x"] - 7, "y": 3.0}) for one in TWO]
    model = fit(moved, ["x", "y"])
    assert model.weights["y"] == pytest.approx(0, abs=1e-9)
    for one, other in zip(TWO, moved, strict=True):
        assert model.probability(other.signals) == pytest.approx(plain.probability(one.signals))


def test_a_probability_beyond_the_floats_is_one_or_zero() -> None:
    model = Confidence(0.0, {"x": 1.0})
    assert (model.probability({"x": 1e6}), model.probability({"x": -1e6})) == (1, 0)


def test_sets_weigh_the_same_and_so_do_their_sides() -> None:
    one_to_three = [example(True, 0), *[example(False, 0)] * 3]
    assert balanced([*one_to_three, example(True, 0, "b"), example(False, 0, "b")]) == pytest.approx(
        [1.5, 0.5, 0.5, 0.5, 1.5, 1.5]
    )
    assert balanced([*TWO, example(True, 0, "b"), example(True, 0, "b")]) == [1, 1, 1, 1]


def test_folds_have_their_share_of_either_side_of_every_set() -> None:
    examples = [example(number % 3 == 0, 0, name) for name in "ab" for number in range(27)]
    numbers = folds(examples)
    assert numbers == folds(examples)
    for name in "ab":
        for side, count in ((True, 3), (False, 6)):
            of = [n for n, one in zip(numbers, examples, strict=True) if (one.set, one.answerable) == (name, side)]
            assert [of.count(number) for number in range(3)] == [count] * 3


def test_a_signal_that_speaks_against_an_answer_weighs_nothing() -> None:
    both = [replace(one, signals={"x": one.signals["x"], "z": -one.signals["x"]}) for one in TWO]
    assert fit(both, ["x", "z"]).weights["z"] == 0
    assert fit(both, ["x", "z"]).probability(both[1].signals) == pytest.approx(
        fit(TWO, ["x"]).probability(TWO[1].signals)
    )


def test_what_is_held_out_is_not_fitted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.trial.SIGNALS", ("x",))
    other = [example(False, 0, "b"), example(True, 1, "b")]
    found = tried([*TWO, *other], LEAVE_ONE_OUT)
    assert [one for one, _ in found] == [*TWO, *other]
    assert found[0][1] == fit(other, ["x"]).probability({"x": 10})
    assert found[3][1] == fit(TWO, ["x"]).probability({"x": 1})
    # Without the set "a" there is no unanswerable question left.
    assert [one.set for one, _ in tried([*TWO, other[1]], LEAVE_ONE_OUT)] == ["b"]


def test_calibration_error_is_the_mean_distance_from_the_diagonal() -> None:
    # Two at 0.15 in the mean, one of which came true; two at 0.975, both of which did.
    assert calibration_error([0.11, 0.19, 0.95, 1.0], [True, False, True, True]) == pytest.approx((0.35 + 0.025) / 2)
    assert calibration_error([0.5, 0.5, 0.05], [True, False, False]) == pytest.approx(0.05 / 3)
    assert calibration_error([], []) is None


def test_brier() -> None:
    assert brier([1.0, 0.5, 0.2], [True, False, False]) == pytest.approx((0 + 0.25 + 0.04) / 3)
    assert brier([], []) is None


def answer(number: int, answerable: bool) -> Record:
    """An answer of which every signal is 1 more where the question is answerable; a third decimal tells them apart."""
    signals = {name: answerable + number / 1000 + place for place, name in enumerate(SIGNALS)}
    question = replace(FACT if answerable else OUTSIDE, id=f"{number}")
    return record(question, correct=answerable, signals=signals)


RECORDS = [answer(number, number % 2 == 0) for number in range(12)]


def result(records: list[Record], name: str = "one", **settings: float) -> Result:
    return Result(Path(f"{name}.json"), "today", name, settings, 2, {}, {"chat": records})


def saved(folder: Path, name: str, records: list[Record], below: float = 0.0) -> str:
    folder.mkdir()
    path = save(
        folder, settings=read_settings(abstain_below=below), questions=name, documents={"d": DOCUMENT},
        chains={"chat": records}, summaries={"chat": summarise(records, 2)},
    )  # fmt: skip
    return str(path)


def test_what_tells_nothing_about_answerability_is_left_out() -> None:
    kinds = [
        replace(RECORDS[1], question=replace(OUTSIDE, id=kind, kind=kind))
        for kind in ("underspecified", "conversational")
    ]
    failed = replace(FAILED, signals=RECORDS[0].signals)
    found = examples_of([result([*RECORDS, *kinds, failed])])
    assert [one.signals for one in found] == [one.signals for one in RECORDS]
    assert [(one.set, one.answerable, one.right) for one in found[:2]] == [("one", True, True), ("one", False, False)]


def test_a_question_counts_once_in_its_set() -> None:
    again = replace(RECORDS[0], signals={**RECORDS[0].signals, SIGNALS[0]: 9.0})
    found = examples_of([result(RECORDS), result([again])])
    assert len(found) == len(RECORDS)
    assert found[0].signals[SIGNALS[0]] == 9
    assert len(examples_of([result(RECORDS), result(RECORDS, "two")])) == 2 * len(RECORDS)


def test_answers_without_the_signals_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    early = replace(RECORDS[0], signals={SIGNALS[0]: 1.0})
    none = replace(RECORDS[1], signals={})
    found = examples_of([result([early, none, *RECORDS[2:]])])
    assert capsys.readouterr().err == "Left out: 2 of 12 answers in 'one.json' lack signals.\n"
    of = tried(found, TEN_FOLDS)
    assert len(of) == 10
    fitted = weights(found, of)["fitted"]["one"]
    assert (fitted["answerable"], fitted["unanswerable"]) == (5, 5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (result(RECORDS, abstain_below=0.65), r"'one.json' was made with RAG_ABSTAIN_BELOW=0.65, so that answers are "
         r"missing in it; measure that set again with: RAG_ABSTAIN_BELOW=0 python -m eval"),
        (result([replace(one, signals={}) for one in RECORDS]), rf"lacks the signals {', '.join(SIGNALS)}; measure"),
        (result([replace(one, signals=dict.fromkeys(SIGNALS[1:], 0.0)) for one in RECORDS]),
         rf"lacks the signals {SIGNALS[0]}; measure"),
        (result([FAILED]), "has no answer of the chatbot to fit to"),
        (replace(result([]), chains={"baseline": RECORDS}), "has no answer of the chatbot to fit to"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_to_is_said(given: Result, message: str) -> None:
    with pytest.raises(FitError, match=message):
        examples_of([given])


def test_one_set_is_tried_by_folds_alone() -> None:
    one = examples_of([result(RECORDS)])
    assert ways(one) == [TEN_FOLDS]
    assert ways([*one, *examples_of([result(RECORDS, "two")])]) == [LEAVE_ONE_OUT, TEN_FOLDS]


def test_signals_have_an_area_alone_and_are_left_out_in_turn() -> None:
    turned = [replace(one, signals={**one.signals, SIGNALS[0]: -one.signals[SIGNALS[0]]}) for one in RECORDS]
    examples = examples_of([result(RECORDS), result(turned, "two")])
    rows = signal_rows(examples)
    assert rows[:3] == [
        ["signal", "one", "two", "mean"], [SIGNALS[0], "1.000", "0.000", "0.500"], [SIGNALS[1], "1.000", "1.000", "1.000"],
    ]  # fmt: skip
    assert [row[0] for row in without_rows(examples, TEN_FOLDS)] == ["without", "none", *SIGNALS]


@pytest.mark.slow
def test_the_command_prints_tables_and_writes_weights_and_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [saved(tmp_path / "1", "one", RECORDS), saved(tmp_path / "2", "two", RECORDS[:8])]
    printed, texts = [], []
    for _ in range(2):
        assert main(["fit", *files, "--out", "weights.json", "--plots", "plots"]) == 0
        printed.append(capsys.readouterr().out)
        texts.append(Path("weights.json").read_bytes())
    assert printed[0] == printed[1] and texts[0] == texts[1]
    out, text = printed[0], texts[0]
    assert out.startswith("Each set by a model of the other sets:\nset ")
    assert out.count("Each tenth by a model of the other nine:") == 1
    assert "one  12           6  1.000 (1.000–1.000)" in out and "\nall  20 " in out
    plots = "Plot: plots/reliability.svg\nPlot: plots/risk-coverage.svg\n"
    assert out.endswith(f"{plots}Weights: weights.json\n")
    written = json.loads(text)
    assert set(written["weights"]) <= set(SIGNALS) and all(written["weights"].values())
    two = written["fitted"]["two"]
    assert (two["answerable"], two["unanswerable"], two["auc"]) == (4, 4, 1.0) and 0 < two["brier"] < 0.25
    numbers = [written["bias"], *written["weights"].values()]
    assert all(number == round(number, 4) for number in numbers)
    for name in ("reliability", "risk-coverage"):
        root = ElementTree.parse(f"plots/{name}.svg").getroot()
        assert {"one", "two"} <= {str(text.text).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")}


def test_the_command_ends_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held_back = saved(tmp_path / "1", "one", RECORDS, below=0.5)
    assert main(["fit", held_back, "--out", str(tmp_path / "weights.json")]) == 1
    assert "was made with RAG_ABSTAIN_BELOW=0.5" in capsys.readouterr().err
    assert not (tmp_path / "weights.json").exists()
    few = saved(tmp_path / "2", "one", RECORDS[::2])
    assert main(["fit", few, "--out", str(tmp_path / "weights.json")]) == 1
    assert "There are fewer than two answerable or unanswerable questions" in (capsys.readouterr().err)
    sound = saved(tmp_path / "3", "one", RECORDS[:4])
    assert main(["fit", sound, "--out", str(tmp_path / "weights.json"), "--plots", sound]) == 1
    assert "name another --plots folder." in capsys.readouterr().err
