"""The page in headless Chromium, with a bot that does what each test says."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from chat_app import BLANK, EXAMPLES, TITLE, listen, make_server
from rag.errors import ModelError
from rag.render import Event
from rag.settings import Settings
from rag.types import Answer, Chunk, Citation, Document, Hit, Sentence, Timings

pytestmark = pytest.mark.browser

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
WAIT = 20  # seconds until a test that hangs fails
WIDE, PHONE = (1280, 800), (390, 844)
HOSTILE = """<img src="http://evil.example/x.png" onerror="document.title='broken'"> <script>document.title='broken'</script>
<form action="https://evil.example"><input></form> <style>body{display:none}</style>
[2]: https://evil.example
![i](https://evil.example/y.png) [click](https://evil.example) **bold** $$x$$ ${document.title='broken'} {{value}} @children
\tOne\ttab"""
TEXT = "\n".join(
    f"Paragraph {number} speaks of the sea. " + "The ship sails on and the wind is fair. " * 12 for number in range(12)
)
ARTICLE = Document("sea", "data/article.txt", "The <i>sea</i>", TEXT)
EVIL = Document("evil", "evil.md", HOSTILE, HOSTILE)


def hit(document: Document, start: int, end: int) -> Hit:
    chunk = Chunk(start, document.doc_id, document.source, document.title, start, end, document.text[start:end])
    return Hit(chunk, 0.1, 0.5, 1, 1)


HITS = [hit(ARTICLE, TEXT.index(f"Paragraph {n} "), TEXT.index(f"Paragraph {n + 1} ") - 1) for n in range(10)]


def cite(number: int, quote: str, document: Document = ARTICLE) -> Citation:
    start = document.text.index(quote)
    return Citation(number, document.doc_id, document.source, document.title, start, start + len(quote), quote)


def answer(*sentences: Sentence, hits: Sequence[Hit] = HITS, abstained: bool = False, text: str = "") -> Answer:
    text = text or " ".join(sentence.text for sentence in sentences)
    citations = tuple(citation for sentence in sentences for citation in sentence.citations)
    return Answer("", text, sentences, citations, tuple(hits), abstained, 0.9, Timings(0, 0, None, 0))


def sea(question: str) -> Iterator[Event]:
    """An answer with a mark far down, one outside the passages, and an invented sentence."""
    yield HITS
    yield "It speaks"
    yield answer(
        Sentence("It speaks of the sea.", (cite(1, "Paragraph 8 speaks of the sea."),), True),
        Sentence("And once more.", (cite(2, "Paragraph 11 speaks of the sea."),), True),
        Sentence("It was written in 1987.", (), False),
    )


class FakeBot:
    """Plays the `script` of the test."""

    def __init__(self) -> None:
        self.script: Callable[[str], Iterator[Event]] = sea
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.closed = threading.Event()
        self.gate = threading.Event()

    @property
    def documents(self) -> dict[str, Document]:
        return {"sea": ARTICLE, "evil": EVIL}

    def stream(self, question: str, history: Sequence[tuple[str, str]] = ()) -> Iterator[Event]:
        self.asked.append((question, list(history)))
        try:
            for event in self.script(question):
                yield replace(event, question=question) if isinstance(event, Answer) else event
        finally:
            self.closed.set()

    def waits(self) -> None:
        assert self.gate.wait(WAIT), "the test did not open the gate"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeBot, str]]:
    """The page on a free port, and its bot."""
    bot, settings = FakeBot(), Settings(_env_file=None, host="127.0.0.1", port=0)
    server = make_server(bot, settings)
    with listen(settings) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield bot, "http://127.0.0.1:{1}/".format(*listener.getsockname())
        server.should_exit = True
        thread.join(WAIT)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT * 1000)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())


@pytest.fixture
def bot(served: tuple[FakeBot, str]) -> FakeBot:
    served[0].__init__()  # type: ignore[misc]
    return served[0]


Opener = Callable[..., Page]


@pytest.fixture
def open_page(bot: FakeBot, served: tuple[FakeBot, str], chromium: Browser) -> Iterator[Opener]:
    """Opens the page in a new tab; every request must go to it, and nothing may be left for the policy to block."""
    contexts = []
    requested: list[str] = []
    complaints: list[str] = []

    def opened(size: tuple[int, int] = WIDE) -> Page:
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
        contexts.append(context)
        context.on("request", lambda request: requested.append(urlsplit(request.url).netloc))
        page = context.new_page()
        page.on("console", lambda message: complaints.extend([message.text] if message.type == "error" else []))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served[1])
        page.locator("#question textarea").wait_for()
        return page

    yield opened
    bot.gate.set()
    for context in contexts:
        context.close()
    assert set(requested) == {urlsplit(served[1]).netloc}
    assert complaints == []


def ask(page: Page, question: str) -> None:
    """Type and send, and wait until the question is on its way."""
    replies = page.locator("#chat .reply").count()
    page.locator("#question textarea").fill(question)
    page.locator("#question textarea").press("Enter")
    expect(page.locator("#chat .reply")).to_have_count(replies + 1)


def reply(page: Page) -> Locator:
    return page.locator("#chat .reply").last


def is_idle(page: Page) -> None:
    expect(page.locator("#send")).to_be_visible()
    expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator("#question textarea")).to_be_editable()


def in_view(mark: Locator) -> bool:
    """Whether the whole element is inside the window and inside the pane that scrolls it."""
    script = """(mark) => {
        const pane = mark.closest("#passages").getBoundingClientRect(), box = mark.getBoundingClientRect();
        const top = Math.max(0, pane.top), bottom = Math.min(innerHeight, pane.bottom);
        return box.top >= top && box.bottom <= bottom && box.left >= 0 && box.right <= innerWidth;
    }"""
    return bool(mark.evaluate(script))


def test_the_passages_come_before_the_answer_and_the_answer_grows(open_page: Opener, bot: FakeBot) -> None:
    steps = {name: threading.Event() for name in ("search", "read", "write")}

    def script(question: str) -> Iterator[Event]:
        assert steps["search"].wait(WAIT)
        yield HITS
        assert steps["read"].wait(WAIT)
        yield "It speaks"
        assert steps["write"].wait(WAIT)
        yield from list(sea(question))[1:]

    bot.script = script
    page = open_page()
    expect(page).to_have_title(TITLE)
    ask(page, "What is it about?")
    expect(reply(page)).to_have_text("Looking for passages …")
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#question textarea")).to_have_value("")
    expect(page.locator("#passages .passage")).to_have_count(0)
    steps["search"].set()
    expect(page.locator("#passages .passage")).to_have_count(len(HITS))
    expect(page.locator("#passages .passage").first).to_contain_text(HITS[0].chunk.text.strip())
    expect(page.locator("#passages .passage h4").first).to_have_text("Passage 1: The <i>sea</i>")
    expect(reply(page)).to_have_text(f"Reading {len(HITS)} passages …")
    steps["read"].set()
    expect(reply(page)).to_have_text("It speaks")
    steps["write"].set()
    expect(reply(page)).to_contain_text("It was written in 1987. [not found in the document]")
    is_idle(page)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_a_citation_leads_to_its_words(open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(size)
    ask(page, "What is it about?")
    for number, quote in [(1, "Paragraph 8 speaks of the sea."), (2, "Paragraph 11 speaks of the sea.")]:
        mark = page.locator(f"#t1-c{number}")
        expect(mark).to_have_text(quote)
        assert number > 1 or not in_view(mark)
        reply(page).get_by_text(f"[{number}]").click()
        expect(page.locator("#passages mark:target")).to_have_text(quote)
        assert in_view(mark)
        assert mark.evaluate("(mark) => getComputedStyle(mark).outlineStyle") == "solid"
        if size == PHONE:
            page.get_by_text("Back to the answer").click()
            expect(reply(page)).to_be_in_viewport()
    expect(page.locator("#passages .passage").last.locator("h4")).to_contain_text("Cited words")


def test_a_follow_up_gets_the_history_and_earlier_citations_still_work(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    ask(page, "What is it about?")
    is_idle(page)
    reply(page).get_by_text("[1]").click()
    ask(page, "And who <b>wrote</b> it?")
    expect(page.locator("#passages h3")).to_have_text(["And who <b>wrote</b> it?", "What is it about?"])
    is_idle(page)
    said = "It speaks of the sea. And once more. It was written in 1987."
    assert bot.asked == [("What is it about?", []), ("And who <b>wrote</b> it?", [("What is it about?", said)])]
    assert page.locator("#passages").evaluate("(pane) => pane.scrollTop") == 0
    page.locator("#t1-answer").get_by_text("[1]").click()
    assert in_view(page.locator("#t1-c1"))


def test_what_is_absent_is_said_and_the_nearest_passages_shown(open_page: Opener, bot: FakeBot) -> None:
    bot.script = lambda _: iter([HITS[:2], answer(text="The documents do not say.", hits=HITS[:2], abstained=True)])
    page = open_page()
    ask(page, "Who won in 1950?")
    expect(reply(page)).to_have_text("The documents do not say.The nearest passages are shown beside.")
    expect(page.locator("#passages .passage")).to_have_count(2)


@pytest.mark.parametrize("error", [ModelError("The model is down; start it."), ValueError("<b>pipe</b>")])
def test_the_page_survives_an_error(open_page: Opener, bot: FakeBot, error: Exception) -> None:
    def script(question: str) -> Iterator[Event]:
        yield HITS
        raise error

    bot.script = script
    page = open_page()
    ask(page, "What?")
    expect(reply(page)).to_contain_text(str(error))
    is_idle(page)
    bot.script = sea
    ask(page, "And now?")
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    assert bot.asked[-1] == ("And now?", [])


def test_stop_ends_the_stream_and_the_page_goes_on(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        yield HITS
        yield "It speaks"
        bot.waits()
        while True:
            yield " on"

    bot.script = script
    page = open_page()
    ask(page, "What?")
    expect(reply(page)).to_have_text("It speaks")
    page.locator("#stop").click()
    expect(reply(page)).to_have_text("It speaksStopped.")
    is_idle(page)
    bot.gate.set()
    assert bot.closed.wait(WAIT)
    bot.script = sea
    ask(page, "And now?")
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    assert bot.asked[-1] == ("And now?", [("What?", "It speaks")])


def test_leaving_the_page_ends_the_stream(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        for number in range(100_000):
            yield f" {number}"
            if bot.gate.wait(0.05):
                break

    bot.script = script
    page = open_page()
    ask(page, "What?")
    expect(reply(page)).to_contain_text(" 3")
    page.close()
    assert bot.closed.wait(WAIT) and not bot.gate.is_set()


def test_hostile_text_is_shown_and_does_nothing(open_page: Opener, bot: FakeBot) -> None:
    said = Sentence(HOSTILE, (cite(1, HOSTILE, EVIL),), True)
    bot.script = lambda _: iter(
        [[hit(EVIL, 0, len(HOSTILE))], HOSTILE, answer(said, hits=[hit(EVIL, 0, len(HOSTILE))])]
    )
    page = open_page()
    ask(page, HOSTILE.replace("\n", " "))
    is_idle(page)
    assert reply(page).locator(".answer").text_content() == HOSTILE + " [1]"
    assert page.locator("#t1-c1").text_content() == HOSTILE
    assert page.locator("#chat .question").text_content() == HOSTILE.replace("\n", " ")
    expect(page.locator("#top p")).to_contain_text("<img src=")
    shown = page.locator("#chat .reply, #chat .question, #passages section, #top p")
    found = shown.locator("img, form, script, style, input, strong")
    assert found.evaluate_all("(all) => all.map((each) => each.outerHTML)") == []
    links = (
        page.locator("#chat, #passages").locator("a").evaluate_all("(all) => all.map((a) => a.getAttribute('href'))")
    )
    assert links == ["#t1-c1", "#t1-answer"]
    expect(page).to_have_title(TITLE)


def test_a_phone_needs_no_sideways_scrolling(open_page: Opener, bot: FakeBot) -> None:
    long = Document("sea", "folder/" * 40 + "article.txt", "T" * 200, "w" * 900)
    said = Sentence("x" * 400, (cite(1, "w" * 900, long),), True)
    bot.script = lambda _: iter([[hit(long, 0, 900)], answer(said, hits=[hit(long, 0, 900)])])
    page = open_page(PHONE)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= PHONE[0]
    ask(page, "q" * 300)
    is_idle(page)
    expect(page.locator("#t1-c1")).to_be_visible()
    assert page.evaluate(width) <= PHONE[0]
    for part in ("#chat .reply", "#chat .question", "#passages .passage", "#send"):
        box = page.locator(part).first.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE[0], part


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_newest_answer_is_in_view(open_page: Opener, size: tuple[int, int]) -> None:
    page = open_page(size)
    for number in range(8):
        ask(page, f"Question {number}?")
        is_idle(page)
    expect(reply(page).get_by_text("[not found in the document]")).to_be_in_viewport()
    expect(page.locator("#question textarea")).to_be_in_viewport()


def test_two_tabs_are_answered_at_the_same_time_and_apart(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        yield question
        bot.waits()
        yield answer(Sentence(f"Answer to {question}.", (), True))

    bot.script = script
    pages = {name: open_page() for name in ("left", "right")}
    for name, page in pages.items():
        ask(page, name)
    for name, page in pages.items():
        expect(reply(page)).to_have_text(name)
    bot.gate.set()
    for name, page in pages.items():
        expect(reply(page)).to_have_text(f"Answer to {name}.")
        expect(page.locator("#chat .question")).to_have_text([name])


def test_enter_while_running_asks_nothing_more(open_page: Opener, bot: FakeBot) -> None:
    def script(question: str) -> Iterator[Event]:
        yield "It speaks"
        bot.waits()
        yield from sea(question)

    bot.script = script
    page = open_page()
    ask(page, "What?")
    expect(reply(page)).to_have_text("It speaks")
    page.locator("#question textarea").fill("Next?")
    page.locator("#question textarea").press("Enter")
    bot.gate.set()
    is_idle(page)
    expect(page.locator("#question textarea")).to_have_value("Next?")
    page.locator("#send").click()
    expect(page.locator("#chat .question")).to_have_text(["What?", "Next?"])
    is_idle(page)
    assert [question for question, _ in bot.asked] == ["What?", "Next?"]


def test_examples_retry_clear_and_a_blank_question(open_page: Opener, bot: FakeBot) -> None:
    page = open_page()
    page.locator("#send").click()
    expect(page.locator("#chat")).to_contain_text(BLANK)
    assert bot.asked == []
    page.reload()
    page.get_by_text(EXAMPLES[1]).click()
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    is_idle(page)
    bot.closed.clear()
    page.locator("#retry").click()
    assert bot.closed.wait(WAIT)
    is_idle(page)
    assert bot.asked == [(EXAMPLES[1], [])] * 2
    expect(page.locator("#chat .question")).to_have_text([EXAMPLES[1]])
    page.locator("#clear").click()
    expect(page.locator("#chat .reply")).to_have_count(0)
    expect(page.locator("#passages .passage")).to_have_count(0)
    ask(page, "Anew?")
    expect(reply(page)).to_contain_text("It speaks of the sea.")
    assert bot.asked[-1] == ("Anew?", [])
