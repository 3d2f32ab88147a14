"""Exports, read back by other programs: markdown-it for the Markdown, json for the JSON."""

import json
import re
from dataclasses import replace

import pytest
from fakes import quoted
from hypothesis import example, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.server.export import DRAFT, FORMAT, VERSION, as_json, as_markdown, with_sources
from rag.server.records import Turn
from rag.types import Answer, Citation, Hit, Passage, Sentence, Timings

LEADS = Citation(1, "d", "nato.pdf", "On NATO", 20, 42, "Mark  Rutte\nleads NATO.", 3)
FOUNDED = Citation(2, "e", "old.txt", "", 0, 16, "Founded in 1949.")
HIT = Hit(Passage(7, "d", "nato.pdf", "On NATO", 18, 50, "A passage.", 3), 0.03, 0.5, 1, None)
ANSWER = Answer(
    "Who leads NATO?",
    "Mark Rutte leads NATO. It was founded in 1949.\nHe is 70.",
    (
        Sentence("Mark Rutte leads NATO.", (LEADS,), True),
        Sentence("It was founded in 1949.", (FOUNDED, LEADS), True),
        Sentence("He is 70.", (), False),
    ),
    (LEADS, FOUNDED),
    (HIT,),
    False,
    0.875,
    Timings(0, 0.1, 0.2, 0.3),
)
TURN = Turn(1, "Who leads NATO?", (HIT,), ANSWER.text, ANSWER, "done", rated="good")
STOPPED = Turn(2, "And  before\nhim?", None, "Before", None, "stopped", "Stopped.")


def tokens(markdown: str) -> list[Token]:
    """The parts of the text, also those within lines; with tables and whatever else GitHub adds but its links."""
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    return [part for block in blocks for part in [block, *(block.children or [])]]


def test_the_markdown_of_a_conversation() -> None:
    assert as_markdown([TURN, STOPPED]) == (
        "## Who leads NATO?\n\n"
        "Mark Rutte leads NATO. \\[1\\] It was founded in 1949. \\[2\\] \\[1\\]\\\n"
        "He is 70. *(not found in the documents)*\n\n"
        "Sources:\n\n"
        "- \\[1\\] On NATO, page 3: “Mark Rutte leads NATO.”\n"
        "- \\[2\\] old\\.txt: “Founded in 1949.”\n\n"
        "## And before him?\n\n"
        "Before (a draft, not checked against the documents)\n\n"
        "*Note:* Stopped.\n"
    )


def test_the_question_as_it_was_searched_and_an_abstention() -> None:
    none = Answer("Who led NATO before?", "Not said.", (), (), (HIT,), True, 0.1, Timings(0, 0, None, 0))
    written = as_markdown([Turn(1, "And before?", (HIT,), none.text, none, "done")])
    assert written == "## And before?\n\n*Searched for:* Who led NATO before?\n\nNot said.\n"
    assert with_sources(Turn(1, "And before?", (HIT,), none.text, none, "done")) == "Not said."


def test_a_reply_that_only_quotes() -> None:
    reply = quoted(LEADS, FOUNDED, question="Who leads NATO?")
    turn = Turn(1, "Who leads NATO?", (), reply.text, reply, "done")
    assert as_markdown([turn]) == (
        "## Who leads NATO?\n\n"
        "The documents do not say this outright. Nearest to it:\n\n"
        "- \\[1\\] On NATO, page 3: “Mark Rutte leads NATO.”\n"
        "- \\[2\\] old\\.txt: “Founded in 1949.”\n"
    )
    assert with_sources(turn) == (
        "The documents do not say this outright. Nearest to it:\n\n"
        "[1] On NATO, page 3: “Mark Rutte leads NATO.”\n[2] old.txt: “Founded in 1949.”"
    )
    (told,) = json.loads(as_json([turn]))["turns"]
    assert [one["quote"] for one in told["answer"]["near"]] == [LEADS.quote, FOUNDED.quote]
    assert (told["answer"]["citations"], told["answer"]["abstained"]) == ([], True)


def test_an_answer_with_its_sources_as_plain_text() -> None:
    assert with_sources(TURN) == (
        "Mark Rutte leads NATO. [1] It was founded in 1949. [2] [1]\nHe is 70. (not found in the documents)\n\n"
        "[1] On NATO, page 3: “Mark Rutte leads NATO.”\n"
        "[2] old.txt: “Founded in 1949.”"
    )
    assert with_sources(STOPPED) == f"Before {DRAFT}"
    assert with_sources(Turn(1, "?", note="The model is down.", state="failed")) == ""
    assert with_sources(Turn(1, "?", text="\ud800<b>", state="stopped")) == f"\ufffd<b> {DRAFT}"


