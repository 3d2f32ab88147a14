from dataclasses import replace
from pathlib import Path

import pytest
from fakes import documents_of
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rag.documents.splitter import passage_spans
from rag.index.passage_editor import PassageEditor
from rag.index.passages import Counts, Passages
from rag.types import Document, Listed, Loaded, Span

CATS = Document("cats", "cats.pdf", "Cats", "The black cat sleeps. It eats at night. A dog barks.", (0, 22))


def loaded(*documents: Document, words: int = 10) -> list[Loaded]:
    return [Loaded(document, tuple(passage_spans(document.text, words))) for document in documents]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    passages = PassageEditor.edit(tmp_path / "p")
    passages.add("cats.pdf", "d1", loaded(CATS))
    passages.add("many.jsonl", "d2", loaded(*documents_of(["Fish swim.", "A dog eats."])))
    passages.close()
    return tmp_path / "p"


def test_documents_and_passages_come_back_as_they_were(path: Path) -> None:
    passages = Passages.read(path)
    assert passages["cats"] == CATS
    assert list(passages) == ["cats", "d0", "d1"] and len(passages) == 3
    with pytest.raises(KeyError):
        passages["dogs"]
    assert passages.counts() == Counts(3, 3, 11 + 2 + 3)
    assert passages.listed() == [
        Listed("0.txt", "Text 0", 1, "d0", words=2),
        Listed("1.txt", "Text 1", 1, "d1", words=3),
        Listed("cats.pdf", "Cats", 1, "cats", words=11, pages=2),
    ]
    third, first = passages.passages([3, 1])
    assert (third.text, third.page) == ("A dog eats.", None)
    assert (first.text, first.page, first.page_breaks) == (CATS.text, 1, (22,))
    assert (first.page_at(21), first.page_at(22)) == (1, 2)
    with pytest.raises(KeyError):
        passages.passages([4])


def test_words_find_the_best_passage_first(path: Path) -> None:
    passages = Passages.read(path)
    assert list(passages.by_words("dogs eating", 5)) == [3, 1]
    assert list(passages.by_words("dogs eating", 1)) == [3]
    assert list(passages.by_words("the of", 5)) == list(passages.by_words("horse", 5)) == []
    assert list(passages.by_words('"cat" OR NEAR(x) *', 5)) == [1]
    assert passages.has_words(1, "black cat") and not passages.has_words(2, "black cat")


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Passages:
    """400 passages with the terms "common" in all and "often" in half of them, once or more, and a rare one in few."""
    monkeypatch.setattr("rag.index.passage_editor.COMMON", 20)
    rare = ["zebra" if number % 40 == 0 else "lion" for number in range(400)]
    texts = [
        f"Common {'often ' * (number % 4 % 3)}{word} word{number}{' more' * (number % 7)}."
        for number, word in enumerate(rare)
    ]
    editor = PassageEditor.edit(tmp_path / "many")
    editor.add("many.jsonl", "d", loaded(*documents_of(texts)))
    editor.tidy()
    editor.close()
    return Passages.read(tmp_path / "many")


