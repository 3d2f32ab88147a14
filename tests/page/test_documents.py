"""The documents of the page: their handlers, and all of it in headless Chromium over a real index."""

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import FLAGS, PHONE, WAIT, WIDE
from fakes import EMBEDDER, ScriptedModel, TopicEmbedder, chatbot, publish, write
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from chat_app import make_app
from rag.errors import DocumentError, QuestionError
from rag.index.index import open_index
from rag.page.choice import after_change, after_tick, ticked
from rag.page.document_list import SHOWN, described, document_list, say_added, say_step, scope, shown
from rag.page.documents import DocumentHandlers, asked, documents_panel
from rag.page.markup import name_of, without_folders
from rag.server.document_changes import Changed, Row, Step
from rag.server.document_editor import DocumentEditor
from rag.server.serve import listen, make_server
from rag.server.store import FILE, Store
from rag.settings import ServerSettings
from rag.types import Citation, Document, Listed

ROWS = tuple(Row(one, f"data/{one}.txt", one.title(), 1, True) for one in ("cat", "dog"))
FISH = Row("fish", "/srv/store/documents/fish.txt", "Fish", 2, True)
LACKING = Row("lease", "lease.docx", "Lease", 12, True, ("2 pictures", "3 struck-out parts"))
SKIP = gr.skip()


def rows_of(*ids: str) -> list[Row]:
    return [Row(one, f"data/{one}.txt", f"About {one}", 2, True) for one in ids]


def test_a_choice_of_nothing_is_said_and_of_everything_is_none() -> None:
    assert asked(None) == () and asked({"b", "a"}) == ("a", "b")
    with pytest.raises(QuestionError, match="choose at least one"):
        asked(frozenset())


def test_the_first_rows_that_hold_all_words_are_shown_each_text_once() -> None:
    rows = [*rows_of("cats", "dogs"), Row("cats", "copy/kittens.txt", "Copy of cats", 2, True)]
    assert shown(rows, "") == rows[:2]
    assert shown(rows, " TXT about ") == rows[:2]
    assert shown(rows, "kittens copy") == rows[2:] and shown(rows, "cats dogs") == []
    assert shown(rows, "data") == []  # The folder is not theirs to see.
    many = rows_of(*(f"n{number:03}" for number in range(SHOWN + 5)))
    assert shown(many, "") == many[:SHOWN] and shown(many, str(SHOWN + 4)) == many[-1:]
    assert shown(rows, "cats " * 200_000) == shown(rows, "cats")  # No more is looked for than a title has.


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("a", "/srv/data/a\n b.txt", "A", 1, True, words=1), "a b.txt, text, 1 word"),
        (Row("a", "data/a.PDF", "A", 1, True, words=900, pages=12), "a.PDF, PDF, 12 pages"),
        (Row("a", "https://example.org/a", "A", 1, True, words=1200), "https://example.org/a, web page, 1,200 words"),
        (Row("a", "https://example.org/a.pdf", "A", 1, True), "https://example.org/a.pdf, PDF"),
        (Row("a", "data/many.jsonl#12", "A", 1, True), "many.jsonl#12, line of JSON"),
        (Row("a", "a.md", "A", 1, True, added=1_760_000_000.0), "a.md, text, added 9 October 2025"),
        (LACKING, "lease.docx, Word file, without 2 pictures, 3 struck-out parts"),
        (Row("a", f"{'x' * 200}.csv", "A", 1, True), f"{'x' * 60} …, table"),
    ],
)
def test_kind_size_and_age_of_a_document_are_told(row: Row, said: str) -> None:
    assert described(row) == said


def test_ticking_changes_one_document_and_nothing_else() -> None:
    rows = rows_of("a", "b", "c")
    assert ticked(None, rows[:2]) == ["a", "b"]
    chosen = after_tick(None, "b", False, rows)
    assert chosen == {"a", "c"} and ticked(chosen, rows) == ["a", "c"]
    assert after_tick(chosen, "b", True, rows) is None
    assert after_tick(chosen, "nothing", True, rows) == chosen
    assert after_tick(frozenset({"a"}), "a", False, rows) == frozenset()


