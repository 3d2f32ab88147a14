"""The numbers that Word puts before the paragraphs of lists, clauses and headings."""

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from rag.documents.docx.ooxml import MC, W, alternative, child, is_on, value, whole
from rag.documents.docx.symbols import BOXES, is_font_of_symbols, symbol

_PLACE = re.compile(r"%([1-9])")
_LONGEST = 100
"""Characters of the text of a level."""
_MOST = 780
"""The highest number that is written in letters or Roman numerals: 30 times z."""
_LETTERS = {
    "lowerLetter": "abcdefghijklmnopqrstuvwxyz",
    "upperLetter": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "russianLower": "абвгдежзиклмнопрстуфхцчшщэюя",
    "russianUpper": "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ",
}
"""After the last letter, all come doubled."""
_ROWS = {
    "decimalEnclosedCircle": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳",
    "decimalEnclosedCircleChinese": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳",
    "ideographTraditional": "甲乙丙丁戊己庚辛壬癸",
    "ideographZodiac": "子丑寅卯辰巳午未申酉戌亥",
    "aiueoFullWidth": "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン",
    "ganada": "가나다라마바사아자차카타파하",
    "chosung": "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ",
    "arabicAlpha": "أبتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "arabicAbjad": "أبجدهوزحطيكلمنسعفصقرشتثخذضظغ",
    "hebrew1": "אבגדהוזחטי",
    "hebrew2": "אבגדהוזחטיכלמנסעפצקרשת",
}
"""After the last sign come digits."""
_CHINESE = frozenset({
    "chineseCounting", "chineseCountingThousand", "taiwaneseCounting", "taiwaneseCountingThousand", "japaneseCounting",
    "ideographDigital", "japaneseDigitalTenThousand", "koreanCounting", "koreanDigital2",
})  # fmt: skip


@dataclass(frozen=True)
class Level:
    """How the paragraphs at one level of a list are numbered."""

    start: int
    form: str
    text: str
    width: int
    legal: bool
    restart: int | None
    style: str | None


@dataclass(frozen=True)
class _List:
    """A `w:num`: paragraphs with one `counter` go on counting, unless `starts` sets a level anew."""

    counter: str
    levels: Mapping[int, Level]
    starts: Mapping[int, int]


class Numbering:
    """Counts the paragraphs of a document in the order of its text."""

    def __init__(self, part: Element | None, lists_of_styles: Mapping[str, str]) -> None:
        """`part` is word/numbering.xml; the styles' lists are named by their `numId`."""
        self._lists = _lists(part, lists_of_styles) if part is not None else {}
        self._counts: dict[str, dict[int, int]] = {}
        self._started: set[tuple[str, int]] = set()

    def anew(self) -> "Numbering":
        """The same lists before anything is counted: Word counts text boxes and notes apart."""
        made = copy(self)
        made._counts, made._started = {}, set()
        return made

    def level_of(self, number: str, style: str) -> int:
        """The level that a list has for paragraphs of a style, 0 by default."""
        levels = self._lists[number].levels if number in self._lists else {}
        return next((at for at, level in levels.items() if level.style == style), 0)

    def label(self, number: str, at: int) -> str:
        """Count one more paragraph at a level of a list: "2.2", "(a)", "-", ""."""
        of = self._lists.get(number)
        level = of.levels.get(at) if of is not None else None
        if of is None or level is None:
            return ""
        counts = self._counts.setdefault(of.counter, {})
        if at in of.starts and (number, at) not in self._started:
            counts[at] = of.starts[at]
        else:
            counts[at] = counts[at] + 1 if at in counts else of.starts.get(at, level.start)
        self._started.add((number, at))
        for higher in range(at):  # Skipped levels count as if they had been there.
            if higher in of.levels and higher not in counts:
                counts[higher] = of.starts.get(higher, of.levels[higher].start)
        for deeper in [one for one in counts if one > at]:
            restart = of.levels[deeper].restart if deeper in of.levels else None
            if restart is None or at < restart:
                del counts[deeper]
        is_bullet = level.form == "bullet" and level.text.strip() and level.text not in BOXES
        return "-" if is_bullet else _filled(level, of.levels, counts)


def _filled(level: Level, levels: Mapping[int, Level], counts: Mapping[int, int]) -> str:
    def number(place: re.Match[str]) -> str:
        at = int(place[1]) - 1
        other = levels.get(at)
        if other is None:
            return ""
        form = "decimal" if level.legal and other.form != "none" else other.form
        return written(counts.get(at, other.start), form).zfill(other.width)

    return _PLACE.sub(number, level.text).strip()