def test_of_many_matches_only_those_with_a_rare_term_are_looked_at(
    many: Passages, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = many.by_words("common often zebra", 5)
    monkeypatch.setattr("rag.index.passages._MOST_MATCHES", 100)
    found = many.by_words("common often zebra", 5)
    assert list(found) == list(whole)
    assert list(found.values()) == pytest.approx(list(whole.values()), rel=1e-9)
    assert len(many.by_words("common often zebra", 50)) == 10
    assert len(many.by_words("common", 5)) == 5  # A question of common terms alone is put as it is.


def test_bm25_is_computed_as_by_sqlite(many: Passages) -> None:
    whole = many.by_words("common often zebra lion", 300)
    part = many.by_words("lion zebra", 400)
    assert many._scored_further(part, ["common", "often"], 300) == pytest.approx(whole, rel=1e-9)


def test_of_the_same_documents_only_those_chosen_are_looked_at(many: Passages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.index.passages._MOST_MATCHES", 100)
    chosen = [one.doc_id for one in many.listed()[:200]]
    ids = set(many.passage_ids(*chosen))
    found = many.by_words("common often zebra", 50, chosen)
    assert found and found.keys() <= ids


def test_a_passage_is_found_by_its_headings_and_in_its_language(tmp_path: Path) -> None:
    text = "# Werkzeug\n\n## Falke 200\n\nBohrt.\n\n### Garantie\n\nSie gilt zwölf Monate."
    tools = Document("tools", "tools.md", "Werkzeug", text, language="de")
    editor = PassageEditor.edit(tmp_path / "p")
    editor.add("tools.md", "d1", loaded(tools, words=8))
    assert [one.text for batch in editor.pending(0, 9) for one in batch][-1] == (
        "Werkzeug\nFalke 200\n### Garantie\n\nSie gilt zwölf Monate."
    )
    editor.close()
    passages = Passages.read(tmp_path / "p")
    assert passages["tools"] == tools and passages.languages() == ["de"]
    found = passages.passages(list(passages.by_words("Falken monatlich", 5)))
    assert [(one.headings, one.language, one.text[:9]) for one in found] == [
        (("## Falke 200",), "de", "### Garan"),
        ((), "de", "## Falke "),
    ]


def test_of_chosen_documents_only_their_passages_are_found(path: Path) -> None:
    passages = Passages.read(path)
    assert list(passages.by_words("dogs eating", 5, ["cats", "d0"])) == [1]
    assert list(passages.by_words("dogs eating", 1, ["d1", "cats"])) == [3]
    assert list(passages.by_words("dogs eating", 5, ["d0", "gone"])) == []
    assert passages.passage_ids("d1", "cats") == [1, 3]
    assert passages.held(["d1", "gone", "cats", "d1"]) == ["cats", "d1"]


def test_more_documents_can_be_chosen_than_a_query_takes_values(path: Path) -> None:
    many = [f"gone{number}" for number in range(40_000)]
    assert Passages.read(path).held([*many, "d1"]) == ["d1"]


def test_a_text_in_two_files_is_kept_once_and_until_both_are_gone(path: Path) -> None:
    passages = PassageEditor.edit(path)
    horse = Document("horse", "horse.txt", "Horse", "A foal runs.", titled=False)
    passages.add("horse.txt", "d3", loaded(horse))
    passages.add("stable.txt", "d3", loaded(replace(horse, source="stable.txt", title="Stable")))
    assert passages.last_vector() == 4
    passages.remove("horse.txt")
    assert passages.tidy() == []
    assert (passages["horse"].source, passages["horse"].title) == ("stable.txt", "Stable")
    assert list(passages.by_words("stable", 5)) == [4] and list(passages.by_words("horse", 5)) == []
    passages.remove("stable.txt")
    assert passages.tidy() == [4]
    assert "horse" not in passages and list(passages.by_words("foal", 5)) == []


def test_another_title_of_its_own_makes_the_passages_anew(path: Path) -> None:
    passages = PassageEditor.edit(path)
    passages.remove("cats.pdf")
    passages.add("cats.pdf", "d3", loaded(replace(CATS, title="Felines")))
    assert passages.tidy() == [1]
    assert [pending.text.split("\n")[0] for (pending,) in passages.pending(3, 5)] == ["Felines"]
    assert list(passages.by_words("felines", 5)) == [4]


def test_a_document_with_another_title_keeps_its_passages(path: Path) -> None:
    """Only the process that read it may divide a text."""
    passages = PassageEditor.edit(path)
    odd = (Span(0, 4), Span(5, 20))
    passages.add("b.txt", "d3", [Loaded(Document("b", "b.txt", "B", "One. Two. Three. Fo."), odd)])
    passages.add("a.txt", "d3", [Loaded(Document("b", "a.txt", "A", "One. Two. Three. Fo."), (Span(0, 20),))])
    passages.tidy()
    assert passages["b"].title == "A"
    assert [one.spans for one in passages.of_file("a.txt")] == [odd]


def test_what_is_removed_leaves_no_text_behind_and_its_id_is_not_used_again(path: Path) -> None:
    passages = PassageEditor.edit(path)
    passages.remove("many.jsonl")
    assert passages.tidy() == [2, 3]
    passages.add("new.txt", "d4", loaded(Document("new", "new.txt", "New", "A horse runs.")))
    assert [batch[0].vector_id for batch in passages.pending(3, 10)] == [4]
    passages.close()
    raw = path.read_bytes()
    assert b"Fish" not in raw and b"fish" not in raw and b"swim" not in raw


def test_the_documents_of_a_file(path: Path) -> None:
    passages = Passages.read(path)
    assert passages.of_file("cats.pdf") == loaded(CATS)
    assert [one.document.text for one in passages.of_file("many.jsonl")] == ["Fish swim.", "A dog eats."]


EQUAL = "Frogs wait in the old pond. "


def test_equal_passages_share_a_vector_until_the_last_of_them_is_gone(path: Path) -> None:
    passages = PassageEditor.edit(path)
    assert (passages.vector_count(), passages.last_vector()) == (3, 3)
    frogs = Document("frogs", "frogs.txt", "Frogs", EQUAL * 3 + "The heron sleeps.", titled=False)
    toads = Document("toads", "toads.txt", "Toads", EQUAL + "Nothing else is here.", titled=False)
    passages.add("frogs.txt", "d3", loaded(frogs, words=6))
    passages.add("toads.txt", "d4", loaded(toads, words=6))
    assert len(passages.passage_ids()) == 3 + 4 + 2 and passages.vector_count() == 3 + 2 + 1
    assert [text.text for batch in passages.pending(3, 10) for text in batch] == [
        EQUAL.strip(), "The heron sleeps.", "Nothing else is here.",
    ]  # fmt: skip
    assert passages.count_after(3) == len(list(passages.all_hashes())) - 3 == 3
    assert passages.by_vectors([4, 5]) == {4: 4, 5: 7}
    assert passages.by_vectors([4, 5], preferred=[6, 8]) == {4: 6, 5: 7}
    assert passages.by_vectors([4, 5], ["toads"]) == passages.by_vectors([4], ["toads"], [6]) == {4: 8}
    assert passages.vectors_of(["toads", "cats"]) == [1, 4, 6]
    passages.remove("frogs.txt")
    assert passages.tidy() == [5]
    assert passages.by_vectors([4]) == {4: 8}
    passages.remove("toads.txt")
    assert passages.tidy() == [4, 6]
    assert list(passages.problems()) == []


def test_equal_passages_leave_room_for_others_among_those_with_a_word(path: Path) -> None:
    passages = PassageEditor.edit(path)
    passages.add("frogs.txt", "d3", loaded(Document("frogs", "f", "F", EQUAL * 300, titled=False), words=6))
    reeds = " ".join(f"The pond has {number} reeds." for number in range(30))
    passages.add("pond.txt", "d4", loaded(Document("pond", "p", "P", reeds, titled=False)))
    found = list(passages.by_words("frogs of the old pond", 5))
    assert found[0] == 4 and len(found) == 5 and set(found[1:]) <= set(passages.passage_ids("pond"))
    assert list(passages.by_words("frogs", 5)) == list(passages.by_words("frogs", 5, ["frogs"])) == [4]
    assert list(passages.by_words("frogs", 5, ["pond"])) == []


def test_problems_are_remembered_by_file(path: Path) -> None:
    passages = PassageEditor.edit(path)
    passages.add("no.jsonl", "digest", [], ["is empty"])
    passages.add(
        "frogs.jsonl", "digest", loaded(Document("d9", "frogs.jsonl#1", "Many", "A frog.")), ["line 3 is no JSON"]
    )
    assert passages.problems_by_file() == {"frogs.jsonl": ["line 3 is no JSON"]}


def test_what_was_left_out_is_remembered_by_source(path: Path) -> None:
    passages = PassageEditor.edit(path)
    [lease] = loaded(Document("d9", "lease.docx", "Lease", "A lease."))
    passages.add("lease.docx", "digest", [replace(lease, left_out=("2 pictures", "1 byte that is no letter"))])
    passages.add("copy.docx", "digest", [replace(lease, document=replace(lease.document, source="copy.docx"))])
    assert passages.left_out() == ["lease.docx: 2 pictures, 1 byte that is no letter"]
    assert [one.left_out for one in passages.listed() if one.doc_id == "d9"] == [
        (),
        ("2 pictures", "1 byte that is no letter"),
    ]
    assert passages.of_file("lease.docx")[0].left_out == ("2 pictures", "1 byte that is no letter")


def test_pending_passages_come_in_batches_with_the_title_in_front(path: Path) -> None:
    passages = PassageEditor.edit(path)
    batches = list(passages.pending(0, 2))
    assert [[text.vector_id for text in batch] for batch in batches] == [[1, 2], [3]]
    assert batches[1][0].text == "Text 1\nA dog eats."
    assert [batches[0][0].hash, batches[0][1].hash, batches[1][0].hash] == list(passages.all_hashes())
    assert len(set(passages.all_hashes())) == 3
    assert passages.count_after(1) == 2


def test_a_part_of_what_is_pending_costs_as_much_whatever_is_left(tmp_path: Path) -> None:
    steps = []
    for count in (100, 1600):
        editor = PassageEditor.edit(tmp_path / str(count))
        editor.add("many.jsonl", "d", loaded(*documents_of([f"Word{number}." for number in range(count)])))
        editor.tidy()
        counted: list[None] = []
        editor.database.set_progress_handler(lambda counted=counted: counted.append(None), 10)  # type: ignore[misc]
        assert len(next(editor.pending(0, 20))) == 20
        steps.append(len(counted))
        editor.database.set_progress_handler(None, 0)
        editor.close()
    assert steps[1] < 2 * steps[0]


def test_the_deep_check_finds_passages_that_are_not_in_their_document(path: Path) -> None:
    assert list(Passages.read(path).problems()) == []
    passages = PassageEditor.edit(path)
    passages.database.execute("UPDATE passages SET start = start + 1 WHERE passage_id = 2")
    passages.database.execute("DELETE FROM words WHERE rowid = 3")
    passages.database.execute("DELETE FROM embedded WHERE vector_id = 1")
    assert list(passages.problems()) == [
        "1 passages are not what '0.txt' holds at their place",
        "1 passages have no words",
        "1 passages have no vector",
    ]


def test_a_name_of_any_bytes_is_a_file(path: Path) -> None:
    passages = PassageEditor.edit(path)
    passages.add("caf\udce9.txt", "d5", loaded(Document("x", "caf\ufffd.txt", "Caf\ufffd", "Milk.")))
    assert passages.files()["caf\udce9.txt"] == "d5"


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300).filter(str.strip))
def test_any_text_comes_back_and_every_passage_is_found_by_its_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "any").unlink(missing_ok=True)
    passages = PassageEditor.edit(tmp_path / "any")
    passages.add("a", "d", loaded(Document("a", "a", "T", text), words=20))
    assert passages["a"].text == text
    for passage in passages.passages(passages.passage_ids()):
        assert passage.text == text[passage.start : passage.end]
        assert passages.has_words(passage.passage_id, passage.text)
    passages.close()