def test_new_documents_are_asked_and_gone_ones_are_forgotten() -> None:
    before, after = rows_of("a", "b", "c"), rows_of("b", "c", "new")
    assert after_change(None, before, after) is None
    assert after_change(frozenset({"a", "b"}), before, after) == {"b", "new"}
    assert after_change(frozenset({"b", "c"}), before, after) is None
    assert after_change(None, before, after, frozenset({"new"})) == {"b", "c"}  # It came back unasked.


@pytest.mark.slow
@given(st.data())
def test_no_ticks_lose_another_document(data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1))
    rows = rows_of(*ids)
    chosen = data.draw(st.none() | st.frozensets(st.sampled_from(ids)))
    expected = set(ids if chosen is None else chosen)
    for one, is_ticked in data.draw(st.lists(st.tuples(st.sampled_from(ids), st.booleans()))):
        chosen = after_tick(chosen, one, is_ticked, rows)
        expected = expected | {one} if is_ticked else expected - {one}
    assert set(ticked(chosen, rows)) == expected
    assert chosen is None or chosen < set(ids) or expected == set(ids)


def told(rows: Any, chosen: frozenset[str] | None, wanted: str = "") -> str:
    """The line over the list, without its tags."""
    return re.sub("<.*?>", "", document_list(rows, chosen, wanted).partition("</p>")[0])


def test_the_line_counts_texts_and_tells_of_those_not_shown() -> None:
    rows = [*rows_of("a", "b"), Row("b", "copy.txt", "Copy", 2, True)]
    assert told(rows, None) == "Asked: 2 of 2 documents."
    assert told(rows, frozenset("b"), "a.txt") == (
        "Asked: 1 of 2 documents. 1 of them is listed; type words of a title to find others."
    )
    assert 'data-elsewhere="1">1<' in document_list(rows, frozenset("b"), "a.txt")
    assert told(rows[:1], None) == "Asked: 1 of 1 document."


def test_titles_are_text_and_what_cannot_be_removed_has_no_button() -> None:
    shown_as = document_list([Row('"<', "a.txt", "<b>'A'\ntitle" + "x" * 200, 1, False)], frozenset(), "")
    assert "<b>" not in shown_as and 'value="&quot;&lt;"' in shown_as and "checked" not in shown_as
    assert "&lt;b&gt;&#x27;A&#x27; title" in shown_as and "x" * 100 not in shown_as
    assert 'data-action="discard"' not in shown_as and 'data-action="read"' in shown_as


def test_what_was_added_is_told_with_what_it_lacks_and_says() -> None:
    quote = Citation(1, "fish", "", "Fish", 0, 9, "Fish <swim>.")
    said = say_added("fish.txt", Changed((), ROWS, (FISH,)), [quote])
    assert re.findall(">(.*?)</p>", said) == ["“Fish” is added: 2 passages.", "“Fish &lt;swim&gt;.”"]
    said = say_added("many.jsonl", Changed(("'/srv/store/many.jsonl#2' is no JSON.",), ROWS, (LACKING,) * 12))
    assert re.findall(">(.*?)</p>", said) == [
        "“many.jsonl” is added as 12 texts: 144 passages.",
        "Left out: &#x27;many.jsonl#2&#x27; is no JSON.",
        *["Left out of “Lease”: 2 pictures, 3 struck-out parts."] * 5,
    ]


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("'/srv/my store/documents/a.txt' is empty.", "'a.txt' is empty."),
        ('"C:\\store\\it\'s.txt" is empty.', '"it\'s.txt" is empty.'),
        ("'https://example.org/a/b' did not answer.", "'https://example.org/a/b' did not answer."),
        ("'a.exe' is of no type and/or kind; 'b' too.", "'a.exe' is of no type and/or kind; 'b' too."),
    ],
)
def test_files_are_named_without_their_folders(sentence: str, said: str) -> None:
    assert without_folders(sentence) == said and "/" not in name_of("/srv/data/a.txt")


def test_progress_of_unknown_length_has_no_number() -> None:
    assert say_step("a", Step("Reading", 0, 0)).endswith('>a: Reading …</p><progress  aria-label="Reading"></progress>')
    assert '<progress value="1" max="2"' in say_step("a", Step("Reading", 1, 2))


