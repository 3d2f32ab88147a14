"""The right pane: cards, tinted passages, marks, windows."""

import html
import re

from fakes import answer, quoted
from hypothesis import given
from hypothesis import strategies as st
from markup import DOCUMENT, DOCUMENTS, HOSTILE, TEXT, Reader, asked, cite, hit

from rag.page.markup import Mark
from rag.page.source import START, WHOLE, Region, _marked, loaded, opening, source
from rag.server.records import Turn, advance
from rag.types import Citation, Document, Evidence, Hit, Passage, Sentence


def test_the_whole_document_is_shown_with_the_passages_tinted_and_the_cited_words_marked() -> None:
    said = Sentence("Ben stayed.", (cite(1, "Ben stayed at home."),), True)
    pane = source(asked(answer(said, hits=(hit(28, 47),))), DOCUMENTS)
    read = Reader(pane)
    assert TEXT in read.text
    assert read.marked == {"t1-c1": "Ben stayed at home."}
    assert {"t1-p1", "t1-c1"} <= set(read.ids())
    assert read.links() == ["#t1-s1", "#t1-p1"]


def test_a_card_says_how_the_passage_was_found_and_whether_it_is_cited() -> None:
    said = Sentence("Ben stayed.", (cite(1, "Ben stayed"),), True)
    pane = source(asked(answer(said, hits=(hit(28, 47), hit(0, 27)))), DOCUMENTS)
    cards = re.findall(r'<li class="card.*?</li>', pane)
    assert [re.sub("<[^>]*>", "", card) for card in cards] == [
        "Ben stayed at home.Cited. Title, 1st by meaning and 2nd by words, similarity 0.50, score 0.100.",
        f"{html.escape(TEXT[:27])}Title, 1st by meaning and 2nd by words, similarity 0.50, score 0.100.",
    ]
    only_words = Hit(hit(0, 27).passage, 0.2, None, None, 13)
    assert ">Title, 13th by words, score 0.200.</span>" in source(asked(answer(hits=(only_words,))), DOCUMENTS)


def test_evidence_is_marked_before_the_answer_and_so_is_what_is_quoted_in_its_place() -> None:
    ben = cite(1, "Ben stayed at home.")
    waiting = advance(advance(Turn(1, "Q"), [hit(28, 47)]), Evidence((ben,)))
    for turn in (waiting, advance(waiting, quoted(ben, hits=[hit(28, 47)]))):
        pane = source(turn, DOCUMENTS)
        read = Reader(pane)
        assert read.marked == {"t1-c1": "Ben stayed at home."} and read.links() == ["#t1-q1", "#t1-p1"]
        assert "Quoted. Title" in read.text and 'data-sentences="t1-q1"' in pane
    said = Sentence("Cleo sings.", (cite(1, "Cleo sings & dances."),), True)
    assert Reader(source(advance(waiting, answer(said, hits=[hit(28, 47)])), DOCUMENTS)).marked == {
        "t1-c1": "Cleo sings & dances."
    }


def test_the_cards_are_folded_below_the_document() -> None:
    pane = source(asked(answer(hits=(hit(28, 47), hit(0, 27)))), DOCUMENTS)
    folded = '<details class="why"><summary>2 passages found; why these?</summary><ol class="cards"'
    assert pane.count('<li class="card') == 2 and pane.index("</section>") < pane.index(folded)


def test_a_rewritten_question_is_shown_with_the_passages() -> None:
    other = asked(answer(hits=(hit(0, 27),), question="Who is <b>Anna</b>?"))
    assert "Searched for: Who is &lt;b&gt;Anna&lt;/b&gt;?" in source(other, DOCUMENTS)
    for turn in (asked(answer(hits=(hit(0, 27),), question=" Q ")), advance(Turn(1, "Q"), [hit(0, 27)])):
        assert "Searched for" not in source(turn, DOCUMENTS)


def test_a_page_is_named_on_the_card() -> None:
    passage = Passage(0, "d", "a.pdf", "Title", 0, 4, "Anna", page=3)
    assert ">Title, page 3, 1st by" in source(asked(answer(hits=(Hit(passage, 0.1, 0.5, 1, 1),))), DOCUMENTS)


regions = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 12), st.booleans()), max_size=7, unique_by=lambda r: (r[0], r[1], r[2])
)


