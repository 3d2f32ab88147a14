"""The list of conversations."""

import re
import time

import pytest
from markup import HOSTILE, Reader

from rag.page.conversations import conversation_list
from rag.server.store import ConversationSummary

NOW = time.mktime((2026, 11, 26, 12, 0, 0, 0, 0, -1))
FIRST, SECOND = ConversationSummary("a1", "Who?", NOW, 1), ConversationSummary("b2", "What?", NOW, 1200)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


def test_each_conversation_can_be_opened_saved_renamed_and_deleted() -> None:
    items = re.findall(r"<li.*?</li>", conversation_list([FIRST, SECOND], "b2"))
    assert ["aria-current" in item for item in items] == [False, True]
    assert [Reader(item, skip="menu").text for item in items] == [
        "Who?just now, 1 question",
        "What?just now, 1,200 questions",
    ]
    read = Reader(items[0])
    buttons = [given for tag, given in read.tags if tag == "button"]
    assert [(one["data-action"], one["data-conversation"]) for one in buttons] == [
        ("open", "a1"), ("rename", "a1"), ("remove", "a1"),
    ]  # fmt: skip
    assert buttons[1]["data-title"] == "Who?"
    assert read.links() == ["conversations/a1.md", "conversations/a1.json"]
    assert [given["aria-label"] for tag, given in read.tags if tag == "summary"] == ["What to do with Who?"]


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (-5, "just now"), (59, "just now"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago"),
        (86_399, "23 h ago"), (86_400, "25 November 2026"), (30 * 86_400, "27 October 2026"),
    ],
)  # fmt: skip
def test_its_age_is_told(ago: float, words: str) -> None:
    assert f">{words}, 1 question<" in conversation_list([ConversationSummary("a", "T", NOW - ago, 1)], "")


def test_the_list_begins_with_a_new_conversation() -> None:
    read = Reader(conversation_list([FIRST], "a1"))
    assert [given["data-current"] for tag, given in read.tags if tag == "nav"] == ["a1"]
    assert next(given["data-action"] for tag, given in read.tags if tag == "button") == "new"
    none = conversation_list([], "")
    assert "None yet. They are kept here for you alone." in none and 'action="new"' in none


def test_who_signed_in_can_sign_out() -> None:
    out = conversation_list([], "", user="<ann>")
    assert 'action="logout"' in out and "Signed in as &lt;ann&gt;." in out
    assert "logout" not in conversation_list([FIRST], "a1")


def test_hostile_text_stays_text() -> None:
    read = Reader(conversation_list([ConversationSummary(HOSTILE, HOSTILE, NOW, 1)], HOSTILE, user=HOSTILE))
    assert {tag for tag, _ in read.tags} <= {
        "a", "button", "details", "div", "form", "input", "li", "nav", "span", "summary", "ul",
    }  # fmt: skip
    assert [given["action"] for tag, given in read.tags if tag == "form"] == ["logout"]
    assert all(link.startswith("conversations/") for link in read.links()) and read.text.count(HOSTILE) == 2
