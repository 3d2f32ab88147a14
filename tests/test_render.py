"""What the page shows: escaping, anchors, highlights."""

import html
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from rag.render import Mark, Turn, advance, chat_messages, end, escape, highlight, loaded_line, passages_pane, reply
from rag.types import Answer, Chunk, Citation, Document, Hit, Sentence, Timings

TEXT = "Anna <b>sailed</b> to Oslo. Ben stayed at home. Cleo sings & dances."
HOSTILE = """<img src=http://evil.example/x.png> <script>alert(1)</script>
<form action="https://evil.example"><input></form> [2]: https://evil.example
[click](javascript:alert(1)) **bold** $$x$$ ${1+1} {{value}} @children"""


def hit(start: int, end: int, text: str = TEXT, doc_id: str = "d") -> Hit:
    return Hit(Chunk(start, doc_id, "a/b.txt", "Title", start, end, text[start:end]), 0.1, 0.5, 1, 1)


def cite(number: int, quote: str, text: str = TEXT, doc_id: str = "d") -> Citation:
    start = text.index(quote)
    return Citation(number, doc_id, "a/b.txt", "Title", start, start + len(quote), quote)


def answer(
    *sentences: Sentence, text: str = "", hits: tuple[Hit, ...] = (), abstained: bool = False, question: str = "Q"
) -> Answer:
    text = text or " ".join(sentence.text for sentence in sentences)
    citations = tuple(citation for sentence in sentences for citation in sentence.citations)
    return Answer(question, text, sentences, citations, hits, abstained, 0.9, Timings(0, 0, None, 0))


def asked(of: Answer, number: int = 1) -> Turn:
    return advance(Turn(number, "Q"), of)