class FakeEditor(DocumentEditor):
    """Says that it added a fish, or what `error` is."""

    def __init__(self, settings: ServerSettings, error: Exception | None = None) -> None:
        super().__init__(settings)
        self.error = error
        self.got: list[tuple[str, ...]] = []

    def add_file(self, path: Path, name: str) -> Iterator[Step | Changed]:
        self.got.append((name, path.read_text()))
        return self._said(name)

    def add_text(self, title: str, text: str) -> Iterator[Step | Changed]:
        self.got.append((title, text))
        return self._said(title)

    def remove(self, doc_id: str) -> Iterator[Step | Changed]:
        self.got.append(("remove", doc_id))
        return self._said(doc_id)

    def _said(self, name: str) -> Iterator[Step | Changed]:
        if self.error and "bad" in name:
            raise self.error
        yield Step("Embedding passages", 1, 2)
        yield Changed((), (*ROWS, FISH), (replace(FISH, words=len(name) * 100),))


class Two(dict[str, Document]):
    def listed(self) -> list[Listed]:
        return [Listed(row.source, row.title, row.passages, row.doc_id) for row in ROWS]


def handlers(settings: ServerSettings, error: Exception | None = None) -> tuple[DocumentHandlers, FakeEditor]:
    editor = FakeEditor(settings, error)
    documents = Two(cat=Document("cat", "cat.txt", "Cat", "Cats sleep."))
    return DocumentHandlers(
        editor, lambda: documents, lambda ids: [Citation(1, "", "", "", 0, 1, f"Of {ids}.")]
    ), editor


def pressed(**data: object) -> gr.EventData:
    return gr.EventData(None, data)


def test_at_first_every_document_is_chosen(settings: ServerSettings) -> None:
    status, rows, chosen, listing = handlers(settings)[0].load()
    assert (status, rows, chosen) == (SKIP, ROWS, None)
    assert listing.count(" checked>") == 2 and listing == document_list(ROWS, None, "")


def test_the_list_is_drawn_after_a_tick_only_if_the_page_shows_something_else(settings: ServerSettings) -> None:
    page, _ = handlers(settings)
    assert page.tick(None, ROWS, "", pressed(document="cat", ticked=False, ticks=["dog"])) == ({"dog"}, SKIP)
    chosen, listing = page.tick(None, ROWS, "", pressed(document="cat", ticked=False, ticks=[]))
    assert chosen == {"dog"} and listing == document_list(ROWS, chosen, "")
    for strange in ({"document": 3}, {"ticks": ["x" * 65]}, {"ticks": ["x"] * 1001}, {}):
        assert page.tick(frozenset({"dog"}), ROWS, "", pressed(**strange))[0] == {"dog"}


def test_one_document_alone_is_chosen_at_once(settings: ServerSettings) -> None:
    page, _ = handlers(settings)
    only = pressed(document="cat", ticked=True, only=True)
    chosen, listing = page.tick(None, ROWS, "", only)
    assert chosen == {"cat"} and listing == document_list(ROWS, chosen, "") and "Ask only “Cat”" in listing
    assert "Ask only" not in document_list(ROWS[:1], None, "")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (None, ""),
        (frozenset({"cat"}), "Only “Cat” is asked. Ask all"),
        (frozenset({"cat", "dog"}), "Only 2 of 3 documents are asked. Ask all"),
        (frozenset(), "Only 0 of 3 documents are asked. Ask all"),
    ],
)
def test_it_is_said_which_documents_are_asked(chosen: frozenset[str] | None, said: str) -> None:
    assert re.sub("<.*?>", "", scope((*ROWS, FISH), chosen)) == said


def test_what_changed_meanwhile_is_kept_when_a_change_ends(settings: ServerSettings) -> None:
    rows, chosen, listing = handlers(settings)[0].renew(frozenset({"dog"}), (*ROWS, FISH), "", frozenset())
    assert (rows, chosen) == (ROWS, {"dog"}) and listing == document_list(ROWS, chosen, "")


