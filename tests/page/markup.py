"""HTML as a test reads it, and small turns to show."""

from html.parser import HTMLParser

import fakes

from rag.server.records import Turn, advance
from rag.types import Answer, Citation, Document, Hit

TEXT = "Anna <b>sailed</b> to Oslo. Ben stayed at home. Cleo sings & dances."
DOCUMENT = Document("d", "a/b.txt", "Title", TEXT)
DOCUMENTS = {"d": DOCUMENT}
VOID = {"input"}
"""Elements without an end."""
HOSTILE = """<img src=http://evil.example/x.png> <script>alert(1)</script>
<form action="https://evil.example"><input></form> [2]: https://evil.example
[click](javascript:alert(1)) **bold** $$x$$ ${1+1} {{value}} @children"""


def hit(start: int, end: int, document: Document = DOCUMENT) -> Hit:
    return fakes.hit(document, start, end)


def cite(number: int, quote: str) -> Citation:
    return fakes.cite(number, quote, DOCUMENT)


def asked(of: Answer, number: int = 1) -> Turn:
    return advance(Turn(number, "Q"), of)


class Reader(HTMLParser):
    """Collects the tags with their attributes, the text, and what each mark holds.

    What has one of the classes `skip` is left out of the text.
    """

    def __init__(self, source: str, skip: str = "") -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.marked: dict[str, str] = {}
        self._skip = set(skip.split())
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if any(self._skip & set((given.get("class") or "").split()) for _, given in self._open):
            return
        self.text += data
        for tag, given in self._open:
            if tag == "mark":
                of = given.get("data-of") or ""
                self.marked[of] = self.marked.get(of, "") + data

    def ids(self) -> list[str]:
        return [given["id"] or "" for _, given in self.tags if "id" in given]

    def links(self) -> list[str]:
        return [given["href"] or "" for tag, given in self.tags if tag == "a"]
