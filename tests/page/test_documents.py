"""The drawer of the documents: its handlers, and all of it in headless Chromium."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from browser import FLAGS, WAIT
from fakes import TopicEmbedder, publish, write
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect, sync_playwright

from chat_app import listen
from rag.errors import DocumentError, QuestionError, RagError
from rag.index.health import verify
from rag.index.index import open_index
from rag.page.documents import (
    SHOWN,
    DocumentHandlers,
    after_change,
    after_ticking,
    asked,
    choice_line,
    documents_drawer,
    label,
    lacks,
    say,
    shown,
    ticked,
)
from rag.page.editor import Changed, DocumentEditor, Row, Step
from rag.settings import Settings
from rag.types import Listed

ROWS = tuple(Row(one, f"{one}.txt", one.title(), 1, True) for one in ("cat", "dog"))
FISH = Row("fish", "fish.txt", "Fish", 1, True)
SKIP = gr.skip()


def rows_of(*ids: str) -> list[Row]:
    return [Row(one, f"data/{one}.txt", f"About {one}", 2, True) for one in ids]


def test_a_choice_of_nothing_is_said_and_of_everything_is_none() -> None:
    assert asked(None) == () and asked({"b", "a"}) == ("a", "b")
    with pytest.raises(QuestionError, match="choose at least one"):
        asked(frozenset())


def test_the_first_rows_that_hold_all_words_are_shown_each_text_once() -> None:
    rows = [*rows_of("cats", "dogs"), Row("cats", "copy/cats.txt", "Copy of cats", 2, True)]
    assert shown(rows, "") == rows[:2]
    assert shown(rows, " DATA about ") == rows[:2]
    assert shown(rows, "copy") == rows[2:] and shown(rows, "cats dogs") == []
    many = rows_of(*(f"n{number:03}" for number in range(SHOWN + 5)))
    assert shown(many, "") == many[:SHOWN] and shown(many, str(SHOWN + 4)) == many[-1:]
    assert shown(rows, "cats " * 200_000) == shown(rows, "cats")  # No more is looked for than a title has.


def test_a_row_is_one_line() -> None:
    assert label(Row("a", "a.txt", "A\ntitle", 1, True)) == "A title (a.txt, 1 passage)"
    long = label(Row("a", "folder/" * 20 + "end.txt", "T" * 200, 1200, True))
    assert long.startswith("T" * 80 + " … (… ") and long.endswith("folder/end.txt, 1,200 passages)")
    assert len(long) < 170


def test_ticking_changes_what_is_seen_and_nothing_else() -> None:
    rows = rows_of("a", "b", "c")
    seen = rows[:2]
    assert ticked(None, seen) == ["a", "b"]
    chosen = after_ticking(None, ["a"], seen, rows)
    assert chosen == {"a", "c"} and ticked(chosen, rows) == ["a", "c"]
    assert after_ticking(chosen, ["a", "b"], seen, rows) is None
    assert after_ticking(frozenset(), [], seen, rows) == frozenset()


def test_new_documents_are_asked_and_gone_ones_are_forgotten() -> None:
    before, after = rows_of("a", "b", "c"), rows_of("b", "c", "new")
    assert after_change(None, before, after) is None
    assert after_change(frozenset({"a", "b"}), before, after) == {"b", "new"}
    assert after_change(frozenset({"b", "c"}), before, after) is None


def test_the_line_counts_texts_and_tells_of_those_not_shown() -> None:
    rows = rows_of("a", "b")
    assert choice_line(None, rows, rows) == "Asked: 2 documents."
    assert choice_line(frozenset("a"), rows[:1], rows) == (
        "Asked: 1 of 2 documents. 1 of them is listed; type words of a title to find others."
    )
    assert choice_line(None, rows[:1], rows[:1]) == "Asked: 1 document."


@pytest.mark.slow
@given(st.data())
def test_no_way_of_ticking_loses_what_is_not_seen(data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1))
    rows = rows_of(*ids)
    seen = [row for row in rows if data.draw(st.booleans())]
    chosen = data.draw(st.none() | st.frozensets(st.sampled_from(ids)))
    ticks = [row.doc_id for row in seen if data.draw(st.booleans())]
    after = after_ticking(chosen, ticks, seen, rows)
    assert ticked(after, seen) == ticks
    unseen = [row for row in rows if row not in seen]
    assert ticked(after, unseen) == ticked(chosen, unseen)
    assert after is None or after < set(ids)


class FakeEditor(DocumentEditor):
    """Says that it added a fish, or what `error` is."""

    def __init__(self, settings: Settings, error: Exception | None = None) -> None:
        super().__init__(settings)
        self.error = error
        self.got: list[tuple[str, ...]] = []

    def add_file(self, path: Path, name: str) -> Iterator[Step | Changed]:
        self.got.append((name, path.read_text()))
        return self._said(name)

    def add_text(self, title: str, text: str) -> Iterator[Step | Changed]:
        self.got.append((title, text))
        return self._said(title)

    def _said(self, name: str) -> Iterator[Step | Changed]:
        if self.error and "bad" in name:
            raise self.error
        yield Step("Embedding passages", 1, 2)
        yield Changed("Indexed 3 documents.", ("'<b>' is broken.",), (*ROWS, FISH))


def handlers(settings: Settings, error: Exception | None = None) -> tuple[DocumentHandlers, FakeEditor]:
    editor = FakeEditor(settings, error)

    class Two:
        def listed(self) -> list[Listed]:
            return [Listed(row.source, row.title, row.passages, row.doc_id) for row in ROWS]

    return DocumentHandlers(editor, Two), editor


def test_at_first_every_document_is_chosen(settings: Settings) -> None:
    status, rows, chosen, ticks, line, gone = handlers(settings)[0].load()
    assert (status, rows, chosen) == (SKIP, ROWS, None)
    assert ticks["choices"] == [("Cat (cat.txt, 1 passage)", "cat"), ("Dog (dog.txt, 1 passage)", "dog")]
    assert ticks["value"] == ["cat", "dog"] and "Asked: 2 documents." in line
    assert [source for _, source in gone["choices"]] == ["cat.txt", "dog.txt"]


def test_of_several_files_one_that_fails_does_not_end_the_others(settings: Settings, tmp_path: Path) -> None:
    write(tmp_path, {"1/pond.txt": "one", "bad.txt": "two", "2/pond.txt": "three"})
    paths = [tmp_path / name for name in ("1/pond.txt", "bad.txt", "2/pond.txt")]
    page, editor = handlers(settings, DocumentError("'bad.txt' is <empty>."))
    steps = list(page.files([{"path": str(path)} for path in paths], frozenset({"cat"}), ROWS, ""))
    assert editor.got == [("pond.txt", "one"), ("bad.txt", "two"), ("pond.txt", "three")]
    assert not any(path.exists() for path in paths)
    assert all(len(step) == 7 for step in steps) and steps[-1][-1] is None
    assert '<progress value="1" max="2" aria-label="Embedding passages">' in steps[0][0]
    assert (steps[1][1], steps[1][2]) == ((*ROWS, FISH), {"cat", "fish"})
    assert steps[-2][0].count("Indexed 3 documents.") == 2
    assert "<p>&#x27;bad.txt&#x27; is &lt;empty&gt;.</p>" in steps[-2][0] and "<b>" not in steps[-2][0]


def test_an_unforeseen_error_is_logged_and_said(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    page, _ = handlers(settings, KeyError("x"))
    with caplog.at_level(logging.ERROR):
        *_, last = page.text("bad", "text", None, ROWS, "")
    assert "bad: something went wrong; the log tells what." in last[0] and last[1:] == (SKIP,) * 7
    assert caplog.records[0].exc_info


def test_a_text_that_was_added_leaves_the_boxes(settings: Settings) -> None:
    steps = list(handlers(settings)[0].text("Title", "text", None, ROWS, ""))
    assert [step[-2:] for step in steps] == [(SKIP, SKIP), ("", ""), (SKIP, SKIP)]


def test_progress_of_unknown_length_has_no_number() -> None:
    assert say(step=Step("Reading", 0, 0), of="a") == '<p>a: Reading …</p><progress  aria-label="Reading"></progress>'


@pytest.mark.parametrize("is_open", [True, False])
def test_no_event_is_public_and_an_editor_that_is_off_has_none_that_change(settings: Settings, is_open: bool) -> None:
    with gr.Blocks() as page:
        documents_drawer(DocumentEditor(settings.model_copy(update={"add_documents": is_open})), dict)  # type: ignore[arg-type]
    assert {fn.api_visibility for fn in page.fns.values()} == {"private"}
    changes = [fn for fn in page.fns.values() if fn.concurrency_id == "documents"]
    assert len(changes) == (3 if is_open else 0)


@pytest.fixture
def page(settings: Settings) -> Iterator[Page]:
    """The drawer alone, over a real index of two documents, with a button that shows what would be asked."""
    write(settings.data, {"cat.txt": "The black cat sleeps.", "dog.txt": "A dog eats."})
    publish(settings.index, settings.data)
    editor = DocumentEditor(settings.model_copy(update={"port": 0}), TopicEmbedder, verify)

    def show(chosen: frozenset[str] | None) -> str:
        try:
            return f"{len(asked(chosen))} asked"
        except RagError as error:
            return str(error)

    with gr.Blocks(title="Documents", analytics_enabled=False) as blocks:
        drawer = documents_drawer(editor, lambda: open_index(settings.index, "all-MiniLM-L6-v2").documents)
        what, box = gr.Button("What is asked"), gr.Textbox(label="Asked")
        what.click(show, [drawer.chosen], [box], api_visibility="private")
    app = gr.mount_gradio_app(FastAPI(), blocks, path="/", ssr_mode=False, footer_links=[])
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    with listen(editor.settings) as listener, sync_playwright() as playwright:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        expect.set_options(timeout=WAIT * 1000)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())
        tab = browser.new_page(viewport={"width": 390, "height": 844})
        tab.goto("http://127.0.0.1:{1}/".format(*listener.getsockname()))
        expect(boxes(tab)).to_have_count(2)
        yield tab
        browser.close()
        server.should_exit = True
        thread.join(WAIT)


def boxes(page: Page) -> Any:
    return page.get_by_role("group", name="Documents to ask").get_by_role("checkbox")


def is_asked(page: Page, what: str) -> None:
    page.get_by_role("button", name="What is asked").click()
    expect(page.get_by_label("Asked", exact=True)).to_have_value(what)


@pytest.mark.browser
def test_documents_are_chosen_added_and_removed_as_a_user_does_it(page: Page, settings: Settings) -> None:
    status = page.get_by_role("status", name="Documents")
    is_asked(page, "0 asked")  # which is all
    boxes(page).first.focus()
    page.keyboard.press("Space")
    is_asked(page, "1 asked")
    page.get_by_role("button", name="Ask none").click()
    expect(page.get_by_text("Asked: 0 of 2 documents.")).to_be_visible()
    is_asked(page, "No document is chosen; open Documents and choose at least one.")

    files = [("pond.txt", b"Fish swim in the pond."), ("bad.exe", b"x"), ("<i>.txt", b" ")]
    page.locator("#documents-files input[type=file]").set_input_files(
        [{"name": name, "mimeType": "text/plain", "buffer": content} for name, content in files]
    )
    expect(status).to_contain_text("pond.txt: Indexed 3 documents, 3 passages, 0 skipped")
    expect(status).to_contain_text("'bad.exe' is not of a type that can be read; add a file of .txt,")
    expect(status).to_contain_text("is empty; put text in it or leave it out.")
    expect(boxes(page)).to_have_count(3)
    is_asked(page, "1 asked")

    page.get_by_label("Title of a text to add").fill("NATO summit")
    page.get_by_label("The text").fill("A fish eats.")
    page.get_by_role("button", name="Add the text").click()
    expect(status).to_contain_text("NATO summit: Indexed 4 documents")
    expect(page.get_by_label("The text")).to_have_value("")
    assert page.get_by_label("Web address to add").count() == 0

    page.get_by_label("Find a document").fill("nato")
    expect(boxes(page)).to_have_count(1)
    page.get_by_label("Document to remove").click()
    page.get_by_role("option").first.click()
    page.get_by_role("button", name="Remove …").click()
    expect(status).to_contain_text("Remove “store/documents/NATO summit.md” from the index?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("Indexed 3 documents")
    expect(page.get_by_label("Document to remove")).to_be_focused()
    expect(page.get_by_role("button", name="Yes, remove it")).to_be_hidden()
    page.get_by_label("Find a document").fill("")
    expect(boxes(page)).to_have_count(3)
    assert [path.name for path in (settings.store / "documents").iterdir()] == ["pond.txt"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    found = Axe().run(page, context="#documents", options={"rules": {"color-contrast": {"enabled": False}}})
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]] == []


LACKING = Row("lease", "lease.docx", "Lease", 12, True, ("2 pictures", "3 struck-out parts"))


def test_what_a_document_lacks_is_told_in_its_row_and_when_it_is_added() -> None:
    assert label(LACKING) == "Lease (lease.docx, 12 passages, without 2 pictures, 3 struck-out parts)"
    assert lacks([FISH, LACKING]) == ["Left out of “Lease”: 2 pictures, 3 struck-out parts."]
    many = lacks([LACKING] * 12)
    assert len(many) == 6 and many[-1] == "Parts of 7 more documents were left out, too."


def test_what_else_is_in_the_folder_is_told_when_the_page_opens(settings: Settings) -> None:
    write(settings.data, {"cat.txt": "Cats.", "a.xlsx": "x"})
    page, editor = handlers(settings)
    assert page.load()[0] == "<p>Left out: 1 .xlsx file, whose kind is not read.</p>"
    write(settings.data, {"b.xlsx": "x"})
    assert editor.not_read() == ("1 .xlsx file, whose kind is not read",)  # It is looked at once a minute.
