"""The left pane: sentences with their markers, the states of a turn, what one can do with it."""

import re
from dataclasses import replace

import pytest
from fakes import answer, quoted
from markup import HOSTILE, TEXT, Reader, asked, cite, hit

from rag.page.conversation import DRAFT, LEFT, WELCOME, conversation, reply
from rag.server.records import REASONS, Turn, advance, end
from rag.server.service import Waiting
from rag.types import NEAREST, Citation, Evidence, Sentence


def said(turn: Turn) -> str:
    """What the bot's side shows, without the quotations that appear beside a citation."""
    return Reader(reply(turn), skip="quotation").text


def test_each_sentence_is_followed_by_links_to_the_cited_words() -> None:
    one = Sentence("Anna went to Oslo.", (cite(1, "Anna <b>sailed</b> to Oslo."),), True)
    two = Sentence("Ben stayed.", (cite(2, "Ben stayed at home."), cite(1, "Anna <b>sailed</b> to Oslo.")), True)
    turn = asked(answer(one, two, text="Anna went to Oslo.\n\nBen stayed.", hits=(hit(0, len(TEXT)),)))
    assert said(turn) == "Anna went to Oslo. [1]\n\nBen stayed. [2] [1]Confidence: high (90%)."
    assert Reader(reply(turn)).links() == ["#t1-c1", "#t1-c2", "#t1-c1"]


def test_a_citation_is_described_by_its_quotation() -> None:
    turn = asked(answer(Sentence("Ben.", (cite(1, "Ben stayed at home."),), True)))
    tags = Reader(reply(turn)).tags
    (link,) = [given for tag, given in tags if tag == "a"]
    (tip,) = [given for _, given in tags if given.get("role") == "tooltip"]
    assert link["aria-describedby"] == tip["id"] and link["data-anchor"] == "t1-c1"
    assert "“Ben stayed at home.” Title" in Reader(reply(turn)).text


def test_every_id_is_there_once() -> None:
    ben = cite(1, "Ben stayed")
    turns = [asked(answer(Sentence("A.", (ben,), True), Sentence("B.", (ben,), True)), number) for number in (1, 2)]
    ids = Reader(conversation(turns, "c", [])).ids()
    assert len(ids) == len(set(ids)) and {"t1-s1", "t1-s2", "t2-s1", "t1-answer"} <= set(ids)


def test_an_unsupported_sentence_says_so_in_words() -> None:
    turn = asked(answer(Sentence("Ben.", (cite(1, "Ben"),), True), Sentence("It was 1987.", (), False)))
    assert "Ben. [1] It was 1987. [not found in the documents]" in said(turn)
    assert 'class="sentence unsupported"' in reply(turn) and 'class="sentence supported"' in reply(turn)


def test_an_answer_that_is_not_whole_says_why_in_the_place_of_its_confidence() -> None:
    whole = answer(Sentence("Ben.", (cite(1, "Ben"),), True))
    assert said(asked(replace(whole, incomplete="broke off"))) == "Ben. [1]The answer broke off. Ask again."
    assert said(asked(replace(whole, incomplete="length"))) == "Ben. [1]The answer was cut at the length limit."


def test_sentences_that_are_not_in_the_text_are_shown_once() -> None:
    sentences = (Sentence("One.", (), True), Sentence("Two.", (), True), Sentence("Three.", (), True))
    shown = said(asked(answer(*sentences, text="One. 2. Three.")))
    assert shown.split("Confidence")[0].split() == ["One.", "Two.", "Three."]


@pytest.mark.parametrize(
    ("confidence", "words"), [(0.95, "high (95%)"), (0.75, "fair (75%)"), (0.5, "low; read the sources (50%)")]
)
def test_the_confidence_is_put_in_words(confidence: float, words: str) -> None:

    turn = asked(replace(answer(Sentence("A.", (), True)), confidence=confidence))
    assert said(turn).endswith(f"Confidence: {words}.")


def test_an_abstention_points_to_the_nearest_passages() -> None:
    turn = asked(answer(text="The documents do not say.", hits=(hit(0, 27),), abstained=True))
    assert said(turn) == "The documents do not say.The nearest passages are shown in the document."


def test_a_rewritten_question_is_shown() -> None:
    assert "Searched for: Who is Anna?" in reply(asked(answer(Sentence("A.", (), True), question="Who is Anna?")))
    assert "Searched for" not in reply(asked(answer(Sentence("A.", (), True), question=" Q ")))


def test_the_states_of_a_turn_are_said() -> None:

    turn = Turn(1, "Q")
    assert said(turn) == "Looking for passages …"
    turn = advance(turn, [hit(0, 27)])
    assert said(turn) == "Reading 1 passage …"
    assert said(advance(turn, Waiting(3))) == "Waiting for the model, number 3 in the queue …"
    assert said(advance(advance(turn, Waiting(3)), Waiting(0))) == "Reading 1 passage …"
    turn = advance(turn, "Anna")
    assert said(turn) == f"{DRAFT}Anna"
    assert said(end(turn, stopped=True)) == f"{LEFT}AnnaStopped."
    assert "broke off" in said(end(turn, stopped=False))


BEN, ANNA = cite(1, "Ben stayed at home."), cite(2, "Anna <b>sailed</b> to Oslo.")


