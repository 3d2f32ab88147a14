import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import QuestionError
from rag.page.choosing import SHOWN, after_change, after_ticking, asked, choice_line, label, shown, ticked
from rag.page.shelf import Row


def rows_of(*ids: str) -> list[Row]:
    return [Row(one, f"data/{one}.txt", f"About {one}", 2, True) for one in ids]


def test_a_choice_of_nothing_is_said_and_of_everything_is_none() -> None:
    assert asked(None) == () and asked({"b", "a"}) == ("a", "b")
    with pytest.raises(QuestionError, match="choose at least one"):
        asked(frozenset())


def test_the_first_rows_that_hold_all_words_are_shown_each_text_once() -> None:
    rows = [*rows_of("cats", "dogs"), Row("cats", "copy/cats.txt", "Copy of cats", 2, True)]
    assert shown(rows, "") == rows[:2]
    assert shown(rows, " DATA about ") == rows[:2]
    assert shown(rows, "copy") == rows[2:] and shown(rows, "cats dogs") == []
    many = rows_of(*(f"n{number:03}" for number in range(SHOWN + 5)))
    assert shown(many, "") == many[:SHOWN] and shown(many, str(SHOWN + 4)) == many[-1:]
    assert shown(rows, "cats " * 200_000) == shown(rows, "cats")  # No more is looked for than a title has.


def test_a_row_is_one_line() -> None:
    assert label(Row("a", "a.txt", "A\ntitle", 1, True)) == "A title (a.txt, 1 passage)"
    long = label(Row("a", "folder/" * 20 + "end.txt", "T" * 200, 1200, True))
    assert long.startswith("T" * 80 + " … (… ") and long.endswith("folder/end.txt, 1,200 passages)")
    assert len(long) < 170


def test_ticking_changes_what_is_seen_and_nothing_else() -> None:
    rows = rows_of("a", "b", "c")
    seen = rows[:2]
    assert ticked(None, seen) == ["a", "b"]
    chosen = after_ticking(None, ["a"], seen, rows)
    assert chosen == {"a", "c"} and ticked(chosen, rows) == ["a", "c"]
    assert after_ticking(chosen, ["a", "b"], seen, rows) is None
    assert after_ticking(frozenset(), [], seen, rows) == frozenset()


def test_new_documents_are_asked_and_gone_ones_are_forgotten() -> None:
    before, after = rows_of("a", "b", "c"), rows_of("b", "c", "new")
    assert after_change(None, before, after) is None
    assert after_change(frozenset({"a", "b"}), before, after) == {"b", "new"}
    assert after_change(frozenset({"b", "c"}), before, after) is None


def test_the_line_counts_texts_and_tells_of_those_not_shown() -> None:
    rows = rows_of("a", "b")
    assert choice_line(None, rows, rows) == "Asked: 2 documents."
    assert choice_line(frozenset("a"), rows[:1], rows) == (
        "Asked: 1 of 2 documents. 1 of them is listed; type words of a title to find others."
    )
    assert choice_line(None, rows[:1], rows[:1]) == "Asked: 1 document."


@given(st.data())
def test_no_way_of_ticking_loses_what_is_not_seen(data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1))
    rows = rows_of(*ids)
    seen = [row for row in rows if data.draw(st.booleans())]
    chosen = data.draw(st.none() | st.frozensets(st.sampled_from(ids)))
    ticks = [row.doc_id for row in seen if data.draw(st.booleans())]
    after = after_ticking(chosen, ticks, seen, rows)
    assert ticked(after, seen) == ticks
    unseen = [row for row in rows if row not in seen]
    assert ticked(after, unseen) == ticked(chosen, unseen)
    assert after is None or after < set(ids)