class _Reader(HTMLParser):
    """Collects the tags with their attributes, and what each mark holds."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.marked: dict[str, str] = {}
        self._open: str | None = None
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "mark":
            self._open = dict(attrs)["id"] or ""
            self.marked[self._open] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark":
            self._open = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open is not None:
            self.marked[self._open] += data

    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]

    def links(self) -> list[str]:
        return [attributes["href"] or "" for tag, attributes in self.tags if tag == "a"]


def stripped(source: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", source))


@given(st.text())
def test_escape_shows_any_text_letter_for_letter(text: str) -> None:
    shown = escape(text)
    assert html.unescape(shown) == text
    assert not set(shown) & set("<>\"'\n\t")


def test_escape_replaces_a_lone_surrogate_and_keeps_a_pair() -> None:
    assert escape("a\ud800b😀") == "a\ufffdb😀"


spans = st.lists(st.tuples(st.integers(-3, 60), st.integers(-3, 60)), max_size=6)


@given(st.text(max_size=50), spans)
def test_highlight_keeps_the_text_and_marks_exactly_the_spans(text: str, ranges: list[tuple[int, int]]) -> None:
    marks = [Mark(start, end, f"m{count}", count) for count, (start, end) in enumerate(ranges)]
    shown, placed = highlight(text, marks)
    assert stripped(shown) == text
    found = re.findall(r'<mark id="(m\d+)" data-number="\d+">(.*?)</mark>', shown, flags=re.DOTALL)
    assert {anchor: html.unescape(body) for anchor, body in found} == {m.anchor: text[m.start : m.end] for m in placed}
    fitting = [m for m in marks if 0 <= m.start < m.end <= len(text)]
    assert bool(placed) == bool(fitting)


def test_hostile_text_stays_text_everywhere() -> None:
    document = Document("d", HOSTILE, HOSTILE, HOSTILE)
    chunk = Chunk(0, "d", HOSTILE, HOSTILE, 0, len(HOSTILE), HOSTILE)
    whole = Citation(1, "d", HOSTILE, HOSTILE, 0, len(HOSTILE), HOSTILE)
    said = Sentence(HOSTILE, (whole,), True)
    turn = advance(Turn(1, HOSTILE), answer(said, hits=(Hit(chunk, 0.1, 0.5, 1, 1),), question="other" + HOSTILE))
    failed = Turn(2, HOSTILE, text=HOSTILE, state="failed", note=HOSTILE)
    shown = [message["content"] for message in chat_messages([turn, failed])]
    for source in [*shown, passages_pane([turn]), loaded_line({"d": document})]:
        read = _Reader(source)
        assert {tag for tag, _ in read.tags} <= {"a", "article", "div", "h3", "h4", "mark", "p", "section", "span"}
        assert all(link.startswith("#t1-") for link in read.links())
        assert "<img src=http://evil.example/x.png>" in read.text


def test_each_sentence_is_followed_by_links_to_the_highlighted_quotes() -> None:
    one = Sentence("Anna went to Oslo.", (cite(1, "Anna <b>sailed</b> to Oslo."),), True)
    two = Sentence("Ben stayed.", (cite(2, "Ben stayed at home."), cite(1, "Anna <b>sailed</b> to Oslo.")), True)
    turn = asked(answer(one, two, text="Anna went to Oslo.\n\nBen stayed.", hits=(hit(0, 27), hit(28, len(TEXT)))))
    read, pane = _Reader(reply(turn)), _Reader(passages_pane([turn]))
    assert read.text == "Anna went to Oslo. [1]\n\nBen stayed. [2] [1]"
    assert pane.marked == {"t1-c1": "Anna <b>sailed</b> to Oslo.", "t1-c2": "Ben stayed at home."}
    assert read.links() == ["#t1-c1", "#t1-c2", "#t1-c1"]


def test_every_citation_has_one_mark_with_its_quote_even_overlapping_twice_shown_or_outside() -> None:
    quotes = ["Ben stayed at home.", "Ben stayed", "Cleo sings & dances.", "home. Cleo"]
    said = Sentence("So.", tuple(cite(count, quote) for count, quote in enumerate(quotes, 1)), True)
    turn = asked(answer(said, hits=(hit(28, 47), hit(20, 47))))
    pane = _Reader(passages_pane([turn]))
    assert sorted(pane.marked.values()) == sorted(quotes)
    assert len(pane.ids()) == len(set(pane.ids()))
    assert pane.text.count("Cited words: Title") == 2


def test_a_quote_of_another_document_or_at_a_wrong_place_is_not_highlighted_in_the_passage() -> None:
    wrong = Citation(1, "d", "a/b.txt", "Title", 0, 4, "Anne")
    other = cite(2, "Ben stayed", doc_id="other")
    turn = asked(answer(Sentence("So.", (wrong, other), True), hits=(hit(0, len(TEXT)),)))
    passage = passages_pane([turn]).split("</article>")[0]
    assert "<mark" not in passage
    assert _Reader(passages_pane([turn])).marked == {"t1-c1": "Anne", "t1-c2": "Ben stayed"}


def test_turns_are_shown_newest_first_and_share_no_anchor() -> None:
    said = Sentence("Ben stayed.", (cite(1, "Ben stayed"),), True)
    turns = [asked(answer(said, hits=(hit(0, len(TEXT)),)), number) for number in (1, 2)]
    pane = _Reader(passages_pane(turns))
    assert pane.ids() == ["t2-passages", "t2-c1", "t1-passages", "t1-c1"]
    assert [_Reader(reply(turn)).links() for turn in turns] == [["#t1-c1"], ["#t2-c1"]]


def test_an_unsupported_sentence_says_so_in_words() -> None:
    shown = _Reader(reply(asked(answer(Sentence("It was 1987.", (), False)))))
    assert shown.text == "It was 1987. [not found in the document]"


def test_sentences_that_are_not_in_the_text_are_shown_once() -> None:
    said = (Sentence("One.", (), True), Sentence("Two.", (), True), Sentence("Three.", (), True))
    shown = _Reader(reply(asked(answer(*said, text="One. 2. Three."))))
    assert shown.text.split() == ["One.", "Two.", "Three."]


def test_an_abstention_points_to_the_nearest_passages() -> None:
    turn = asked(answer(text="The documents do not say.", hits=(hit(0, 27),), abstained=True))
    assert _Reader(reply(turn)).text == "The documents do not say.The nearest passages are shown beside."
    assert "Anna &lt;b&gt;sailed" in passages_pane([turn])


def test_a_rewritten_question_is_shown() -> None:
    assert "Searched for: Who is Anna?" in reply(asked(answer(Sentence("A.", (), True), question="Who is Anna?")))
    assert "Searched for" not in reply(asked(answer(Sentence("A.", (), True), question=" Q ")))


def test_the_states_of_a_turn_are_said() -> None:
    turn = Turn(1, "Q")
    assert "Looking for passages" in reply(turn)
    turn = advance(turn, [hit(0, 27)])
    assert "Reading 1 passage …" in reply(turn)
    turn = advance(turn, "Anna")
    assert _Reader(reply(turn)).text == "Anna"
    assert _Reader(reply(end(turn, stopped=True))).text == "AnnaStopped."
    assert "broke off" in reply(end(turn, stopped=False))


def test_a_very_long_question_is_shortened() -> None:
    shown = chat_messages([Turn(1, "x" * 100_000)])[0]["content"]
    assert len(shown) < 1200 and "…" in shown


def test_the_loaded_line_names_a_few_documents() -> None:
    one = {"1": Document("1", "a.txt", "", "")}
    many = {str(count): Document(str(count), f"{count}.txt", f"T{count}", "") for count in range(1200)}
    assert stripped(loaded_line(one)) == "1 document loaded: a.txt"
    assert stripped(loaded_line(many)) == "1,200 documents loaded: T0, T1, T2, T3, T4, and 1,195 more"