def test_the_json_of_a_conversation() -> None:
    assert json.loads(as_json([TURN, STOPPED])) == {
        "format": FORMAT,
        "version": VERSION,
        "turns": [
            {
                "number": 1,
                "question": "Who leads NATO?",
                "state": "done",
                "note": "",
                "rated": "good",
                "text": ANSWER.text,
                "answer": {
                    "searched": "Who leads NATO?",
                    "abstained": False,
                    "confidence": 0.875,
                    "sentences": [
                        {"text": "Mark Rutte leads NATO.", "supported": True, "citations": [1]},
                        {"text": "It was founded in 1949.", "supported": True, "citations": [2, 1]},
                        {"text": "He is 70.", "supported": False, "citations": []},
                    ],
                    "citations": [
                        {
                            "number": 1,
                            "doc_id": "d",
                            "source": "nato.pdf",
                            "title": "On NATO",
                            "page": 3,
                            "start": 20,
                            "end": 42,
                            "quote": "Mark  Rutte\nleads NATO.",
                        },
                        {
                            "number": 2,
                            "doc_id": "e",
                            "source": "old.txt",
                            "title": "",
                            "page": None,
                            "start": 0,
                            "end": 16,
                            "quote": "Founded in 1949.",
                        },
                    ],
                    "near": [],
                },
                "passages": [
                    {
                        "doc_id": "d",
                        "source": "nato.pdf",
                        "title": "On NATO",
                        "page": 3,
                        "start": 18,
                        "end": 50,
                        "text": "A passage.",
                        "score": 0.03,
                        "similarity": 0.5,
                    }
                ],
            },
            {
                "number": 2,
                "question": "And  before\nhim?",
                "state": "stopped",
                "note": "Stopped.",
                "rated": "",
                "text": "Before",
                "answer": None,
                "passages": [],
            },
        ],
    }


HOSTILE = [
    "[click](https://evil.example/x) ![x](http://evil.example/p.png) <https://evil.example> <img src=x onerror=y>",
    "[1]: https://evil.example\n[1] [text][1]\n\n[^1]: foot",
    "# Heading\nSetext\n===\n\nOther\n---\n> quote\n- item\n+ item\n* item\n1. one\n2) two\n    code\n```\nfence\n~~~",
    "| a | b |\n|---|---|\n| c | d |\n\na\n:-:\nb",
    "*em* _em_ **strong** ~~gone~~ `code` $x$ &lt;b&gt; &#91; \\[ back\\\\slash\\",
    "www.evil.example, WWW.evil.com, evil.com/x?y, //evil.com, ftp://evil.com, mailto:me@evil.com, me@evil.com, xmpp:a@b.c",
    "<|im_start|>system \u202eright to left\u202c \0 \ud800 \u2028next\x85line",
    "<!-- comment",
    "{#id .class} [[wiki]] %%",
]
ALLOWED = re.compile(r"heading|paragraph|bullet_list|list_item|inline|text|hardbreak|em")


def hostile(text: str) -> Turn:
    """A turn in which everything that comes from elsewhere is `text`."""
    cited = Citation(1, "d", text, text, 0, len(text), text)
    answer = Answer(f"{text}?", text, (Sentence(text, (cited,), False),), (cited,), (), False, 0.5, Timings(0, 0, 0, 0))
    return Turn(1, text, (), text, answer, "failed", text)


def plain(text: str) -> str:
    """Without what is not to be seen, or is not told apart."""
    visible = text.replace("\u2060", "").replace("\0", "\ufffd")
    return "".join(visible.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").split())


def check_markdown(text: str) -> None:
    found = tokens(as_markdown([hostile(text)]))
    others = {token.type for token in found if not ALLOWED.fullmatch(re.sub("_(open|close)$", "", token.type))}
    assert others == set()
    assert [token.tag for token in found if token.type == "heading_open"] == ["h2"]
    assert sum(token.type == "bullet_list_open" for token in found) == 1
    shown = plain("".join(token.content for token in found if token.type == "text"))
    told = [text, "Searched for:", f"{text}?", text, "[1](not found in the documents)", "Note:", text, "Sources:"]
    assert shown == plain("".join([*told, f"[1]{text}:“{text}”"]))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_reads_as_it_was_written_in_markdown(text: str) -> None:
    check_markdown(text)


@pytest.mark.slow
@given(st.text(st.sampled_from("ab1 .:/@-=+#*_~`\\<>[]()!&|$\n\t\"'\ud800\u2028"), min_size=1) | st.text(min_size=1))
@example("1)")
@example("\\")
@example("a\\\nb")
@effort(deadline=None)
def test_any_text_reads_as_it_was_written_in_markdown(text: str) -> None:
    check_markdown(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_address_is_left_that_a_reader_would_turn_into_a_link(text: str) -> None:
    written = as_markdown([hostile(text)])
    assert not re.search(r"(?<!\\)(://|//)|www\.|@\w|\w\.(com|example)", written, re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_and_plain_text_keep_hostile_text_as_it_is(text: str) -> None:
    (turn,) = json.loads(as_json([hostile(text)]))["turns"]
    kept = text.replace("\ud800", "\ufffd")
    assert turn["question"] == turn["answer"]["citations"][0]["quote"] == kept
    assert with_sources(hostile(text)).startswith(f"{kept} [1] (not found in the documents)")


def test_the_same_span_is_one_source_and_a_sentence_that_the_text_lacks_is_kept() -> None:
    answer = replace(ANSWER, sentences=(Sentence("Elsewhere.", (LEADS, LEADS), True),), text="Said.")
    assert with_sources(replace(TURN, answer=answer)).startswith("Elsewhere. [1]")
    assert with_sources(replace(TURN, answer=answer)).count("[1] On NATO") == 1
