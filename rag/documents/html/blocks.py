"""The blocks of a page's text, and what their tags and words tell."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.documents.html.seen import ONLY_WRAP

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from bs4.element import NavigableString

INSIDE = ONLY_WRAP | {"sup", "sub", "q", "br", "wbr", "img", "button", "input"}
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CAPTIONS = frozenset({"figcaption", "caption"})
PARTS = frozenset({"ul", "ol", "dl", "table", "details", "pre"})
"""What may follow the last paragraph that trafilatura takes."""
TITLES = HEADINGS | {"summary"}
_ITEMS = frozenset({"li", "td", "th", "h1", "dt", "dd"})
_AROUND = frozenset({"nav", "footer", "form", "menu", "dialog", "select"})
_AROUND_ROLES = frozenset({"navigation", "contentinfo", "search", "dialog", "alertdialog", "menu"})
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OTHER = re.compile(
    r"(?<![a-z])(?:related|recommend|newsletter|next-?(?:story|post)|more-about|read-?(?:more|also|next)|sidebar|rec-post|"
    r"newsteaser|most-?(?:read|popular)|similar|footer(?![a-z])|nav(?![a-z])|copyright|subscri|teaser-?list|promo|advert|"
    r"siehe-auch|share(?![a-z])|social|outbrain|taboola|author-?(?:box|bio|info)|about-?author|comment|cookie|consent|"
    r"bread-?crumb|pagination)"
)
"""Names of parts that belong to no article, even where trafilatura takes them."""
_BESIDE = re.compile(
    r"(?<![a-z])(?:kommentar|commentaire|comentario|respond(?![a-z])|repl(?:y|ies)|shar(?:e|ing)|side-bar|widget|"
    r"ads?(?![a-z])|werbung|anzeige|sponsor|footer|navi|navbar|navbox|menu|author|byline|meta(?![a-z])|tags?(?![a-z])|"
    r"tag-?list|popular|trending|login|sign-?(?:up|in)|register|paywall|poll(?![a-z])|rating|credits?(?![a-z])|banner|"
    r"modal|popup|overlay|disclaimer|toolbar|pager|print-?only|rubrik|dateline|kicker|timestamp|datum|date(?![a-z])|"
    r"donat|spenden|more(?![a-z])|next(?![a-z])|prev(?![a-z])|gallery|slider|carousel|search|hidden|toc(?![a-z])|infobox|"
    r"skip|sr-only|visually)"
)
"""Names of parts that are filled in from nowhere; trafilatura knows better when to take them."""
LONG = 80
"""Letters of a paragraph that is hardly a menu's or a button's."""
_VAGUE = frozenset({"div", "section", "h2", "h3", "h4", "h5", "h6", "form"})
_SENTENCE = 25
_ENDS = (".", "!", "?", "。", "！", "？", "।", "؟", "۔")
LINKED = 0.35
_ONLY_LINK = 0.65
_CREDIT = re.compile(
    r"©|\(c\)|foto|photo|quelle|source|fuente|(?<![a-z])(?:bild|image|picture|credit|copyright|getty|shutterstock|reuters|afp|dpa|apa|efe|ap)(?![a-z])",
    re.IGNORECASE,
)
"""Who made a picture; a caption that tells it is one of a photograph."""
_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")


@dataclass(eq=False)
class Block:
    """Strings that stand together in a tag, the first of `path`; all above it follow."""

    path: "tuple[Tag, ...]"
    strings: "list[NavigableString]" = field(default_factory=list)
    text: str = ""
    letters: int = 0
    linked: int = 0
    words: str = ""
    taken: bool = False

    @property
    def plain(self) -> bool:
        """Whether few of its letters are links."""
        return self.linked <= LINKED * self.letters


def page_blocks(page: "BeautifulSoup") -> list[Block]:
    from bs4.element import NavigableString

    blocks: list[Block] = []
    paths: dict[int, tuple[Tag, ...]] = {}
    for string in (page.body or page).find_all(string=True):
        if type(string) is not NavigableString or not string.strip():
            continue
        tag, linked = string.parent, False
        assert tag is not None
        while tag.name in INSIDE and tag.parent is not None:
            linked |= tag.name == "a" and not str(tag.get("href") or "#").startswith("#")
            tag = tag.parent
        if not blocks or blocks[-1].path[0] is not tag:
            if id(tag) not in paths:
                paths[id(tag)] = (tag, *tag.parents)
            blocks.append(Block(paths[id(tag)]))
        block, letters = blocks[-1], len(string.strip())
        block.strings.append(string)
        block.linked += letters if linked else 0
    for block in blocks:
        block.text = " ".join("".join(block.strings).split())
        block.letters = len(block.text) + 2 * len(_WIDE.findall(block.text))
        block.words = _words(block.text)
    return blocks


def _words(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def mark_taken(blocks: Iterable[Block], main: str) -> None:
    lines = {_words(part) for line in main.split("\n") for part in [line, *line.split("|")]}
    whole = _words(main)
    for block in blocks:
        block.taken = bool(block.words) and (block.words in lines or (len(block.words) >= 12 and block.words in whole))


def held_by_tags(blocks: Iterable[Block]) -> Counter[int]:
    """How many letters of the blocks each tag holds."""
    held: Counter[int] = Counter()
    for block in blocks:
        for tag in block.path:
            held[id(tag)] += len(block.words)
    return held


def may_follow(block: Block) -> bool:
    """Whether it may belong to an article although trafilatura takes nothing that follows."""
    return any(tag.name in PARTS for tag in block.path) or is_in(block, TITLES, 2)


def says_something(block: Block) -> bool:
    """Whether it is a paragraph, or the caption of something else than a photograph."""
    if is_in(block, _CAPTIONS, 3):
        return not _CREDIT.search(block.text[:500])
    if block.letters >= LONG:
        return True
    if block.path[0].name in _VAGUE and not is_in(block, {"aside", "noscript"}, 2):
        return False
    return block.letters >= _SENTENCE and block.text.endswith(_ENDS) and not _CREDIT.search(block.text)


def is_credit(block: Block) -> bool:
    """Whether it is a line that only tells who made a picture."""
    found = _CREDIT.match(block.text)
    return block.letters < LONG and found is not None and ":" in block.text[: found.end() + 12]


def level_of(block: Block) -> int | None:
    """The level of a heading, None if it is none."""
    return next((int(tag.name[1]) for tag in block.path[:2] if tag.name in HEADINGS), None)


def is_edge(tag: "Tag") -> bool:
    return tag.name in {"nav", "footer"} or tag.get("role") in {"navigation", "contentinfo"}


def names_other(tag: "Tag") -> tuple[bool, bool]:
    """Whether its name, role, class or id tells a menu: surely, and probably."""
    if is_edge(tag):
        return True, True
    role = tag.get("role")
    probably = tag.name in _AROUND or role in _AROUND_ROLES
    given = " ".join([*map(str, tag.get_attribute_list("class")), str(tag.get("id") or "")])[:500]
    said = _CAMEL.sub("-", given).lower()
    other = bool(_OTHER.search(said))
    return other, other or probably or bool(_BESIDE.search(said))


def only_links(block: Block) -> bool:
    """Whether it is a paragraph that leads to another page, "Read more: ..."."""
    short = block.letters < 120 and block.path[0].name not in _ITEMS
    return short and block.linked > _ONLY_LINK * block.letters


def is_in(block: Block, names: "frozenset[str] | set[str]", levels: int) -> bool:
    return any(tag.name in names for tag in block.path[:levels])