def test_a_document_is_opened_and_an_unknown_one_changes_nothing(settings: ServerSettings) -> None:
    page, _ = handlers(settings)
    assert "Cats sleep." in page.read(pressed(document="cat")) and page.read(pressed(document="cow")) == SKIP


def test_of_several_files_one_that_fails_does_not_end_the_others(settings: ServerSettings, tmp_path: Path) -> None:
    write(tmp_path, {"1/pond.txt": "one", "bad.txt": "two", "2/pond.txt": "three"})
    paths = [tmp_path / name for name in ("1/pond.txt", "bad.txt", "2/pond.txt")]
    page, editor = handlers(settings, DocumentError("'/srv/x/bad.txt' is <empty>."))
    steps = list(page.files([{"path": str(path)} for path in paths]))
    assert editor.got == [("pond.txt", "one"), ("bad.txt", "two"), ("pond.txt", "three")]
    assert not any(path.exists() for path in paths)
    assert steps[-1] == (SKIP, None) and "Embedding passages, 1 of 2" in steps[0][0]
    last = steps[-2][0]
    assert last.count("“Fish” is added: 2 passages.") == 2 and last.count("Of [&#x27;fish&#x27;].") == 2
    assert ">&#x27;bad.txt&#x27; is &lt;empty&gt;.</p>" in last and "/srv" not in last


def test_an_unforeseen_error_is_logged_and_said(settings: ServerSettings, caplog: pytest.LogCaptureFixture) -> None:
    page, _ = handlers(settings, KeyError("x"))
    with caplog.at_level(logging.ERROR):
        *_, last = page.text("bad", "text")
    assert "bad: something went wrong; the log tells what." in last[0] and last[1:] == (SKIP, SKIP)
    assert caplog.records[0].exc_info


def test_a_text_that_was_added_leaves_the_boxes(settings: ServerSettings) -> None:
    steps = list(handlers(settings)[0].text("Title", "text"))
    assert [step[1:] for step in steps] == [(SKIP, SKIP)] * 2 + [("", "")]


def test_of_a_short_text_no_sentence_is_told(settings: ServerSettings) -> None:
    assert "Of [" not in list(handlers(settings)[0].text("", "text"))[-2][0]


def test_a_removal_is_told_with_the_way_back_and_remembers_what_was_not_asked(settings: ServerSettings) -> None:
    page, editor = handlers(settings, DocumentError("No."))
    steps = list(page.remove(frozenset({"dog"}), ROWS, pressed(document="cat")))
    assert editor.got == [("remove", "cat")] and steps[0] == (SKIP, ROWS[0], {"cat"})
    assert "Removed “Cat”." in steps[-1][0] and 'data-action="restore"' in steps[-1][0]
    assert next(page.remove(None, ROWS, pressed(document="dog"))) == (SKIP, ROWS[1], frozenset())
    assert list(page.remove(None, ROWS, pressed(document="cow"))) == [] and list(page.restore(None)) == []
    refused = list(page.remove(None, (Row("bad", "b", "B", 1, True),), pressed(document="bad")))
    assert "No." in refused[-1][0] and "Undo" not in refused[-1][0]


def test_what_else_is_in_the_folder_is_told_when_the_page_opens(settings: ServerSettings) -> None:
    write(settings.data, {"cat.txt": "Cats.", "a.xlsx": "x"})
    page, editor = handlers(settings)
    assert ">Left out: 1 .xlsx file, whose kind is not read.</p>" in page.load()[0]
    write(settings.data, {"b.xlsx": "x"})
    assert editor.not_read() == ("1 .xlsx file, whose kind is not read",)  # It is looked at once a minute.


@pytest.mark.parametrize("is_open", [True, False])
def test_no_event_is_public_and_an_editor_that_is_off_has_none_that_change(
    settings: ServerSettings, is_open: bool
) -> None:
    with gr.Blocks() as page:
        documents_panel(DocumentEditor(settings.model_copy(update={"add_documents": is_open})), Two)  # type: ignore[arg-type]
    assert {fn.api_visibility for fn in page.fns.values()} == {"private"}
    changes = [fn for fn in page.fns.values() if fn.concurrency_id == "documents"]
    assert len(changes) == (4 if is_open else 0)


# In the browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT * 1000)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())


