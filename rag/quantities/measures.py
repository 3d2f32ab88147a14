"""What numbers in a text say: quantities, counts, ordinals, decades, numbered things."""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from rag.quantities.amounts import ARTICLES, Number, Unit, number_at, part_at, rate_at, unit_at, units_at
from rag.quantities.identifiers import label_before, named
from rag.quantities.tokens import UNLESS, Found, Key, Token, found, word_at
from rag.quantities.units import CURRENCY_SIGNS, DECADES, LABELS, TIME_KINDS, UNITS, VAGUE

_BEFORE_ITEM = re.compile(r"[\s#>*•(-]*")
_LONGEST_ITEM = 5
"""Characters of what numbers an item."""
_AFTER_OF = frozenset("the these those its their his her our your them all".split())  # noqa: SIM905
_ONES = ARTICLES | {"single", "sole"}
_DETERMINERS = frozenset(
    "no any every each some this that which what another other such the a an last next good".split()  # noqa: SIM905
)
_NO_NOUN = frozenset(
    """a about after against all also although am an and any are around as at be because been before between both but by
    can could did do does during each either every few fewer for from further had has have he her here his how i if in
    into is it its less many may might more most much must neither next no nor not now of off on one only or other our
    out over own per same she should since so some still such than that the their them then there these they this those
    through till to too under until up was we were what when where which while who whose why will with within without
    would yes yet you side hand way thing""".split()  # noqa: SIM905
)
"""What is never counted by the number before it."""
_LASTING = frozenset("for in within after lasts lasted takes took about only than nearly almost".split())  # noqa: SIM905
"""Before "a week" they tell how long; "twice a week" tells how often."""
WRITTEN = "written"


def measured_at(those: Sequence[Token], at: int) -> Found | None:
    """The number that begins there, with its unit or label, or what "a" counts."""
    token = those[at]
    number = number_at(those, at)
    if number is None:
        return _single(those, at) if word_at(those, at, near=False) in _ONES else None
    if _is_item(those, at, number):
        return found(at, number.end, (), [("item", number.written)])
    if token.worded and token.lower in {"one", "ones"} and number.end == at + 1 and _is_pronoun(those, at):
        is_counted = word_at(those, at - 1, near=False) not in _DETERMINERS and not word_at(those, at + 1)
        return found(at, at + 1, (), [("any", Fraction(1))] if is_counted and token.lower == "one" else ())
    if number.ordinal:
        return _ordinal(those, at, number)
    return _decade(those, at, number) or _labelled(those, at, number.end, number) or quantity(those, at, at, number)


def _single(those: Sequence[Token], at: int) -> Found:
    """What "a" or "an" counts, or how long it lasts: "for a week"."""
    units = units_at(those, at + 1)
    if not units or units[0][0] not in TIME_KINDS:
        return found(at, at + 1, (), _counted(those, at + 1))
    part = part_at(those, at + 4) if word_at(those, at + 2) == "and" and word_at(those, at + 3) in ARTICLES else None
    if part:
        return with_unit(at, at + 5, [1 + part], units, (), ())
    is_claimed = word_at(those, at - 1, near=False) in _LASTING
    keys: list[Key] = [*units, *_counted(those, at + 1)]
    return found(at, at + 2, [[key] for key in keys] if is_claimed else (), keys)


def _is_item(those: Sequence[Token], at: int, number: Number) -> bool:
    """Whether it only numbers a heading or an item of a list."""
    token = those[at]
    is_first = not at and number.end < len(those) and not token.worded
    if not is_first or len(token.text) > _LONGEST_ITEM or not _BEFORE_ITEM.fullmatch(token.before):
        return False
    return token.after in {". ", ") "} or ("#" in token.before and "." in token.text)


def _nouns(those: Sequence[Token], at: int) -> list[str]:
    """What the number before it counts: a noun, perhaps behind an adjective."""
    words = [word_at(those, i) for i in (at, at + 1)]
    if not words[0] or words[0] in _NO_NOUN:
        return []
    return [word.removesuffix("s") for word in words if word and word not in _NO_NOUN]


def _counted(those: Sequence[Token], at: int) -> list[Key]:
    return [("count", (Fraction(1), noun)) for noun in _nouns(those, at)]


def _is_pronoun(those: Sequence[Token], at: int) -> bool:
    """Whether "one" is no number: "one of them", "no one", "the one that"."""
    before, after = word_at(those, at - 1, near=False), word_at(those, at + 1)
    if those[at].lower == "ones":
        return True
    if before in _DETERMINERS and those[at].before in {" ", "-"}:
        return True
    if not after:  # "Only one." and "One." are numbers.
        return len(those) > 1 and before not in {"only", "just", "exactly", "is", "are", "was", "were", "least", "most"}
    return after in _NO_NOUN


def _ordinal(those: Sequence[Token], at: int, number: Number) -> Found:
    """Third, 3rd.

    "First" is said of much that is not counted, so it needs no source unless that counts others.
    """
    after = word_at(those, number.end)
    label = LABELS.get(after.removesuffix("s"))
    keys: list[Key] = [("ordinal", number.amounts[0]), *([(label, str(number.amounts[0]))] if label else [])]
    claims = [[key] for key in keys]
    later: list[Key] = [] if number.amounts[0] == 1 else [("later", True)]
    if not later:
        claims.append([(UNLESS, ("later", True))])
    is_order = not at and those[number.end - 1].after[:1] == ","
    return found(at, number.end, () if is_order else claims, [*keys, *later], number.amounts[0])


