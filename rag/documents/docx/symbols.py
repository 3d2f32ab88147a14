"""Characters of the fonts whose letters are pictures: Symbol, Wingdings, Webdings."""

BOXES = {"☐": "☐", "☑": "☑", "☒": "☒"}
"""Boxes to tick, not ticked and ticked."""
_PLAINER = {
    "🗹": "☑", "🗷": "☒", "🗵": "☒", "⮽": "☒", "⌧": "☒", "◻": "☐", "□": "☐", "🞎": "☐", "🞏": "☐", "❑": "☐", "❒": "☐",
    "⬜": "☐", "🗸": "✓", "🗶": "✗", "🗴": "✗",
}  # fmt: skip
"""The usual character for one that few fonts have, and for squares, which in those fonts are boxes to tick."""
_FONTS = {"Symbol", "Wingdings", "Wingdings 2", "Wingdings 3", "Webdings"}


def is_font_of_symbols(font: str) -> bool:
    """Whether the letters of a font are pictures."""
    return font in _FONTS


def symbol(font: str, code: int) -> str | None:
    """The Unicode character that such a font shows for a code, if any."""
    from mammoth.docx.dingbats import dingbats

    in_font = 32 < code <= 0xFF or 0xF020 < code <= 0xF0FF
    found = dingbats.get((font, code & 0xFF)) if in_font else None
    return None if found is None else _PLAINER.get(chr(found), chr(found))


def has_meaning(code: int) -> bool:
    """Whether a code is the same character in every font."""
    return 32 <= code < 0xD800 or 0xF900 <= code < 0xF0000