@pytest.fixture(params=[WIDE, PHONE], ids=["1280", "390"])
def page(request: pytest.FixtureRequest, settings: ServerSettings, chromium: Browser) -> Iterator[Page]:
    """The whole page over a real index of two documents, with the documents open in the sidebar."""
    write(settings.data, {"cat.txt": "The black cat sleeps.", "dog.txt": "A dog eats."})
    publish(settings.index, settings.data)
    settings = settings.model_copy(update={"port": 0, "per_minute": 0})
    bot = chatbot(settings, open_index(settings.index, EMBEDDER), ScriptedModel(responses=["It eats."]))
    complaints: list[str] = []
    with Store(settings.store / FILE) as store, listen(settings) as listener:
        server = make_server(make_app(bot, store, settings, TopicEmbedder, bot.refresh))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        width, height = request.param
        tab = chromium.new_page(viewport={"width": width, "height": height})
        tab.on("console", lambda message: complaints.extend([message.text] if message.type == "error" else []))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto("http://127.0.0.1:{1}/".format(*listener.getsockname()))
        tab.locator("#question textarea").wait_for()
        yield tab
        tab.close()
        server.should_exit = True
        thread.join(WAIT)
    assert complaints == []


def open_documents(page: Page) -> None:
    page.locator("#sidebar .toggle-button").click()
    page.get_by_role("tab", name="Documents").click()
    expect(boxes(page)).to_have_count(2)


def boxes(page: Page) -> Locator:
    return page.get_by_role("group", name="Documents to ask").get_by_role("checkbox")


def status(page: Page) -> Locator:
    return page.get_by_role("status", name="Documents")


def is_counted(page: Page, asked: int, of: int) -> None:
    expect(page.locator("#documents-list p.quiet").first).to_contain_text(f"Asked: {asked} of {of} documents.")


def is_asked(page: Page, titles: set[str]) -> None:
    """Ask, and see in which documents something was found."""
    before, window = page.locator("#chat .reply").count(), page.viewport_size
    is_covered = window is not None and window["width"] < 768  # by the sidebar
    if is_covered:
        page.locator("#sidebar .toggle-button").click()
    page.locator("#question textarea").fill(f"What does the cat eat {before}?")
    page.locator("#question textarea").press("Enter")
    expect(page.locator("#chat .reply")).to_have_count(before + 1)
    expect(page.locator("#chat .reply").last).to_have_attribute("data-busy", "false")
    expect(page.locator("#source .document h2")).to_have_text(sorted(titles))
    if is_covered:
        page.locator("#sidebar .toggle-button").click()


@pytest.mark.browser
def test_the_count_is_that_of_the_ticks_at_once_and_these_are_asked(page: Page) -> None:
    open_documents(page)
    is_counted(page, 2, 2)
    expect(boxes(page).first).to_have_css("appearance", "auto")  # Gradio's style hides the tick of a box.
    page.evaluate("window.asked = () => document.querySelector('[data-elsewhere]').textContent")
    boxes(page).first.focus()
    for _ in range(4):
        at_once = page.evaluate(
            "() => { const box = document.activeElement; box.click();"
            " return [window.asked(), String(document.querySelectorAll('#documents-list input:checked').length)]; }"
        )
        assert at_once[0] == at_once[1]
    boxes(page).first.press("Space")
    is_counted(page, 1, 2)
    expect(boxes(page).first).to_be_focused()
    is_asked(page, {"Dog"})
    page.get_by_role("button", name="Ask none").click()
    is_counted(page, 0, 2)
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
    page.get_by_label("Find a document").fill("dog")
    expect(boxes(page)).to_have_count(1)
    boxes(page).first.press("Space")
    is_counted(page, 1, 2)
    page.get_by_label("Find a document").fill("")
    expect(boxes(page)).to_have_count(2)
    assert [box.is_checked() for box in boxes(page).all()] == [False, True]
    page.locator("#documents").get_by_role("button", name="Ask all").click()
    is_counted(page, 2, 2)