def _lists(part: Element, lists_of_styles: Mapping[str, str]) -> dict[str, _List]:
    abstract = {one.get(f"{W}abstractNumId", ""): one for one in part.iter(f"{W}abstractNum")}
    numbers = {one.get(f"{W}numId", ""): one for one in part.iter(f"{W}num")}
    read: dict[str, dict[int, Level]] = {}
    found = {}
    for number, element in numbers.items():
        counter = value(element, f"{W}abstractNumId") or ""
        named = value(abstract.get(counter), f"{W}numStyleLink")
        if named is not None:  # The levels are those of the list that the style names.
            counter = value(numbers.get(lists_of_styles.get(named, "")), f"{W}abstractNumId") or counter
        if counter not in read:
            read[counter] = _levels(abstract.get(counter))
        levels, starts = dict(read[counter]), {}
        for override in element.iter(f"{W}lvlOverride"):
            at = whole(override.get(f"{W}ilvl"), 0)
            levels |= _levels(override)
            start = value(override, f"{W}startOverride")
            if start is not None:
                starts[at] = whole(start, 1)
        found[number] = _List(counter, levels, starts)
    return found


def _levels(element: Element | None) -> dict[int, Level]:
    levels = (one for one in element if one.tag == f"{W}lvl") if element is not None else ()
    return {at: _level(one) for one in levels if 0 <= (at := whole(one.get(f"{W}ilvl"), 0)) < 9}


def _level(element: Element) -> Level:
    form, width = value(element, f"{W}numFmt") or "decimal", 0
    custom = child(element, f"{MC}AlternateContent")
    branch = alternative(custom) if custom is not None else None
    pattern = child(branch, f"{W}numFmt")
    if pattern is not None:  # "001, 002, 003, ..."
        form, width = "decimal", len((pattern.get(f"{W}format") or "").split(",")[0].strip()[:9])
    text = (value(element, f"{W}lvlText") or "")[:_LONGEST]
    fonts = child(element, f"{W}rPr", f"{W}rFonts")
    font = (fonts.get(f"{W}ascii") or fonts.get(f"{W}hAnsi") or "") if fonts is not None else ""
    if form == "bullet" and len(text) == 1 and is_font_of_symbols(font):
        text = symbol(font, ord(text)) or text
    hidden = is_on(child(element, f"{W}rPr", f"{W}vanish"))
    restart = value(element, f"{W}lvlRestart")
    return Level(
        start=whole(value(element, f"{W}start"), 1),
        form="decimal" if hidden else form,
        text="" if hidden else text,
        width=width,
        legal=is_on(child(element, f"{W}isLgl")),
        restart=None if restart is None else whole(restart, 0),
        style=value(element, f"{W}pStyle"),
    )


def written(number: int, form: str) -> str:
    """A number in one of Word's formats, in digits if that is not known.

    Words ("First") are in the language of Word's user and become digits too.
    """
    if form == "none":
        return ""
    if form == "decimalZero":
        return f"{number:02}"
    if form == "ordinal":
        return f"{number}{_ordinal(number)}"
    if form == "numberInDash":
        return f"- {number} -"
    if 0 < number <= _MOST:
        if form in _LETTERS:
            letters = _LETTERS[form]
            return letters[(number - 1) % len(letters)] * ((number - 1) // len(letters) + 1)
        if form in _ROWS and number <= len(_ROWS[form]):
            return _ROWS[form][number - 1]
        if form in {"lowerRoman", "upperRoman"}:
            return roman(number).lower() if form == "lowerRoman" else roman(number)
        if form in _CHINESE:
            return _chinese(number)
    return str(number)


def roman(number: int) -> str:
    """A positive number in Roman numerals."""
    signs = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")
    text = ""
    for sign, worth in zip(signs, (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), strict=True):
        text += sign * (number // worth)
        number %= worth
    return text


def _ordinal(number: int) -> str:
    return "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _chinese(number: int) -> str:
    """A number below a thousand, as it is counted."""
    digits = "〇一二三四五六七八九"
    hundreds, tens, ones = number // 100, number // 10 % 10, number % 10
    text = f"{digits[hundreds]}百" if hundreds else ""
    if tens:
        text += "十" if tens == 1 and not hundreds else f"{digits[tens]}十"
    elif hundreds and ones:
        text += "〇"
    return text + (digits[ones] if ones else "")