@given(st.text(min_size=45, max_size=45), regions)
def test_the_text_stays_whole_and_every_region_has_its_place(text: str, drawn: list[tuple[int, int, bool]]) -> None:
    made = []
    for number, (start, length, marks) in enumerate(drawn):
        quote = text[start : start + length]
        mark = Mark(f"c{number}", Citation(1, "d", "s", "t", start, start + length, quote), ()) if marks else None
        made.append(Region(start, start + length, f"{'c' if marks else 'p'}{number}", mark))
    read = Reader(_marked(text, 0, len(text), made))
    shown = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert read.text == shown
    ids = read.ids()
    assert len(ids) == len(set(ids))
    assert {region.anchor for region in made if region.mark} <= set(ids)
    covered = {at for region in made if region.mark for at in range(region.start, region.end)}
    assert sum(len(part) for part in read.marked.values()) == len(covered)


def test_a_long_document_is_shown_around_its_passages() -> None:
    text = "".join(f"{number:09d} " for number in range(20_000))
    document = Document("d", "long.txt", "Long", text)
    pane = Reader(source(asked(answer(hits=(hit(100_000, 100_100, document),))), {"d": document}))
    assert text[100_000:100_100] in pane.text
    assert len(pane.text) < WHOLE and "[92,000 characters not shown]" in pane.text
    start = Reader(opening({"d": document}))
    assert text[: START - 10] in start.text and "[180,000 characters not shown]" in start.text


def test_the_passages_of_a_document_that_is_gone_are_shown_as_they_were_found() -> None:
    said = Sentence("Ben stayed.", (cite(1, "Ben stayed at home."),), True)
    pane = Reader(source(asked(answer(said, hits=(hit(28, 47),))), {}))
    assert "has changed or was removed since" in pane.text
    assert pane.marked == {"t1-c1": "Ben stayed at home."} and "b.txt" in pane.text


def test_of_a_document_that_is_gone_passages_and_quotations_may_overlap() -> None:
    said = Sentence("Ben stayed.", (cite(1, "home. Cleo"), cite(2, "Ben stayed")), True)
    pane = Reader(source(asked(answer(said, hits=(hit(28, 47), hit(36, 47), hit(42, 60)))), {}))
    assert TEXT[28:60] in pane.text
    assert pane.marked == {"t1-c1": "home. Cleo", "t1-c2": "Ben stayed"}


def test_without_hits_and_before_a_question() -> None:
    assert "No passage was found." in source(Turn(1, "Q", hits=()), DOCUMENTS)
    assert Reader(opening(DOCUMENTS), skip="sheet").text == f"Titleb.txt{TEXT}"
    assert "2 documents loaded: Title, Title" in opening(DOCUMENTS | {"e": DOCUMENT})


def test_the_loaded_line_names_a_few_documents() -> None:
    many = {str(number): Document(str(number), f"{number}.txt", f"T{number}", "") for number in range(1200)}
    assert loaded({"1": Document("1", "a.txt", "", "")}) == "1 document loaded: a.txt"
    assert loaded(many) == "1,200 documents loaded: T0, T1, T2, T3, T4, and 1,195 more"


def test_the_sheet_of_a_phone_has_ways_to_the_next_citation_and_back() -> None:
    for pane in (source(asked(answer(hits=(hit(0, 27),))), DOCUMENTS), opening(DOCUMENTS)):
        buttons = [given["data-action"] for tag, given in Reader(pane).tags if tag == "button"]
        assert buttons == ["previous", "next", "close"]


def test_hostile_text_stays_text() -> None:
    document = Document("d", HOSTILE, HOSTILE, HOSTILE)
    passage = Passage(0, "d", HOSTILE, HOSTILE, 0, len(HOSTILE), HOSTILE)
    whole = Citation(1, "d", HOSTILE, HOSTILE, 0, len(HOSTILE), HOSTILE)
    turn = asked(answer(Sentence(HOSTILE, (whole,), True), hits=(Hit(passage, 0.1, 0.5, 1, 1),)))
    for documents in ({"d": document}, {}):
        read = Reader(source(turn, documents) + opening({"d": document}) + loaded({"d": document}))
        assert {tag for tag, _ in read.tags} <= {
            "a",
            "button",
            "details",
            "div",
            "h2",
            "h3",
            "li",
            "mark",
            "ol",
            "p",
            "section",
            "span",
            "summary",
        }
        assert all(link.startswith("#t1-") for link in read.links())
        assert HOSTILE in read.text