@pytest.mark.browser
def test_above_the_question_it_is_said_what_is_asked_and_all_are_asked_again(page: Page) -> None:
    open_documents(page)
    page.get_by_role("button", name="Ask only “Dog”").click()
    is_counted(page, 1, 2)
    expect(page.locator("#scope")).to_contain_text("Only “Dog” is asked.")
    boxes(page).first.press("Space")
    expect(page.locator("#scope p")).to_have_count(0)
    page.get_by_role("button", name="Ask only “Cat”").click()
    page.locator("#sidebar.open .toggle-button").click()
    page.locator("#scope").get_by_role("button", name="Ask all").click()
    expect(page.locator("#scope p")).to_have_count(0)
    open_documents(page)
    is_counted(page, 2, 2)


@pytest.mark.browser
def test_documents_are_added_and_removed_and_come_back(page: Page, settings: ServerSettings) -> None:
    open_documents(page)
    boxes(page).first.press("Space")
    page.get_by_role("button", name="Add documents").click()
    files = [("pond.txt", b"Fish swim in the pond."), ("bad.exe", b"x"), ("<i>.txt", b" ")]
    page.locator("#documents-files input[type=file]").set_input_files(
        [{"name": name, "mimeType": "text/plain", "buffer": content} for name, content in files]
    )
    expect(status(page)).to_contain_text("“Pond” is added: 1 passage.")
    expect(status(page)).to_contain_text("'bad.exe' is not of a type that can be read; add a file of .txt,")
    expect(status(page)).to_contain_text("'i.txt' is empty; put text in it or leave it out.")
    expect(boxes(page)).to_have_count(3)
    is_counted(page, 2, 3)

    page.get_by_label("Title of a text to add").fill("NATO summit")
    page.get_by_label("The text", exact=True).fill("A fish eats.")
    page.get_by_role("button", name="Add the text").click()
    expect(status(page)).to_contain_text("“NATO summit” is added: 1 passage.")
    expect(page.get_by_label("The text", exact=True)).to_have_value("")
    assert page.get_by_label("Web address to add").count() == 0
    expect(boxes(page)).to_have_count(4)
    boxes(page).nth(3).uncheck()
    is_counted(page, 2, 4)

    for title in ("Pond", "Cat"):  # added here, named when the index was made
        page.get_by_role("button", name=f"Remove “{title}”").press("Enter")
        expect(status(page)).to_contain_text(f"Removed “{title}”.")
        expect(boxes(page)).to_have_count(3)
        expect(status(page).get_by_role("button", name="Undo")).to_be_focused()
        page.keyboard.press("Enter")
        expect(status(page)).to_contain_text(f"“{title}” is back.")
        expect(boxes(page)).to_have_count(4)
    expect(page.get_by_role("checkbox", name="Cat")).not_to_be_checked()
    assert {path.name for path in (settings.store / "documents").iterdir()} == {"NATO summit.md", "pond.txt"}
    assert str(settings.store) not in page.locator("#documents").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
    found = Axe().run(page, context="#documents", options={"rules": {"color-contrast": {"enabled": False}}})
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]] == []


@pytest.mark.browser
def test_a_document_is_opened_from_its_beginning(page: Page) -> None:
    open_documents(page)
    page.get_by_role("button", name="Open “Dog”").press("Enter")
    expect(page.locator("#source .document")).to_have_count(1)
    expect(page.locator("#source .text")).to_have_text("A dog eats.")
    expect(page.locator("#right")).to_be_in_viewport()
    expect(page.locator("#source .document")).to_be_focused()


@pytest.mark.browser
def test_files_dropped_anywhere_are_added(page: Page) -> None:
    dropped = page.evaluate(
        """() => {
            const data = new DataTransfer();
            for (const name of ["pond.txt", "lake.txt"]) data.items.add(new File([`Fish swim in the ${name}.`], name));
            const at = document.querySelector("#question");
            const send = (kind) => at.dispatchEvent(
                new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
            return [send("dragover"), send("drop")];
        }"""
    )
    assert dropped == [False, False]  # The browser itself would leave the page and show the file.
    expect(status(page)).to_contain_text("“Pond” is added: 1 passage.")
    expect(status(page)).to_contain_text("“Lake” is added: 1 passage.")
    expect(boxes(page)).to_have_count(4)
    expect(status(page)).to_be_in_viewport()