def _decade(those: Sequence[Token], at: int, number: Number) -> Found | None:
    """The 1980s, the '80s."""
    token, value = those[at], number.amounts[0]
    decade = DECADES.get(word_at(those, number.end))
    if decade and token.worded and value in {18, 19, 20}:
        return of_decade(at, number.end + 1, 100 * int(value) + decade)
    is_decade = (
        word_at(those, at + 1) == "s" and not those[at + 1].before and value.denominator == 1 and value % 10 == 0
    )
    if not is_decade or (token.text.isdecimal() and len(token.text) not in {2, 4}):
        return None
    return of_decade(at, at + 2, int(value))


def of_decade(first: int, end: int, value: int) -> Found:
    """The ten years that begin with a year, of which the century may be lacking."""
    if value < 100:
        return found(first, end, [[("short decade", value)]], [("short decade", value)])
    return found(first, end, [[("decade", value)]], [("decade", value), ("short decade", value % 100)])


def _labelled(those: Sequence[Token], at: int, end: int, number: Number) -> Found | None:
    """A number that is a name: "Section 5", "no. 45"."""
    start, label = label_before(those, at)
    if not label or unit_at(those, end)[0]:
        return None
    literal = str(number.amounts[0]) if those[at].worded else number.written
    keys: list[Key] = [(label, literal)]
    bare: Key = ("number", number.amounts[0])
    return found(start, end, [keys, [("item", literal)], [bare]], [*keys, *named(those, at, literal)])


def quantity(those: Sequence[Token], first: int, at: int, number: Number) -> Found:
    """The number at `at` with its unit; the whole begins at `first`."""
    units: tuple[Unit, ...] = ()
    end, amounts = number.end, number.amounts
    sign = those[at].before.rstrip(" -")[-1:]
    code = those[at - 1].text if at and those[at].before in {" ", ""} else ""
    if sign and sign in CURRENCY_SIGNS:
        units = (UNITS[sign],)
    elif code.isupper() and len(code) == 3 and code in UNITS and those[at - 1].kind == "word":
        first, units = at - 1, (UNITS[code],)
    if units and number.scaled:
        amounts, end = number.scaled, end + 1
    elif not units:
        units, end = unit_at(those, end)
    if units:
        per, end = rate_at(those, end)
        return with_unit(first, end, amounts, units, per, number.scaled)
    start, _ = label_before(those, at)
    return _without_unit(those, min(first, start), at, end, number)


def with_unit(
    first: int, end: int, amounts: Sequence[Fraction], units: Sequence[Unit], per: Sequence[Unit],
    scaled: Sequence[Fraction],
) -> Found:  # fmt: skip
    """Amounts of one of the units, `per` another.

    `scaled` is what they are if the letter is no unit but a scale.
    """
    claims: list[list[Key]] = [[("number", amount)] for amount in (*amounts, *scaled)]
    gives: list[Key] = [("any", amount) for amount in (*amounts, *scaled)]
    for amount in amounts:
        for kind, factor in units:
            whole: Key = (kind, amount * factor)
            rate: list[Key] = [(f"{kind} per {other}", amount * factor / size) for other, size in per]
            open_rate: Key = (f"{kind} per anything", amount * factor)
            claims += [rate, [open_rate]] if rate else [[whole]]
            gives += [whole, *(rate or [open_rate])]
            if kind == "percent":
                claims.append([("share", amount / 100)])
                gives.append(("share", amount / 100))
    return found(first, end, claims, [*gives, *_vague(amounts)], amounts[0])


def _without_unit(those: Sequence[Token], first: int, at: int, end: int, number: Number) -> Found:
    """A number alone, or with what it counts.

    Then no other count of the same may stand in its place.
    """
    names = named(those, at, number.written) if end == at + 1 else []
    nouns = _nouns(those, end)
    if word_at(those, end) == "of" and word_at(those, end + 1) in _AFTER_OF:  # Others of them may be counted as well.
        of_these: list[Key] = [
            ("count", (amount, noun)) for amount in number.amounts for noun in _nouns(those, end + 2)
        ]
    else:
        of_these = []
    counts: list[Key] = [("count", (amount, noun)) for amount in number.amounts for noun in nouns]
    unless: list[Key] = [(UNLESS, ("counted", noun)) for noun in nouns]
    gives: list[Key] = [("any", amount) for amount in number.amounts]
    claims = [[key, *unless] for key in gives] + [[key] for key in [*counts, *names]]
    if "." in number.written and at > 1 and names and those[at - 1].text[0].isupper():  # Python 3.10 is not Python 3.1.
        claims = [[(WRITTEN, number.written)]]
    if "." in number.written:
        gives.append((WRITTEN, number.written))
    if nouns:
        gives += [*counts, *(("counted", noun) for noun in nouns)]
    else:
        gives += [("number", amount) for amount in number.amounts]
    return found(first, end, claims, [*gives, *of_these, *names, *_vague(number.amounts)], number.amounts[0])


def _vague(amounts: Iterable[Fraction]) -> list[Key]:
    return [("some", size) for size in VAGUE.values() for amount in amounts if size <= amount < 1000 * size]
