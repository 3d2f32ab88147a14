"""The conversation: sentences with their markers, the states of a turn, its messages; the first page."""

import html
import re
from dataclasses import replace
from typing import Any

import pytest
from fakes import Library, answer, quoted
from markdown_it import MarkdownIt
from markup import DOCUMENT, HOSTILE, TEXT, Reader, asked, cite, hit

from rag.page.chat import BEGINNING, DRAFT, LEFT, TITLE, WELCOME, messages, reply, welcome
from rag.server.export import with_sources
from rag.server.records import Turn, advance, end
from rag.server.service import Waiting
from rag.types import NEAREST, Answer, Citation, Document, Evidence, Sentence

BESIDE = "quotation foot sources"
"""Of an answer, what its text does not have: quotations of citations, trust, the list of sources."""


def said(turn: Turn) -> str:
    """What the bot's side says, without what stands beside and below."""
    return Reader(reply(turn), skip=BESIDE).text


def drawn(turns: list[Turn], suggested: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The messages, those of the bot as HTML."""
    return [
        one if one["role"] == "user" else one | {"content": one["content"]["value"]}
        for one in messages(turns, suggested)
    ]


def trust(turn: Turn) -> str:
    """The statement of how far the answer is in the text."""
    return "".join(re.findall(r'<p class="trust[^>]*>([^<]*)', reply(turn)))


def actions(source: str) -> list[str]:
    return re.findall(r'data-action="(\w+)"', source)


def test_each_sentence_is_followed_by_links_to_the_cited_words() -> None:
    one = Sentence("Anna went to Oslo.", (cite(1, "Anna <b>sailed</b> to Oslo."),), True)
    two = Sentence("Ben stayed.", (cite(2, "Ben stayed at home."), cite(1, "Anna <b>sailed</b> to Oslo.")), True)
    turn = asked(answer(one, two, text="Anna went to Oslo.\n\nBen stayed.", hits=(hit(0, len(TEXT)),)))
    assert said(turn) == "Anna went to Oslo.1\n\nBen stayed.21"
    assert Reader(reply(turn)).links()[:3] == ["#t1-c1", "#t1-c2", "#t1-c1"]


def test_below_an_answer_each_citation_has_a_line_with_its_number_title_and_beginning() -> None:
    long = Citation(2, "e", "e.pdf", "Other", 0, 200, "Many  words\nare quoted here. " * 9, 4)
    ben = cite(1, "Ben stayed at home.")
    turn = asked(answer(Sentence("A.", (ben, long), True), Sentence("B.", (ben,), True)))
    lines = [Reader(line) for line in re.findall(r"<li>.*?</li>", reply(turn).split('<ul class="sources"')[1])]
    assert [line.links() for line in lines] == [["#t1-c1"], ["#t1-c2"]]
    assert lines[0].text == "1 Title Ben stayed at home."
    assert lines[1].text.startswith("2 Other, page 4 Many words are quoted here. Many") and lines[1].text[-2:] == " …"
    assert len(lines[1].text) <= len("2 Other, page 4 ") + BEGINNING + 2
    assert '<ul class="sources"' not in reply(asked(answer(text="Not said.", abstained=True)))


def test_a_citation_is_described_by_its_quotation() -> None:
    turn = asked(answer(Sentence("Ben.", (cite(1, "Ben stayed at home."),), True)))
    tags = Reader(reply(turn)).tags
    link = next(given for tag, given in tags if tag == "a")
    (tip,) = [given for _, given in tags if given.get("role") == "tooltip"]
    assert link["aria-describedby"] == tip["id"] and link["data-anchor"] == "t1-c1"
    assert "“Ben stayed at home.” Title" in Reader(reply(turn)).text


def test_every_id_is_there_once() -> None:
    ben = cite(1, "Ben stayed")
    turns = [asked(answer(Sentence("A.", (ben,), True), Sentence("B.", (ben,), True)), number) for number in (1, 2)]
    ids = [name for turn in turns for name in Reader(reply(turn)).ids()]
    assert len(ids) == len(set(ids)) and {"t1-s1", "t1-s2", "t2-s1", "t1-answer"} <= set(ids)


def test_an_unsupported_sentence_says_so_in_words() -> None:
    invented = Sentence("It was 1987.", (), False, "The number 1987 is not there.")
    turn = asked(answer(Sentence("Ben.", (cite(1, "Ben"),), True), invented))
    assert said(turn) == "Ben.1 It was 1987. not in the text"
    assert 'class="sentence unsupported"' in reply(turn) and 'class="sentence supported"' in reply(turn)
    (warning,) = [given for _, given in Reader(reply(turn)).tags if given.get("class") == "warning"]
    assert warning["title"] == invented.why


WHOLE = answer(Sentence("Ben.", (cite(1, "Ben"),), True))


def test_an_answer_that_is_not_whole_says_why_and_is_not_said_to_be_in_the_text() -> None:
    for why, note in (("broke off", "The answer broke off. Ask again."), ("length", "cut at the length limit.")):
        turn = asked(replace(WHOLE, incomplete=why))  # type: ignore[arg-type]
        assert said(turn).startswith("Ben.1") and said(turn).endswith(note) and trust(turn) == ""


def test_sentences_that_are_not_in_the_text_are_shown_once() -> None:
    sentences = (Sentence("One.", (), True), Sentence("Two.", (), True), Sentence("Three.", (), True))
    assert said(asked(answer(*sentences, text="One. 2. Three."))).split() == ["One.", "Two.", "Three."]


def test_bold_words_and_items_of_lists_are_shown_as_such_and_nothing_else_is() -> None:
    one = Sentence("- **Ben <i>** stayed, 2 ** 3, a*b*, - and __so__.", (), True)
    two = Sentence("* `code` **not\nbold**", (), True)
    shown = re.findall(r'id="t1-s\d">(.*?)</span>', reply(asked(answer(one, two, text=f"{one.text}\n{two.text}"))))
    assert shown == [
        "• <strong>Ben &lt;i&gt;</strong> stayed, 2 ** 3, a*b*, - and __so__.", "• `code` **not&#10;bold**",
    ]  # fmt: skip


GOOD, INVENTED = Sentence("A.", (), True), Sentence("B.", (), False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (answer(GOOD), "It is in the text"),
        (answer(GOOD, GOOD), "Every sentence is in the text"),
        (answer(GOOD, INVENTED), "1 of 2 sentences is not in the text"),
        (answer(INVENTED, GOOD, INVENTED), "2 of 3 sentences are not in the text"),
        (answer(INVENTED), "1 of 1 sentence is not in the text"),
        (quoted(cite(1, "Ben")), "Nearest words only"),
        (answer(text="Not said.", abstained=True, hits=(hit(0, 27),)), ""),
    ],
)
def test_how_far_the_answer_is_in_the_text_is_put_in_words(given: Answer, words: str) -> None:
    assert trust(asked(given)) == words


def test_how_probable_it_is_is_told_when_one_points_at_it() -> None:
    assert 'title="Probability that the text answers: 95%"' in reply(asked(replace(WHOLE, confidence=0.95)))


def test_the_states_of_a_turn_are_said() -> None:
    turn = Turn(1, "Q")
    assert said(turn) == "Searching"
    turn = advance(turn, [hit(0, 27)])
    assert said(turn) == "SearchedReading"
    assert said(advance(turn, Waiting(3))) == "SearchedWaiting for the model, number 3 in the queue"
    assert said(advance(advance(turn, Waiting(3)), Waiting(0))) == "SearchedReading"
    turn = advance(turn, "Anna")
    assert said(turn) == f"SearchedReadWriting{DRAFT}Anna"
    assert said(end(turn, stopped=True)) == f"{LEFT}AnnaStopped."
    assert "broke off" in said(end(turn, stopped=False))
    assert 'data-busy="true"' in reply(turn) and 'data-busy="false"' in reply(end(turn, stopped=True))


BEN, ANNA = cite(1, "Ben stayed at home."), cite(2, "Anna <b>sailed</b> to Oslo.")


def found() -> Turn:
    """A turn whose evidence is there, and nothing else."""
    return advance(advance(Turn(1, "Q"), [hit(0, len(TEXT))]), Evidence((BEN, ANNA)))


def test_evidence_is_quoted_before_the_model_speaks_and_below_its_draft() -> None:
    quotes = "In the documents“Ben stayed at home.” show Title“Anna <b>sailed</b> to Oslo.” show Title"
    assert said(found()) == f"SearchedEvidence foundReading{quotes}"
    waiting = "SearchedEvidence foundWaiting for the model, number 2 in the queue"
    assert said(advance(found(), Waiting(2))) == f"{waiting}{quotes}"
    drafted = advance(found(), "Ben is")
    assert said(drafted) == f"SearchedReadWriting{DRAFT}Ben is{quotes}"
    assert said(end(drafted, stopped=True)) == f"{LEFT}Ben isStopped.{quotes}"
    read = Reader(reply(drafted))
    assert read.links() == ["#t1-c1", "#t1-c2"] and {"t1-q1", "t1-q2"} <= set(read.ids())


def test_the_answer_takes_the_place_of_draft_and_evidence() -> None:
    turn = advance(advance(found(), "Ben is"), answer(Sentence("Ben stayed.", (BEN,), True)))
    assert said(turn) == "Ben stayed.1" and "evidence" not in reply(turn)


def test_a_reply_that_only_quotes_has_each_quotation_once_with_its_link() -> None:
    turn = advance(advance(found(), "Ben is"), quoted(BEN, ANNA, question="Q"))
    assert said(turn) == f"{NEAREST}“Ben stayed at home.” 1 Title“Anna <b>sailed</b> to Oslo.” 2 Title"
    assert Reader(reply(turn)).links() == ["#t1-c1", "#t1-c2"]
    assert "copy" in actions(reply(turn))


def test_where_nothing_answers_the_evidence_is_folded_away() -> None:
    turn = advance(found(), answer(text="Not said.", abstained=True, hits=(hit(0, 27),)))
    assert '<details class="evidence"><summary>The nearest sentences</summary>' in reply(turn)
    assert said(turn).startswith("Not said.The nearest sentences“Ben stayed at home.” 1")


def test_a_draft_is_not_read_aloud_piece_by_piece() -> None:
    turns = [found(), advance(found(), "Ben"), end(advance(found(), "Ben"), stopped=True)]
    assert [Reader(reply(turn)).tags[0][1]["aria-busy"] for turn in turns] == ["false", "true", "false"]


def test_an_answer_can_be_copied_with_its_sources_and_nothing_else_can() -> None:
    turn = asked(WHOLE)
    (copy,) = [given for _, given in Reader(reply(turn)).tags if given.get("data-action") == "copy"]
    assert copy["data-text"] == with_sources(turn) and copy["aria-label"] == "Copy with sources"
    for other in (Turn(1, "Q"), Turn(1, "Q", state="failed", note="No."), end(advance(Turn(1, "Q"), "A"), True)):
        assert "copy" not in actions(reply(other))


def test_a_turn_has_two_messages() -> None:
    first, second = drawn([Turn(1, "What?\n<b> &amp; 'that' \ud800", state="failed", note="No.")])
    assert (first["role"], second["role"], first["content"]["type"]) == ("user", "assistant", "text")
    shown = first["content"]["text"]
    assert not set(shown) & set("<>\ud800")
    assert html.unescape(shown) == "What?\n<b> &amp; 'that' \ufffd", "what is edited is what was asked"
    assert second["content"] == reply(Turn(1, "", state="failed", note="No."))


def test_a_very_long_question_is_shown_whole() -> None:
    assert drawn([Turn(1, "x" * 2000, state="failed")])[0]["content"]["text"] == "x" * 2000


def test_questions_are_suggested_below_the_last_answer_and_not_before_it_is_there() -> None:
    turn = asked(WHOLE)
    both = drawn([turn, asked(WHOLE, 2)], ("What now?", "<b>"))
    assert [one.get("options") for one in both] == [None, None, None, [{"value": "What now?"}, {"value": "<b>"}]]
    assert all("options" not in one for one in drawn([turn, Turn(2, "Q")], ("More?",)))
    assert drawn([], ("More?",)) == []


def test_the_first_page_names_what_can_be_asked_and_what_is_said_there() -> None:
    said = welcome(Library(d=DOCUMENT), (BEN,))
    assert said == f"## {TITLE}\n\n{WELCOME}\n\n**Title** (12 words)\n\n- Ben stayed at home."
    many = Library({str(number): Document(str(number), "s", f"T{number}", "some text") for number in range(1200)})
    assert f"{WELCOME}\n\n**T0**, **T1**, **T2**, **T3**, **T4**, and 1,195 more\n" in welcome(many, ())
    assert welcome(Library(), ()).startswith(f"## {TITLE}\n\n{WELCOME}")


def test_hostile_text_stays_text_on_the_first_page() -> None:
    whole = Citation(1, "d", HOSTILE, HOSTILE, 0, len(HOSTILE), HOSTILE)
    blocks = MarkdownIt("commonmark").parse(
        welcome(Library(d=Document("d", HOSTILE, HOSTILE, HOSTILE)), (whole, whole))
    )
    kinds = {part.type for block in blocks for part in [block, *(block.children or [])]}
    assert not kinds & {"image", "link_open", "html_inline", "html_block", "code_inline", "em_open"}
    assert sum(block.type == "list_item_open" for block in blocks) == 2


def test_hostile_text_stays_text() -> None:
    whole = Citation(1, "d", HOSTILE, HOSTILE, 0, len(HOSTILE), HOSTILE)
    first = replace(asked(answer(Sentence(HOSTILE, (whole,), True), question="other" + HOSTILE)), question=HOSTILE)
    failed = Turn(2, HOSTILE, text=HOSTILE, state="failed", note=HOSTILE)
    quoting = advance(Turn(3, HOSTILE), quoted(whole, question=HOSTILE))
    evident = advance(advance(Turn(4, HOSTILE), Evidence((whole,))), HOSTILE)
    every = drawn([first, failed, quoting, evident], (HOSTILE,))
    read = Reader("".join(one["content"] for one in every if one["role"] == "assistant"))
    ours = {"a", "blockquote", "button", "div", "h2", "li", "ol", "p", "q", "span", "strong", "ul"}
    assert {tag for tag, _ in read.tags} <= ours
    assert read.links() == ["#t1-c1", "#t1-c1", "#t3-c1", "#t4-c1"]
    assert read.text.replace("**", "").count(HOSTILE.replace("**", "")) >= 4
    for one in every:
        if one["role"] == "user":
            assert "<" not in one["content"]["text"] and html.unescape(one["content"]["text"]) == HOSTILE
