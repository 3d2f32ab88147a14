"""The main part of a page: what trafilatura takes, and what it loses of that."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rag.documents.html.blocks import (
    INSIDE,
    LINKED,
    LONG,
    PARTS,
    TITLES,
    Block,
    held_by_tags,
    is_credit,
    is_edge,
    is_in,
    level_of,
    mark_taken,
    may_follow,
    names_other,
    only_links,
    page_blocks,
    says_something,
)
from rag.documents.html.seen import without

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_SHORT = 25
_MOST = 0.9
_ENOUGH = 0.6
"""The share of a page's plain paragraphs that must be taken; with less, all of them are."""


def reduce_to_main(page: "BeautifulSoup", main: str) -> None:
    """Remove from `page` what is no part of its article.

    `main` is what trafilatura takes for that. Where it lacks a part of the article, a lead, a
    list or a heading, that is kept as well; if it lacks most, all paragraphs are.
    """
    blocks = page_blocks(page)
    mark_taken(blocks, main)
    kept = _Choice(blocks).kept()
    _remove_others(page, blocks, kept)


class _Choice:
    """Which blocks of a page are kept."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks
        self._names: dict[int, tuple[bool, bool]] = {}

    def kept(self) -> set[int]:
        """The numbers of the blocks."""
        whole = self._large(self._blocks)
        for block in self._blocks:
            block.taken &= not any(is_edge(tag) for tag in block.path)
        if not any(block.taken for block in self._blocks) and not self._take_plain():
            shown = {at for at, block in enumerate(self._blocks) if not self._beside(block, whole, False)}
            return shown or {*range(len(self._blocks))}
        kept = self._filled()
        plain = self._plain()
        letters = self._letters(plain)
        if self._letters(kept.intersection(plain)) < _ENOUGH * letters and self._take_plain():
            kept = self._filled()
        elif not plain:
            shown = {at for at, block in enumerate(self._blocks) if not self._beside(block, whole)}
            kept = kept if self._letters(kept) >= _ENOUGH * self._letters(shown) else kept | shown
        return kept

    def _letters(self, numbers: Iterable[int]) -> int:
        return sum(self._blocks[at].letters for at in numbers)

    def _plain(self) -> list[int]:
        """The paragraphs that no name tells from an article."""
        large = self._large([block for block in self._blocks if block.taken] or self._blocks)
        return [at for at, block in enumerate(self._blocks)
                if block.letters >= LONG and block.plain and not self._beside(block, large)]  # fmt: skip

    def _take_plain(self) -> bool:
        plain = self._plain()
        for at in plain:
            self._blocks[at].taken = True
        return bool(plain)

    def _large(self, blocks: Iterable[Block]) -> set[int]:
        """The tags that hold half of the blocks' words, whatever they are called."""
        held = held_by_tags(blocks)
        most = max(held.values(), default=0)
        return {key for key, letters in held.items() if letters * 2 >= most}

    def _beside(self, block: Block, below: set[int], beside: bool = True) -> bool:
        """Whether a tag around it, up to `below`, is named like a menu or footer."""
        for tag in block.path:
            if id(tag) in below and not is_edge(tag):
                return False
            if id(tag) not in self._names:
                self._names[id(tag)] = names_other(tag)
            other, near = self._names[id(tag)]
            if other or (near and beside):
                return True
        return False

    def _filled(self) -> set[int]:
        """What is taken, without menus and the like, and with what it lacks."""
        blocks = self._blocks
        held = held_by_tags(block for block in blocks if block.taken)
        most = max(held.values())
        large = {key for key, letters in held.items() if letters * 2 >= most}
        kept = {at for at, block in enumerate(blocks)
                if block.taken and not self._beside(block, large, False) and not only_links(block)}  # fmt: skip
        region = self._region(held, _MOST * most)
        inside = [at for at, block in enumerate(blocks) if block.taken and region in map(id, block.path)]
        first, last = inside[0], inside[-1]
        begin = next((at for at in range(first, -1, -1) if is_in(blocks[at], {"h1"}, 3)), first)
        below = large | _upwards(blocks[first], region)
        from_heading = below | {id(tag) for tag in blocks[begin].path}
        shared = {id(tag) for tag in blocks[begin].path} & {id(tag) for tag in blocks[first].path}
        around = region if begin == first else next(id(tag) for tag in blocks[first].path if id(tag) in shared)
        end = max(at for at, block in enumerate(blocks) if around in map(id, block.path))
        open_ = {at for at in range(begin + 1, end + 1) if not blocks[at].taken and not self._beside(
            blocks[at], below if at > first else from_heading) and (
            at < first or region in map(id, blocks[at].path) if at < last else
            around in map(id, blocks[at].path) and may_follow(blocks[at]))}  # fmt: skip
        kept -= {at for at in kept if at not in range(begin, end + 1) and len(blocks[at].words) < _SHORT}
        kept.add(begin)
        kept |= {at for at in open_ if blocks[at].plain and (
            says_something(blocks[at]))}  # fmt: skip
        self._add_lists(kept, open_, range(begin, end + 1), below)
        self._add_between(kept, open_)
        self._add_headings(kept, open_, last)
        return kept - self._left_alone(kept) - {at for at in kept if is_credit(blocks[at])} | {begin}

    def _region(self, held: Counter[int], most: float) -> int:
        """The smallest part that holds most of what is taken."""
        found = max(
            (len(block.path) - at, id(tag))
            for block in self._blocks
            if block.taken
            for at, tag in enumerate(block.path)
            if held[id(tag)] >= most
        )
        return found[1]

    def _add_lists(self, kept: set[int], open_: set[int], between: range, below: set[int]) -> None:
        """Whole lists and tables that stand within the article or are kept in part."""
        lists: dict[int, list[int]] = defaultdict(list)
        for at in range(len(self._blocks)):
            for tag in self._blocks[at].path:
                if tag.name in PARTS and id(tag) not in below:
                    lists[id(tag)].append(at)
        for items in lists.values():
            linked = sum(self._blocks[at].linked for at in items)
            letters = sum(self._blocks[at].letters for at in items)
            within = items[0] in between and items[-1] in between
            if linked <= LINKED * letters and (within or any(at in kept for at in items)):
                kept.update(open_.intersection(items))

    def _add_between(self, kept: set[int], open_: set[int]) -> None:
        """Short paragraphs between others of the same part."""
        parts: dict[int, list[int]] = defaultdict(list)
        for at, block in enumerate(self._blocks):
            parts[id(block.path[:2][-1])].append(at)
        for part in parts.values():
            held = [at for at in part if at in kept]
            if held:
                kept |= {at for at in part if held[0] < at < held[-1] and at in open_
                         and self._blocks[at].plain and self._blocks[at].letters >= _SHORT}  # fmt: skip

    def _add_headings(self, kept: set[int], open_: set[int], last: int) -> None:
        """Headings of what is kept."""
        following = len(self._blocks) + LONG
        for at in range(len(self._blocks) - 1, -1, -1):
            block = self._blocks[at]
            titled = following - at <= 2 and (at < last or not is_in(self._blocks[following], {"ul"}, 3))
            if at in open_ and block.plain and titled and is_in(block, TITLES, 2):
                kept.add(at)
            if at in kept:
                following = at

    def _left_alone(self, kept: set[int]) -> set[int]:
        """Headings and lines that end with a colon, if what followed is not kept."""
        alone: set[int] = set()
        following: int | None = None
        for at in sorted(kept, reverse=True):
            block = self._blocks[at]
            level = level_of(block)
            opens = level is not None or (block.letters < LONG and block.text.endswith(":"))
            if opens and following != at + 1:
                next_level = None if following is None else level_of(self._blocks[following])
                if following is None or level is None or (next_level is not None and next_level <= level):
                    alone.add(at)
                    continue
            following = at
        return alone


def _upwards(block: Block, region: int) -> set[int]:
    """The tags from `region` up."""
    keys = [id(tag) for tag in block.path]
    return set(keys[keys.index(region) :])


def _remove_others(page: "BeautifulSoup", blocks: Sequence[Block], kept: set[int]) -> None:
    around = {id(tag) for at in kept for tag in blocks[at].path}
    around |= {id(tag) for tag in page.find_all(["td", "th"]) if id(tag.parent) in around}  # Empty cells count.
    dropped: list[Tag] = []
    settled: set[int] = set()
    for tag in page.find_all(True):
        if id(tag.parent) in settled:
            settled.add(id(tag))
        elif id(tag) not in around and tag.name not in INSIDE:
            settled.add(id(tag))
            if tag.find("img") is None or tag.get_text(strip=True):  # Pictures beside the text are counted.
                dropped.append(tag)
    strings = [string for at, block in enumerate(blocks) if at not in kept and id(block.path[0]) in around
               for string in block.strings]  # fmt: skip
    without([*dropped, *strings])