def found() -> Turn:
    """A turn whose evidence is there, and nothing else."""
    return advance(advance(Turn(1, "Q"), [hit(0, len(TEXT))]), Evidence((BEN, ANNA)))


def test_evidence_is_quoted_before_the_model_speaks_and_below_its_draft() -> None:
    quotes = "In the documents:“Ben stayed at home.” [1] Title“Anna <b>sailed</b> to Oslo.” [2] Title"
    assert said(found()) == f"Reading 1 passage …{quotes}"
    assert said(advance(found(), Waiting(2))) == f"Waiting for the model, number 2 in the queue …{quotes}"
    drafted = advance(found(), "Ben is")
    assert said(drafted) == f"{DRAFT}Ben is{quotes}"
    assert said(end(drafted, stopped=True)) == f"{LEFT}Ben isStopped.{quotes}"
    read = Reader(reply(drafted))
    assert read.links() == ["#t1-c1", "#t1-c2"] and {"t1-q1", "t1-q2"} <= set(read.ids())


def test_the_answer_takes_the_place_of_draft_and_evidence() -> None:
    turn = advance(advance(found(), "Ben is"), answer(Sentence("Ben stayed.", (BEN,), True)))
    assert said(turn) == "Ben stayed. [1]Confidence: high (90%)."


def test_a_reply_that_only_quotes_has_each_quotation_once_with_its_link() -> None:
    turn = advance(advance(found(), "Ben is"), quoted(BEN, ANNA, question="Q"))
    assert said(turn) == f"{NEAREST}“Ben stayed at home.” [1] Title“Anna <b>sailed</b> to Oslo.” [2] Title"
    assert Reader(reply(turn)).links() == ["#t1-c1", "#t1-c2"]
    assert {"copy", "rate"} <= set(actions(conversation([turn], "c", [])))


def test_where_nothing_answers_the_evidence_is_folded_away() -> None:
    turn = advance(found(), answer(text="Not said.", abstained=True, hits=(hit(0, 27),)))
    assert "<details" in reply(turn) and "The nearest sentences“Ben stayed at home.” [1]" in said(turn)


def test_a_draft_is_not_read_aloud_piece_by_piece() -> None:
    turns = [found(), advance(found(), "Ben"), end(advance(found(), "Ben"), stopped=True)]
    busy = [dict(Reader(conversation([turn], "c", [])).tags[0][1])["aria-busy"] for turn in turns]
    assert busy == ["false", "true", "false"]


def test_a_very_long_question_is_shortened() -> None:
    shown = Reader(conversation([Turn(1, "x" * 100_000, state="failed")], "c", [])).text
    assert len(shown) < 1200 and "…" in shown


def actions(source: str) -> list[str]:
    return re.findall(r'data-action="(\w+)"', source)


def test_what_one_can_do_with_a_turn_is_offered_when_it_is_done() -> None:
    turn = asked(answer(Sentence("A.", (), True)))
    assert actions(conversation([turn], "c", [])) == [
        "copy", "retry", "edit", "delete", "rate", "rate", "complain", "cancel",
    ]  # fmt: skip
    assert "suggest" not in actions(conversation([turn, Turn(2, "Q")], "c", ["More?"]))
    assert actions(conversation([Turn(1, "Q")], "c", ["More?"])) == []
    assert actions(conversation([Turn(1, "Q", state="failed", note="No.")], "c", [])) == ["retry", "edit", "delete"]


def test_a_rating_is_shown_and_its_reasons_offered() -> None:

    turn = replace(asked(answer(Sentence("A.", (), True))), rated="bad")
    tags = Reader(conversation([turn], "c", [])).tags
    assert [given["aria-pressed"] for _, given in tags if "aria-pressed" in given] == ["false", "true"]
    assert [given["value"] for tag, given in tags if tag == "option"] == list(REASONS)


def test_questions_are_suggested() -> None:
    shown = conversation([], "", ["What now?", "<b>"])
    assert WELCOME in shown and actions(shown) == ["suggest", "suggest"]
    assert [given["data-question"] for tag, given in Reader(shown).tags if tag == "button"] == ["What now?", "<b>"]


def test_hostile_text_stays_text() -> None:
    whole = Citation(1, "d", HOSTILE, HOSTILE, 0, len(HOSTILE), HOSTILE)
    first = asked(answer(Sentence(HOSTILE, (whole,), True), question="other" + HOSTILE))
    failed = Turn(2, HOSTILE, text=HOSTILE, state="failed", note=HOSTILE)
    quoting = advance(Turn(3, HOSTILE), quoted(whole, question=HOSTILE))
    evident = advance(advance(Turn(4, HOSTILE), Evidence((whole,))), HOSTILE)
    read = Reader(conversation([first, failed, quoting, evident], HOSTILE, [HOSTILE]))
    ours = {
        "a",
        "article",
        "blockquote",
        "button",
        "div",
        "h2",
        "h3",
        "label",
        "li",
        "option",
        "p",
        "select",
        "span",
        "textarea",
        "ul",
    }
    assert {tag for tag, _ in read.tags} <= ours
    assert read.links() == ["#t1-c1", "#t3-c1", "#t4-c1"]
    assert read.text.count(HOSTILE) >= 4
