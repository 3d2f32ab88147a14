"""What a reader sees of a page: no hidden parts, equations and ruby as text."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.documents.html.hidden import NEVER, judge_of
from rag.documents.html.mathml import linear
from rag.documents.html.tables import open_layout_tables

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from bs4.element import PageElement

ONLY_WRAP = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins"}
    | {"kbd", "label", "mark", "nobr", "s", "samp", "small", "span", "strike", "strong", "time", "tt", "u", "var"}
)
"""Tags that leave no trace in the text."""
_TITLES = ["h1", "h2", "h3", "h4", "h5", "h6", "summary"]
_DEEPEST = 100
"""Levels of tags; deeper ones are replaced by their content."""
_MATH = re.compile(r"^(?:\w{1,20}:)?math$")
_ALIGNED = re.compile(r"vertical-align\s*:\s*(super|sub)\b", re.IGNORECASE)
_OF_NOTE = re.compile(
    r"\b(?:foot|end)?note(?:-?ref|_ref)|\breference\b|\bfn-?ref|\bfootnote\b|\bnoteref\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Seen:
    """How many parts were left out, by kind, and whether nested items count as 1.1."""

    left_out: Counter[str] = field(default_factory=Counter)
    nested_numbers: bool = False


def reduce_to_seen(page: "BeautifulSoup") -> Seen:
    """Remove from `page` what no reader sees, and prepare the rest for to_markdown."""
    _write_equations(page)
    _write_ruby(page)
    open_layout_tables(page)
    tags = page.find_all(True)
    _name_tabs(tags)
    judge = judge_of(page, tags)
    dropped: list[Tag] = []
    left_out: Counter[str] = Counter()
    gone: set[int] = set()
    for tag in tags:
        if id(tag.parent) in gone:
            gone.add(id(tag))
        elif (kind := judge.why_unseen(tag)) is not None:
            gone.add(id(tag))
            dropped.append(tag)
            if kind and tag.get_text(strip=True):
                left_out[kind] += 1
        else:
            if tag.name == "button" and not tag.find_parent(_TITLES):
                tag.name = "summary"
            _write_box(tag)
            _mark_raised(tag)
    without(dropped)
    return Seen(left_out, judge.nested_numbers)


def without(dropped: "Iterable[PageElement]", unwrapped: "Iterable[Tag]" = ()) -> None:
    """Remove the `dropped` tags and strings, and replace the `unwrapped` ones by their content.

    The strings around them are joined. The time of bs4's own methods for that grows with the
    square of the number of tags.
    """
    from bs4.element import NavigableString, PreformattedString

    drop = {id(tag): tag for tag in dropped}
    unwrap = {id(tag): tag for tag in unwrapped}
    gone = drop | unwrap
    parents = {id(tag.parent): tag.parent for tag in gone.values() if tag.parent and id(tag.parent) not in gone}
    for parent in parents.values():
        strings: list[str] = []
        waiting = parent.contents[::-1]
        while waiting:
            child = waiting.pop()
            if id(child) in unwrap and id(child) not in drop:
                waiting += unwrap[id(child)].contents[::-1]
            if id(child) in gone:
                child.extract()
            elif isinstance(child, NavigableString) and not isinstance(child, PreformattedString):
                strings.append(child.extract())
            else:
                if strings:
                    parent.append("".join(strings))
                    strings = []
                parent.append(child)
        if strings:
            parent.append("".join(strings))


def flatten(page: "BeautifulSoup") -> None:
    """Replace what is below the level _DEEPEST by its paragraphs: further steps climb.

    Tags that are never closed nest like that. bs4's own `unwrap` takes the square of the depth.
    """
    depths: dict[int, int] = {}
    deepest: dict[int, Tag] = {}
    for tag in page.find_all(True):
        depths[id(tag)] = depth = depths.get(id(tag.parent), 0) + 1
        if depth == _DEEPEST + 1 and tag.parent is not None:
            deepest[id(tag.parent)] = tag.parent
    for tag in deepest.values():
        paragraphs = [" ".join(text.split()) for text in _paragraphs(tag)]
        tag.clear()
        for text in filter(None, paragraphs):
            made = page.new_tag("p")
            made.string = text
            tag.append(made)


def _paragraphs(tag: "Tag") -> list[str]:
    """The texts in `tag`, parted at tags that do more than wrap."""
    from bs4.element import NavigableString, PreformattedString, Tag

    texts = [""]
    waiting: list[PageElement | None] = [*tag.contents[::-1]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Tag):
            if node.name not in NEVER and node.name not in {"nav", "footer"}:
                parts = [] if node.name in ONLY_WRAP else [None]
                waiting += [*parts, *node.contents[::-1], *parts]
        elif node is None:
            texts.append("")
        elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            texts[-1] += node
    return texts


def _name_tabs(tags: "Sequence[Tag]") -> None:
    """Move the name of each tab into the part that it opens."""
    tabs = [tag for tag in tags if tag.get("role") == "tab"]
    parts = {str(tag.get("id")): tag for tag in tags if tag.has_attr("id")} if tabs else {}
    for tab in tabs:
        names = [tab.get(name) for name in ("aria-controls", "data-bs-target", "data-target", "href")]
        part = next((parts[key] for name in names if name and (key := str(name).lstrip("#")) in parts), None)
        if part is not None and part is not tab and tab.name in {"button", "a", "li", "div", "span"}:
            title = copy(tab)
            title.name, title.attrs = "summary", {}
            part.insert(0, title)
            tab.clear()
            tab.name = "span"


def _write_box(tag: "Tag") -> None:
    """Make text of a box to tick."""
    if tag.name == "input" and tag.get("type") in {"checkbox", "radio"}:
        tag.name, tag.string = "span", "☒ " if tag.has_attr("checked") else "☐ "


def _mark_raised(tag: "Tag") -> None:
    """Make a <sup> of what is raised in another way, and tell references to notes."""
    style = tag.get("style")
    aligned = _ALIGNED.search(str(style)[:1_000]) if style else None
    if aligned and tag.name == "span":
        tag.name = "sup" if aligned[1].lower() == "super" else "sub"
    if tag.name == "a" and _is_reference(tag) and not tag.find_parent("sup") and len(tag.get_text(strip=True)) <= 5:
        if inner := tag.find("sup"):
            inner["role"] = "doc-noteref"
        else:
            tag.name, tag["role"] = "sup", "doc-noteref"
    elif tag.name == "sup":
        around = tag.parent if tag.parent and tag.parent.name == "a" else None
        linked = tag.find("a", href=True) or (
            around if around and around.get_text(strip=True) == tag.get_text(strip=True) else None
        )
        if linked or _is_reference(tag):
            tag["role"] = "doc-noteref"


def _is_reference(tag: "Tag") -> bool:
    said = " ".join(map(str, [*tag.get_attribute_list("class"), tag.get("role") or "", tag.get("epub:type") or ""]))
    return "noteref" in said or bool(_OF_NOTE.search(said))


def _write_equations(page: "BeautifulSoup") -> None:
    """Replace each <math> by its text, and remove what shows the same beside it."""
    for math in page.find_all(_MATH):
        if math.parent is None or math.find_parent(math.name):
            continue
        shown = math
        for _, parent in zip(range(4), [*math.parents], strict=False):
            if parent.name not in {"span", "mjx-container", "mjx-assistive-mml"} or _others(parent, shown):
                break
            shown = parent
        text, name = linear(math), "div" if math.get("display") == "block" else "span"
        shown.attrs = {}
        shown.name, shown.string = name, text


def _others(parent: "Tag", shown: "Tag") -> bool:
    """Whether it holds text besides `shown` that is not the same equation for the eye."""
    from bs4.element import Tag

    for child in parent.children:
        if isinstance(child, Tag):
            same = child is shown or child.get("aria-hidden") == "true" or child.name == "svg"
            if not same and child.get_text(strip=True):
                return True
        elif str(child).strip():
            return True
    return False


def _write_ruby(page: "BeautifulSoup") -> None:
    """The words, then how they are read, in brackets."""
    for ruby in page.find_all("ruby"):
        words: list[str] = []
        read: list[str] = []
        for string in ruby.find_all(string=True):
            over = string.find_parent(["rt", "rtc", "rp", "ruby"])
            if over is not None and over.name != "rp":
                (words if over.name == "ruby" else read).append(string.strip())
        reading = ("" if any(not part.isascii() for part in read) else " ").join(filter(None, read))
        ruby.name, ruby.string = "span", "".join(words) + (f"({reading})" if reading else "")
