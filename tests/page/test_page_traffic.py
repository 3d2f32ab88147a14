"""What a streaming answer costs: bytes that the server sends, and what is drawn anew."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from browser import HITS, Opener, ask, bot, chromium, done, open_page, reply, said, sea, served
from fakes import Event, FakeBot
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
fixtures = (bot, chromium, open_page, served)

PIECES, PACE = 60, 0.02
MOST = 60_000
"""Bytes for the third answer of a conversation, with the document twice: its passages, then what is cited."""


def in_pieces(question: str) -> Iterator[Event]:
    yield HITS
    for number in range(PIECES):
        time.sleep(PACE)  # the model's speed, not a wait for something
        yield f"word{number} "
    yield from list(sea(question))[2:]


ENDED = """(since) => performance.getEntriesByType("resource").some(
    (each) => each.name.includes("/queue/data") && each.startTime >= since)"""
"""Whether a stream of events that began since then has ended."""


def streamed(page: Page, question: str) -> int:
    """Ask, and wait for the answer and for the end of its stream of events; gives the bytes of that."""
    network = page.context.new_cdp_session(page)
    paths: dict[str, str] = {}
    received: Counter[str] = Counter()

    def sent(event: Any) -> None:
        paths[event["requestId"]] = event["request"]["url"].partition("?")[0].rpartition("/")[2]

    def came(event: Any) -> None:
        received[paths.get(event["requestId"], "")] += event["dataLength"]

    network.on("Network.requestWillBeSent", sent)
    network.on("Network.dataReceived", came)
    network.send("Network.enable")
    now = page.evaluate("performance.now()")
    ask(page, question)
    done(page)
    page.wait_for_function(ENDED, arg=now)
    network.detach()
    return received["data"]


def test_an_answer_in_pieces_costs_little(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    page.wait_for_function(ENDED, arg=0)  # What the page asks for when it is opened.
    for number in range(2):
        streamed(page, f"Question {number}?")
    bot.script = in_pieces
    size = streamed(page, "And then?")
    print(f"{size:,} bytes")
    expect(said(page)).to_contain_text("It speaks of the sea.")
    assert 20_000 < size < MOST


WATCH = """() => {
  const answer = document.querySelector("#t2-answer .draft .answer");
  window.watched = { earlier: document.querySelector("#t1-answer"), answer, seen: new Set(), gone: 0 };
  new MutationObserver(() => {
    const draft = document.querySelector("#t2-answer .draft .answer");
    if (!draft) return;
    watched.seen.add(draft.textContent);
    if (draft !== watched.answer || !watched.earlier.isConnected) watched.gone += 1;
  }).observe(document.querySelector("#chat"), { childList: true, subtree: true, characterData: true });
}"""


def test_a_streaming_answer_does_not_flicker(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        events = in_pieces(question)
        yield next(events)
        yield next(events)
        bot.waits()
        yield from events

    page = open_page()
    ask(page, "What is it about?")
    done(page)
    bot.script = script
    ask(page, "And then?")
    expect(reply(page).locator(".draft .answer")).to_contain_text("word0")
    page.evaluate(WATCH)
    bot.gate.set()
    done(page)
    assert page.evaluate("watched.seen.size") > 3
    assert page.evaluate("watched.gone") == 0
    assert page.evaluate("watched.earlier.isConnected")
