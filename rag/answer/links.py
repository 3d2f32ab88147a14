"""What a model wrote -> plain words, without links, images and tags."""

import re

_JSON = re.compile(r"^\s*+(?:```\w*\s*)?[\[{][\[{\s]*+\"[^\"]*+\"\s*+:[\[{\s]*+\"((?:[^\"\\]|\\.)*+)\"", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
_IMAGE_OR_LINK = re.compile(
    r"!?(?!\[\d+\]\[\d+\])\[([^\[\]]*+)\]"
    r"(?:\(([^()\s]*+\([^()]*+\)[^()]*+|[^()]*+)\)|\[[^\[\]]*+\])"
)
_DEFINITION = re.compile(r"^[ \t]*\[[^\[\]]+\]:[ \t]*\S.*$", re.MULTILINE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?(?:-->|$)", re.DOTALL)
_SCHEME = r"(?:(?<![a-z])[a-z][a-z0-9+.-]{1,20}:)?//|(?:javascript|data|mailto|tel|file|vbscript):"
_MAILBOX = r"[\w.+-]{1,40}+@[\w-]{1,63}+(?:\.[\w-]+)+"
_LABELS = r"(?<![a-z0-9-])(?<![a-z0-9-]\.)(?:[a-z0-9-]+\.)+"
"""From the first label on: begun at each of them, every beginning would read to the end."""
_HOST = rf"(?>www\.|{_LABELS}(?:com|net|org|io|info|biz|app|dev|xyz|ru|cn|tk|test|example|invalid)\b)"
_ADDRESS = re.compile(rf"<?(?:(?:{_SCHEME})[^\s<>]++|{_MAILBOX}|{_HOST}[^\s<>]*+)>?", re.IGNORECASE)
_ENDS = ".,;:!?)]}'\"’”»"
_BLANKS = re.compile(r"[ \t]{2,}")
_BEFORE_MARK = re.compile(r"[ \t](?=[.,;:!?])")
_SYNTAX = re.compile(r"[\[\]<>@:/.]+")
"""One of these is in every link, tag and address."""
_ROUNDS = 10
"""So deep markup is taken apart; of what is nested deeper nothing is left that means anything."""
_MANY = 200
"""Addresses that are looked for in the documents; further ones are taken for unknown."""


def prose(text: str) -> str:
    """`text`, or its first value if it is JSON."""
    # Only an order in a document asks for JSON.
    found = _JSON.match(text)
    return _ESCAPED.sub(r"\1", found[1]) if found else text


def without_links(text: str, held: str) -> str:
    """`text` without links, images and tags, and without addresses that `held` lacks.

    Of a Markdown link or image its words stay, of HTML what is between the tags, and of an
    address that `held` has the address itself, as plain words.
    """
    known = held.lower()
    plain = text
    # What is taken off can leave the parts of another.
    for _ in range(_ROUNDS):
        less = _without_links(plain, known)
        if less == plain:
            break
        plain = less
    else:
        plain = _SYNTAX.sub(" ", plain)
    if plain == text:
        return text
    return _BEFORE_MARK.sub("", _BLANKS.sub(" ", plain)).strip()


def _without_links(text: str, known: str) -> str:
    """One pass: what is left can hold another link, put together from parts."""
    looked_up = 0

    def held(address: str) -> bool:
        nonlocal looked_up
        looked_up += 1
        return looked_up <= _MANY and address.lower() in known

    def address(found: re.Match[str]) -> str:
        whole = found[0]
        bare = whole.strip("<>").rstrip(_ENDS)
        tail = whole.rstrip(">")[len(whole.rstrip(">").rstrip(_ENDS)) :]
        return (bare if held(bare) else "") + tail

    def link(found: re.Match[str]) -> str:
        target = (found[2] or "").strip()
        return f"{found[1]} {target}".strip() if target and held(target) else found[1]

    return _ADDRESS.sub(address, _TAG.sub("", _IMAGE_OR_LINK.sub(link, _DEFINITION.sub("", text))))


def addresses(text: str) -> list[str]:
    """The addresses in `text`, of the web and of mail, without the punctuation around them."""
    return [found[0].strip("<>").rstrip(_ENDS) for found in _ADDRESS.finditer(text)]
