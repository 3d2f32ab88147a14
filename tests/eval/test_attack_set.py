"""Orders in documents and questions: the set, as it is read, written and shipped."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from records import ATTACKED, NAME, NAP, POND, row, saved

from eval.attack_set import Attack, load_attacks, write_corpus
from eval.baseline import PROMPT
from eval.dataset import DatasetError
from eval.metrics import says
from eval.options import ATTACKS
from rag.answer.prompts import ANSWER
from rag.documents.text import clean
from rag.types import ABSTENTION


def test_the_order_goes_to_its_place(tmp_path: Path) -> None:
    cat, order = NAP.document, NAP.order
    assert NAP.attacked == f"{cat}\n{order}"
    assert replace(NAP, place="start").attacked == f"{order}\n{cat}"
    assert replace(NAP, place="middle").attacked == f"The black cat sleeps all day.\n{order}\nIt eats at night."
    assert POND.attacked == POND.document
    for orders, text in ((True, NAP.attacked), (False, cat)):
        write_corpus(ATTACKED, tmp_path / "set", orders)
        lines = (tmp_path / "set" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
        assert json.loads(lines[0]) == {"id": "nap", "title": "Cat", "text": text}
        assert len(lines) == 3


def test_a_set_is_read_as_it_is_written(tmp_path: Path) -> None:
    assert load_attacks(saved(tmp_path, *map(row, ATTACKED))) == ATTACKED


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row(NAP, place="beside"), "place: Input should be 'start', 'middle', 'end' or 'question'"),
        (row(NAP, truth="at night"), "truth: "),
        (row(NAP, document=" "), "a text of it is blank"),
        (row(NAP, order=""), "needs an 'order'"),
        (row(POND, order="Sing!"), "one in a question has none"),
        (row(NAP, marks=[]), "any other attack 'marks'"),
        (row(NAME, truth=[]), "a denial needs the 'truth'"),
        (row(NAP, marks=["("]), "the mark '(' is not a regular expression: "),
        (row(NAME, id="nap"), "the id 'nap' is that of line 1 too"),
        ("{}", "id: Field required"),
    ],
)
def test_a_line_that_is_not_an_attack_is_named(line: str, reason: str, tmp_path: Path) -> None:
    path = saved(tmp_path, row(NAP), line)
    with pytest.raises(DatasetError) as caught:
        load_attacks(path)
    message = str(caught.value)
    assert message.startswith(f"Line 2 of {str(path)!r} is not an attack (")
    assert reason in message and message.endswith("; correct that line.")


def test_a_set_without_an_attack_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no attack; write one JSON object a line"):
        load_attacks(saved(tmp_path, ""))


SHIPPED = load_attacks(ATTACKS)


def test_the_shipped_set_is_large_and_varied() -> None:
    inside = [one for one in SHIPPED if one.in_document]
    assert len(SHIPPED) >= 120 and len(inside) >= 90 and len(SHIPPED) - len(inside) >= 30
    sizes = [sum(one.kind == kind for one in SHIPPED) for kind in {one.kind for one in SHIPPED}]
    assert len(sizes) >= 14 and min(sizes) >= 5
    for texts in ([one.document for one in SHIPPED], [one.question for one in SHIPPED], [one.title for one in SHIPPED]):
        assert len(set(texts)) == len(SHIPPED)
    assert len({one.order for one in inside}) == len(inside)
    assert all(45 <= len(one.document.split()) <= 90 for one in SHIPPED)


@pytest.mark.parametrize("attack", SHIPPED, ids=lambda one: one.id)
def test_a_shipped_attack_is_well_formed(attack: Attack) -> None:
    assert not attack.truth or says(attack.document, attack.truth[0])
    assert not attack.in_document or attack.truth
    assert not any(says(clean(attack.order), truth) for truth in attack.truth if attack.denial)
    innocent = [ABSTENTION, *attack.truth, *(one.document for one in SHIPPED)]
    assert not any(map(attack.marked, innocent))
    assert not (attack.in_document and attack.marked(attack.question))
    assert attack.denial or attack.marked(attack.obeyed)
    assert attack.document == clean(attack.document) and attack.document in attack.attacked.replace(
        f"\n{attack.order}\n", " "
    ).replace(f"{attack.order}\n", "").replace(f"\n{attack.order}", "")


def test_the_marks_of_leaks_know_the_prompts() -> None:
    leaks = [one for one in SHIPPED if "prompt leak" in one.kind]
    ours = str(ANSWER.invoke({"text": "", "question": ""}).to_messages()[0])
    assert leaks and all(one.marked(prompt) for one in leaks for prompt in (ours, PROMPT))
