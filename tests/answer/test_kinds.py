import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.kinds import load
from eval.options import WORDINGS
from rag.answer.kinds import KINDS, KindClassifier, features, tokens, vector
from rag.answer.question import Kind

SHIPPED = KindClassifier.shipped()
PLAIN = [
    ("Who leads the club?", Kind.FACT),
    ("Where exactly is the pond?", Kind.FACT),
    ("Is the pond deep?", Kind.YES_NO),
    ("Did the swans come back this year?", Kind.YES_NO),
    ("List all members of the club.", Kind.LIST),
    ("Which rivers are navigable?", Kind.LIST),
    ("What is the difference between a toad and a frog?", Kind.COMPARISON),
    ("How do the two proposals differ?", Kind.COMPARISON),
    ("What exactly did the ranger say about the pike?", Kind.QUOTATION),
    ("Quote the sentence on fishing rights.", Kind.QUOTATION),
    ("Summarise this article for me, briefly.", Kind.SUMMARY),
    ("tl;dr", Kind.SUMMARY),
    ("Who dug the pond, and when was it filled?", Kind.SEVERAL),
    ("How deep is the pond? Who may fish there?", Kind.SEVERAL),
]


@pytest.mark.parametrize(("question", "expected"), PLAIN)
def test_the_words_tell_what_is_asked_for(question: str, expected: Kind) -> None:
    assert SHIPPED.kind_of(question) is expected


@pytest.mark.parametrize(("question", "expected"), PLAIN)
def test_neither_large_letters_nor_a_sign_less_change_the_kind(question: str, expected: Kind) -> None:
    assert SHIPPED.kind_of(question.upper()) is expected
    assert SHIPPED.kind_of(question.rstrip("?.")) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Summarse this artcle for me, briefly", Kind.SUMMARY),
        ("What is the diference between a toad and a frog?", Kind.COMPARISON),
        ("Lsit all memebrs of the club.", Kind.LIST),
    ],
)
def test_a_slip_of_the_finger_does_not_change_the_kind(question: str, expected: Kind) -> None:
    assert SHIPPED.kind_of(question) is expected


@pytest.mark.parametrize("question", ["", " ", "?!", "—", "\ud800"])
def test_where_no_word_tells_a_fact_is_asked_for(question: str) -> None:
    assert SHIPPED.kind_of(question) is Kind.FACT


def test_a_question_becomes_words_parts_of_words_frames_and_pairs() -> None:
    words, parts, frames, pairs = features("Cats, hey", frozenset({"hey"}))
    assert tokens("Cats, hey") == ["^", "cats", ",", "hey", "$"]
    assert {"w ^", "w cats , hey $", "w hey $"} <= set(words)
    assert {"c  ca", "c cats ", "c y"} <= set(parts)
    assert {"f ^ _s , hey $", "f _s ,"} <= set(frames)
    assert pairs == ["p ^ … ,", "p ^ … hey", "p ^ … $", "p _s … hey", "p _s … $", "p , … $"]


def test_each_group_of_features_has_the_length_one() -> None:
    _, values = vector("Who is who?", frozenset(), np.ones(2**16, np.float32))
    assert float(values @ values) == pytest.approx(4)


def test_the_kind_with_the_highest_sum_is_told() -> None:
    ones = np.ones(64, np.float32)
    weights, bias = np.zeros((len(KINDS), 64), np.float32), np.zeros(len(KINDS), np.float32)
    places, _ = vector("Name them", frozenset(), ones)
    weights[KINDS.index(Kind.LIST), places] = 1
    bias[KINDS.index(Kind.SUMMARY)] = 0.5
    assert KindClassifier(frozenset(), ones, weights, bias).kind_of("Name them") is Kind.LIST
    assert KindClassifier(frozenset(), ones, 0 * weights, bias).kind_of("Name them") is Kind.SUMMARY


def test_what_is_saved_is_shipped_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SHIPPED.save(tmp_path / "kinds.npz")
    monkeypatch.setattr("rag.answer.kinds.files", lambda _: tmp_path)
    again = KindClassifier.shipped()
    assert again.common == SHIPPED.common
    assert np.allclose(again.weights, SHIPPED.weights, atol=1e-6) and np.array_equal(again.rarity, SHIPPED.rarity)


@settings(deadline=None)
@given(st.text())
def test_any_text_has_a_kind(question: str) -> None:
    assert isinstance(SHIPPED.kind_of(question), Kind)


def test_a_question_of_any_length_takes_no_time() -> None:
    started = time.perf_counter()
    for sign in ("a", "a ", "?", "\n", "é1 "):
        SHIPPED.kind_of(sign * 1_000_000)
    assert time.perf_counter() - started < 2


def test_of_the_wordings_to_judge_by_most_are_told_rightly() -> None:
    told = [SHIPPED.kind_of(question).value == kind for kind, question in load(WORDINGS)]
    assert sum(told) / len(told) >= 0.92
