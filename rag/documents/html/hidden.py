"""Which parts of a page nobody sees, and which hidden ones a reader can open."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

NEVER = frozenset(
    {"head", "script", "style", "template", "iframe", "svg", "object", "embed", "canvas", "audio", "video", "map"}
)
"""Tags whose content no page shows as its text."""
_STRUCK = frozenset({"del", "s", "strike"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_HIDES = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)
_SIZELESS = re.compile(
    r"font-size\s*:\s*0(?:\.0)?(?:px|pt|r?em|%)?\s*(?:!|;|$)|(?:^|;)\s*color\s*:\s*transparent", re.IGNORECASE
)
_STRIKES = re.compile(r"text-decoration(?:-line)?\s*:[^;]{0,80}line-through", re.IGNORECASE)
_COLOUR = re.compile(r"(?:^|;)\s*(background(?:-color)?|color)\s*:\s*([^;!]{1,40})", re.IGNORECASE)
_WHITE = frozenset({"white", "#fff", "#ffffff", "rgb(255,255,255)", "rgba(255,255,255,1)"})
_NO_NAME = re.compile(r"[^\w-]+")
_BRACE = re.compile(r"([{}])")
_BY_CLASS = re.compile(r"[a-z0-9]{0,10}\.([\w-]{1,60})")
_PANEL = re.compile(
    r"accordion|collaps|tab-?pan|tab-?content|faq|toggle|panel|expand|spoiler|answer|(?:show|read|view)-?more|fold",
    re.IGNORECASE,
)
_NO_PANEL = re.compile(
    r"menu|\bnav|dropdown|modal|popup|pop-up|popover|tooltip|dialog|overlay|search|login|lightbox|share|cookie|consent",
    re.IGNORECASE,
)
_NO_PANEL_ROLES = frozenset(
    {"menu", "menubar", "dialog", "alertdialog", "alert", "listbox", "tooltip", "navigation", "search"}
)
_SCRIPT_WANTED = re.compile(r"java\s?script|browser", re.IGNORECASE)
_SHORT = 300
"""Letters of a request to switch on JavaScript, at most."""


def judge_of(page: "BeautifulSoup", tags: "Iterable[Tag]") -> "Judge":
    """The judge of all tags of `page`."""
    struck, hidden, nested_numbers = _style_sheets(page)
    return Judge(struck, hidden, _controlled(tags), _letters(page), nested_numbers)


def _style_sheets(page: "BeautifulSoup") -> tuple[set[str], set[str], bool]:
    """The classes that strike out, those that hide, and whether lists count as 1.1."""
    struck: set[str] = set()
    hidden: set[str] = set()
    shown: set[str] = set()
    nested_numbers = False
    for sheet in page.find_all("style"):
        style = sheet.string or ""
        nested_numbers |= "counters(" in style
        for selectors, rules in _rules(style):
            classes = {found[1] for one in selectors.split(",") if (found := _BY_CLASS.fullmatch(one.strip()))}
            if _STRIKES.search(rules):
                struck |= classes
            if _HIDES.search(rules):
                hidden |= classes
            elif "display" in rules or "visibility" in rules:
                shown |= set(_NO_NAME.split(selectors))
    return struck, hidden - shown, nested_numbers


def _rules(style: str) -> "Iterator[tuple[str, str]]":
    """The selectors and declarations that hold for every medium."""
    style = "".join(part.split("*/", 1)[-1] if at else part for at, part in enumerate(style.split("/*")))
    depth, outside, selectors = 0, 0, ""
    for part in _BRACE.split(style):
        if part in "{}" and part:
            depth = max(0, depth + (1 if part == "{" else -1))
            outside = 0 if depth < outside else outside
        elif "@" in part and not outside:
            outside = depth + 1
        elif depth == 0:
            selectors = part
        elif depth == 1 and not outside:
            yield selectors, part


def _controlled(tags: "Iterable[Tag]") -> set[str]:
    """The ids of the parts that a button or a tab opens."""
    ids: set[str] = set()
    for tag in tags:
        for name in ("aria-controls", "data-target", "data-bs-target"):
            ids.update(part.lstrip("#") for part in str(tag.get(name) or "").split())
        if tag.name == "a" and (
            tag.has_attr("data-toggle") or tag.has_attr("aria-expanded") or tag.get("role") in {"tab", "button"}
        ):
            ids.add(str(tag.get("href") or "").lstrip("#"))
    return ids


@dataclass(frozen=True)
class Judge:
    """Whether a tag of one page can be seen.

    It knows the classes of the style sheets, the ids of parts that open, and all letters of the page;
    `nested_numbers` tells that its lists number their nested items 1.1.
    """

    struck: set[str]
    hidden: set[str]
    controlled: set[str]
    letters: int
    nested_numbers: bool

    def why_unseen(self, tag: "Tag") -> str | None:
        """What kind of words it hides, empty for none; None if it can be seen."""
        name = tag.name
        if name in NEVER and not (name == "template" and tag.has_attr("shadowrootmode")):
            return ""
        if name == "noscript":
            return None if _replaces_script(tag) else ""
        if name == "button":
            return None if _opens(tag) else ""
        classes = set(tag.get_attribute_list("class"))
        style = str(tag.get("style") or "")[:1_000]
        if name in _STRUCK or classes & self.struck or (style and _STRIKES.search(style)):
            return "struck-out part"
        if tag.has_attr("hidden") or classes & self.hidden or (style and _HIDES.search(style)):
            if not (self._opens_later(tag) or self._shown_by_script(tag)):
                return _kind_of_hidden(tag)
            for mark in ("hidden", "style", "aria-hidden"):
                del tag[mark]
            if tag.name in {"div", "section", "p"}:
                tag.name = "details"
        if style and ((_SIZELESS.search(style) and tag.find(True) is None) or _white_on_white(tag)):
            return "hidden part"
        return None

    def _opens_later(self, tag: "Tag") -> bool:
        """Whether it is the panel of an accordion or tab that a reader can open."""
        parents = [*zip(range(8), tag.parents, strict=False)]
        around = [parent for _, parent in parents]
        said = " ".join([*map(str, tag.get_attribute_list("class")), str(tag.get("id") or "")])
        role = str(tag.get("role") or "")
        if (
            role in _NO_PANEL_ROLES
            or _NO_PANEL.search(said)
            or any(one.name in {"nav", "footer", "form"} for one in around)
        ):
            return False
        if _linked(tag) > 0.6:
            return False
        if tag.get("id") in self.controlled or role == "tabpanel" or tag.get("hidden") == "until-found":
            return True
        if tag.name == "dd" or (around and around[0].name == "details"):
            return True
        if any(_PANEL.search(" ".join(map(str, one.get_attribute_list("class")))) for one in [tag, *around[:3]]):
            return True
        before = tag.find_previous_sibling(True)
        return before is not None and (
            before.name == "button"
            or before.find("button") is not None
            or before.has_attr("aria-expanded")
            or before.get("role") == "button"
        )

    def _shown_by_script(self, tag: "Tag") -> bool:
        """Whether it holds so much of the page that a script must show it."""
        return _letters(tag) * 2 > self.letters or "animation" in str(tag.get("style"))


def _kind_of_hidden(tag: "Tag") -> str:
    said = " ".join(map(str, [*tag.get_attribute_list("class"), tag.get("id") or "", tag.get("role") or ""]))
    around = {parent.name for _, parent in zip(range(20), tag.parents, strict=False)}
    idle = _NO_PANEL.search(said) or around & {"nav", "footer", "form", "header", "aside"} or _linked(tag) > 0.3
    return "" if idle or tag.name in {"nav", "form", "input", "ul"} else "hidden part"


def _linked(tag: "Tag") -> float:
    """The share of its letters that are links."""
    return sum(_letters(link) for link in tag.find_all("a")) / max(1, _letters(tag))


def _opens(button: "Tag") -> bool:
    """Whether the button is the title of a panel."""
    around = {parent.name for _, parent in zip(range(20), button.parents, strict=False)}
    if around & {"nav", "footer", "form"}:
        return False
    return bool(around & _HEADINGS) or any(
        button.has_attr(name) for name in ("aria-expanded", "aria-controls", "data-bs-target", "data-target")
    )


def _replaces_script(tag: "Tag") -> bool:
    """Whether a <noscript> holds text of the page, and not only the request for JavaScript."""
    text = tag.get_text(" ", strip=True)
    return bool(text) and not (len(text) < _SHORT and _SCRIPT_WANTED.search(text))


def _white_on_white(tag: "Tag") -> bool:
    """Whether its own style, and no class, gives it the colour of its ground."""
    given = {name.lower()[:5]: "".join(value.split()).lower() for name, value in _COLOUR.findall(str(tag.get("style")))}
    colour, ground = given.get("color"), given.get("backg")
    if colour is None:
        return False
    if ground is not None:
        return ground == colour or {ground, colour} <= _WHITE
    if colour not in _WHITE or tag.has_attr("class"):
        return False
    return not any(
        parent.has_attr("class")
        or parent.has_attr("id")
        or parent.has_attr("bgcolor")
        or "background" in str(parent.get("style"))
        for parent in tag.parents
    )


def _letters(tag: "Tag") -> int:
    return sum(len(string.strip()) for string in tag.strings)
