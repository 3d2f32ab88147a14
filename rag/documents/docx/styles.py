"""The styles of a Word document: how runs and paragraphs look."""

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from rag.documents.docx.ooxml import W, child, is_on, value, whole

Look = Mapping[str, str]
"""Properties by their names in WordprocessingML, without those that say nothing here."""
_SWITCHES = {"strike", "dstrike", "vanish"}
"""Of paragraph style and character style, each turns the other's round; what a run says itself counts."""
_VALUES = {"vertAlign", "position", "sz"}
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_SMALLEST = 2
"""Half points; smaller text is not seen."""
_WHITE = {"ffffff", "background1", "light1"}
_NO_GROUND = {"", "auto", "clear", "none", "nil", "white", *_WHITE}
_HIGHLIGHTS = {"black": "000000", "text1": "000000"}


def look(properties: Element | None) -> dict[str, str]:
    """What a `w:rPr` or `w:pPr` says itself."""
    found: dict[str, str] = {}
    for one in properties if properties is not None else ():
        name = one.tag.removeprefix(W)
        said = one.get(f"{W}val", "")
        if name in _SWITCHES:
            found[name] = "on" if is_on(one) else ""
        elif name in _VALUES:
            found[name] = said
        elif name == "color":
            found[name] = (one.get(f"{W}themeColor") or said).lower()
        elif name in {"shd", "highlight"}:
            ground = (one.get(f"{W}themeFill") or one.get(f"{W}fill") or said).lower()
            found["ground"] = "" if ground in _NO_GROUND else _HIGHLIGHTS.get(ground, ground)
        elif name == "rFonts":
            found["font"] = one.get(f"{W}ascii") or one.get(f"{W}hAnsi") or ""
        elif name == "outlineLvl":
            found[name] = said
        elif name == "numPr":
            found |= {key: given for key in ("numId", "ilvl") if (given := value(one, W + key)) is not None}
    return found


class Styles:
    """The styles, each with what it takes from those it is based on."""

    def __init__(self, part: Element | None) -> None:
        """`part` is word/styles.xml."""
        every = list(part.iter(f"{W}style")) if part is not None else []
        self._styles = {name: one for one in every if (name := one.get(f"{W}styleId", ""))}
        self._looks: dict[str, dict[str, str]] = {}
        defaults = child(part, f"{W}docDefaults", f"{W}rPrDefault", f"{W}rPr")
        self._default = look(defaults)
        self._normal = next(
            (one.get(f"{W}styleId", "") for one in every if is_default(one) and one.get(f"{W}type") == "paragraph"), ""
        )

    def of(self, style: str | None) -> Look:
        """What a style says; "" is the one of paragraphs that name none."""
        name = self._normal if style == "" else style
        if name is None or name not in self._styles:
            return {}
        chain: list[str] = []
        seen = set()
        while name in self._styles and name not in self._looks and name not in seen:
            chain.append(name)
            seen.add(name)
            name = value(self._styles[name], f"{W}basedOn") or ""
        for one in reversed(chain):
            self._looks[one] = self._looks.get(name, {}) | self._own(one)
            name = one
        return self._looks[self._normal if style == "" else style or ""]

    def _own(self, style: str) -> dict[str, str]:
        element = self._styles[style]
        paragraph = look(child(element, f"{W}pPr"))
        if "numId" in paragraph:
            paragraph["numbered"] = style
        name = (value(element, f"{W}name") or "").lower()
        heading = _HEADING.fullmatch(name)
        if heading:
            paragraph.setdefault("outlineLvl", str(int(heading[1]) - 1))
        return paragraph | look(child(element, f"{W}rPr")) | {"name": name}

    def run(self, paragraph: Look, properties: Element | None) -> Look:
        """What a run looks like in a paragraph that looks as `of` says."""
        own = look(properties)
        character = self.of(value(properties, f"{W}rStyle"))
        switched = {name: "on" for name in _SWITCHES if bool(paragraph.get(name)) != bool(character.get(name))}
        rest = {**self._default, **paragraph, **character}
        return {**{name: said for name, said in rest.items() if name not in _SWITCHES}, **switched, **own}

    def lists(self) -> dict[str, str]:
        """The `numId` of each style that has one of its own."""
        numbers = {name: value(one, f"{W}pPr", f"{W}numPr", f"{W}numId") for name, one in self._styles.items()}
        return {name: number for name, number in numbers.items() if number is not None}


def is_default(style: Element) -> bool:
    """Whether it is the style of what names none."""
    return style.get(f"{W}default", "0") in {"1", "true", "on"}


def unseen(run: Look, white_is_seen: bool) -> str | None:
    """Why nobody sees a run: what to call it, None if it is seen."""
    if run.get("strike") or run.get("dstrike"):
        return "struck-out part"
    if run.get("vanish"):
        return "hidden part"
    if whole(run.get("sz"), 20) <= _SMALLEST:
        return "invisible part"
    colour, ground = run.get("color"), run.get("ground")
    same = colour == ground if ground else colour in _WHITE and not white_is_seen
    return "invisible part" if same else None


def heading_level(paragraph: Look) -> int | None:
    """1 for a heading of the first level or the title, None for other text."""
    if paragraph.get("name") == "title":
        return 1
    level = whole(paragraph.get("outlineLvl"), 9)
    return level + 1 if 0 <= level < 9 else None
