"""What the page must not do: run what a document says, call others, jump, shut anybody out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import (
    HITS,
    PHONE,
    WIDE,
    Opener,
    answer,
    ask,
    bot,
    chromium,
    cite,
    close_drawer,
    done,
    drawer,
    open_page,
    reply,
    said,
    sea,
    served,
    tool,
)
from fakes import Event, FakeBot, hit, quoted
from playwright.sync_api import Page, expect

from rag.errors import ModelError
from rag.page.chat import TITLE
from rag.types import Document, Evidence, Sentence

pytestmark = pytest.mark.browser
fixtures = (bot, chromium, open_page, served)

HOSTILE = """<img src="http://evil.example/x.png" onerror="document.title='broken'"> <script>document.title='broken'</script>
<form action="https://evil.example"><input></form> <style>body{display:none}</style> </textarea></article></mark>
[2]: https://evil.example
![i](https://evil.example/y.png) [click](https://evil.example) **bold** $$x$$ ${document.title='broken'} {{value}} @children
<|im_start|>system [INST] <a href="javascript:alert(1)">x</a> <iframe src="//evil.example"></iframe> \u202ebackwards\u202c אבג
\tOne\ttab"""
SHOWN = HOSTILE.replace("**bold**", "bold")
"""Bold words are all that is taken for Markdown, in answers alone."""
EVIL = Document("evil", HOSTILE, HOSTILE, HOSTILE)


def test_hostile_text_is_shown_and_does_nothing(open_page: Opener, bot: FakeBot) -> None:
    spoken = Sentence(HOSTILE, (cite(1, HOSTILE, EVIL),), True)
    found = [hit(EVIL, 0, len(HOSTILE))]
    bot.script = lambda _: iter([found, HOSTILE, answer(spoken, hits=found)])
    bot.documents["evil"] = EVIL
    page = open_page()
    ask(page, HOSTILE.replace("\n", " "))
    done(page)
    assert reply(page).locator(".sentence").text_content() == SHOWN
    assert page.locator("#t1-c1").text_content() == HOSTILE
    assert page.locator("#chat [data-testid=user]").text_content() == HOSTILE.replace("\n", " ")
    drawer(page, "list")
    expect(page.locator("#list .opener").first).to_contain_text("<img src=")
    drawer(page, "documents")
    expect(page.locator("#documents-list")).to_contain_text("<img src=")
    close_drawer(page)
    parts = page.locator("#chat, #source, #list, #documents-list")
    found_tags = parts.locator("img, form, script, style:not(svg *), iframe, strong, table")
    assert found_tags.evaluate_all("(all) => all.map((each) => each.outerHTML)") == ["<strong>bold</strong>"]
    links = parts.locator("a").evaluate_all("(all) => all.map((a) => a.getAttribute('href'))")
    assert all(link.startswith(("#t1-", "conversations/")) for link in links)
    expect(page).to_have_title(TITLE)
    page.reload()
    expect(page.locator("#chat .sentence")).to_have_text(SHOWN)
    expect(page).to_have_title(TITLE)


@pytest.mark.parametrize("fault", ["timeout", "refused", "broken off", "not a RagError"])
def test_each_way_in_which_the_model_fails_is_a_sentence(open_page: Opener, bot: FakeBot, fault: str) -> None:
    errors = {
        "timeout": ModelError("The model said nothing for 120 s; ask again, or raise RAG_TIMEOUT."),
        "refused": ModelError("The model refused the key (status 401); set RAG_API_KEY to a valid one."),
        "not a RagError": RuntimeError(HOSTILE),
    }

    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield "Half"
        if fault in errors:
            raise errors[fault]

    bot.script = script
    page = open_page()
    ask(page, "What?")
    done(page)
    shown = {"broken off": "The answer broke off. Ask again."}.get(fault) or (
        str(errors[fault]) if fault != "not a RagError" else "Something went wrong."
    )
    expect(reply(page).locator(".note")).to_contain_text(shown)
    bot.script = sea
    tool(page, "Retry").click()
    expect(said(page)).to_contain_text("It speaks of the sea.")


STILL = """document.getAnimations().every((each) => each.playState !== "running"
    || each.effect.getComputedTiming().duration > 1000 || each.effect.getComputedTiming().iterations === Infinity)"""


def violations(page: Page) -> Sequence[str]:
    """What axe-core complains of, when nothing fades in or out any more."""
    page.wait_for_function(STILL)
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:300]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_axe_finds_no_violation(open_page: Opener, bot: FakeBot, size: tuple[int, int], scheme: str) -> None:
    words = cite(1, "Paragraph 8 speaks of the sea.")

    def evidence(question: str) -> Iterator[Event]:
        yield HITS
        yield Evidence((words,))
        yield "Half"
        bot.waits()
        yield quoted(words, hits=HITS)

    page = open_page(size, color_scheme=scheme)
    assert violations(page) == [], "at the start"
    ask(page, "What is it about?")
    done(page)
    assert violations(page) == [], "after an answer"
    for name in ("list", "documents"):
        drawer(page, name)
        assert violations(page) == [], name
    drawer(page, "list")
    page.locator("#list .menu summary").click()
    assert violations(page) == [], "with the menu of a conversation"
    close_drawer(page)
    tool(page, "Dislike").click()
    expect(page.locator("#complaint").first).to_be_visible()
    assert violations(page) == [], "while rating"
    tool(page, "Edit").click()
    expect(page.locator("#chat textarea")).to_be_visible()
    assert violations(page) == [], "while editing"
    page.locator("#chat textarea").press("Escape")
    reply(page).locator(".cite").first.click()
    expect(page.locator("#source mark.now").first).to_be_visible()
    page.locator("#source .why summary").click()
    assert violations(page) == [], "with the source and why it was found"
    if size == PHONE:
        page.get_by_role("button", name="Back to the conversation").click()
    bot.script = evidence
    ask(page, "And then?")
    expect(reply(page).locator(".draft")).to_be_visible()
    expect(reply(page).locator(".evidence")).to_be_visible()
    assert violations(page) == [], "while it is answered"
    bot.gate.set()
    done(page)
    expect(reply(page).locator(".evidence")).to_be_visible()
    assert violations(page) == [], "with quotations only"
    bot.script = sea
    tool(page, "Retry", 2).click()
    done(page)
    expect(page.locator("#back")).to_be_visible()
    assert violations(page) == [], "with the way back"


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_nothing_needs_sideways_scrolling(open_page: Opener, bot: FakeBot, size: tuple[int, int]) -> None:
    long = Document("sea", "folder/" * 40 + "article.txt", "T" * 200, "w" * 900)
    bot.documents["sea"] = long
    spoken = Sentence("x" * 400, (cite(1, "w" * 900, long),), True)
    bot.script = lambda _: iter([[hit(long, 0, 900)], answer(spoken, hits=[hit(long, 0, 900)])])
    page = open_page(size)
    ask(page, "q" * 300)
    done(page)
    wide = "[...document.querySelectorAll('#chat, #chat [role=log], #left, #right, #source, html')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.id || e.role)"
    assert page.evaluate(wide) == []
    for part in ("#chat .reply", "#chat [data-testid=user]", "#question .submit-button"):
        assert is_within(page, part, size[0]), part
    reply(page).locator(".cite").first.click()
    expect(page.locator("#t1-c1")).to_be_visible()
    page.locator("#source .why summary").click()
    assert page.evaluate(wide) == []
    assert is_within(page, "#source .card", size[0])


def is_within(page: Page, part: str, width: int) -> bool:
    box = page.locator(part).first.bounding_box()
    return bool(box and box["x"] >= 0 and box["x"] + box["width"] <= width)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_newest_answer_is_in_view(open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(size)
    for number in range(6):
        ask(page, f"Question {number}?")
        done(page)
    expect(reply(page).locator(".trust")).to_be_in_viewport()
    expect(page.locator("#question textarea")).to_be_in_viewport()
    expect(page.locator("#sidebar .toggle-button")).to_be_in_viewport()


MEASURE = """() => { window.shifts = [];
  new PerformanceObserver((list) => list.getEntries().forEach((e) => shifts.push(
    [e.value, e.sources.map((s) => s.node?.id || s.node?.className || s.node?.nodeName)])))
    .observe({type: "layout-shift", buffered: false}); }"""


def test_passages_come_at_once_and_nothing_jumps(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield from ("It ", "speaks ", "of ", "the ", "sea.")
        yield from list(sea(question))[2:]

    bot.script = script
    page = open_page()
    page.evaluate(MEASURE)
    seconds = []
    for number in range(5):
        box = page.locator("#question textarea")
        box.fill(f"Question {number}?")
        page.evaluate("""() => { const wanted = document.querySelectorAll("#chat .reply").length + 1;
            window.seen = new Promise((resolve) => {
                document.querySelector("#question textarea").addEventListener("keydown", () => {
                    const from = performance.now();
                    const look = () => document.querySelector(`.source[data-turn="${wanted}"] .card`)
                        ? resolve(performance.now() - from) : requestAnimationFrame(look);
                    look();
                }, { once: true, capture: true });
            }); }""")
        box.press("Enter")
        seconds.append(page.evaluate("window.seen") / 1000)
        done(page)
    shifts = page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) < 0.01, shifts
    assert sorted(seconds)[2] < 1.0, seconds  # 0.3 s on an idle machine


SHOTS = Path("results/screenshots")


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_main_states_are_photographed(open_page: Opener, bot: FakeBot, size: tuple[int, int]) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = open_page(size, reduced_motion="reduce")

    def shot(name: str) -> None:
        path = SHOTS / f"{name}-{size[0]}.png"
        page.screenshot(path=path)
        assert path.stat().st_size > 5_000

    shot("start")
    ask(page, "What is it about?")
    done(page)
    shot("answer")
    page.locator(".cite").first.click()
    expect(page.locator("#source mark.now")).to_be_visible()
    shot("source")
    page.keyboard.press("Escape")
    for name in ("list", "documents"):
        drawer(page, name)
        shot(name)
    close_drawer(page)
    bot.script = lambda _: iter([HITS[:2], replace(answer(text="Not stated.", hits=HITS[:2], abstained=True))])
    ask(page, "Who won?")
    done(page)
    shot("abstained")
