"""What a model wrote -> the same as plain words, without links, images and tags that the documents do not hold."""

import re

_JSON = re.compile(r"\s*(?:```\w*\s*)?[\[{][\[{\s]*\"[^\"]*\"\s*:[\[{\s]*\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_IMAGE_OR_LINK = re.compile(r"!?(?!\[\d+\]\[\d+\])\[([^\[\]]*)\](?:\(([^()\s]*(?:\([^()]*\))?[^()]*)\)|\[[^\[\]]*\])")
_DEFINITION = re.compile(r"^[ \t]*\[[^\[\]]+\]:[ \t]*\S.*$", re.MULTILINE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?(?:-->|$)", re.DOTALL)
_SCHEME = r"(?:[a-z][a-z0-9+.-]{1,20}:)?//|(?:javascript|data|mailto|tel|file|vbscript):"
_HOST = r"(?:www\.|(?:[a-z0-9-]+\.)+(?:com|net|org|io|info|biz|app|dev|xyz|ru|cn|tk|test|example|invalid)\b)"
_ADDRESS = re.compile(rf"<?(?:(?:{_SCHEME})[^\s<>]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|{_HOST}[^\s<>]*)>?", re.IGNORECASE)
_ENDS = ".,;:!?)]}'\"’”»"


def prose(text: str) -> str:
    """`text`, or its first value where it is JSON: nobody asks for that but an order in a document."""
    found = _JSON.match(text)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else text


def without_links(text: str, held: str) -> str:
    """`text` without markup that loads or leads anywhere, and without addresses that do not occur in `held`.

    Of a Markdown link or image its words stay, of HTML what is between the tags, and of an
    address that `held` has the address itself, as plain words.
    """
    known = held.lower()

    def address(found: re.Match[str]) -> str:
        whole = found[0]
        bare = whole.strip("<>").rstrip(_ENDS)
        tail = whole.rstrip(">")[len(whole.rstrip(">").rstrip(_ENDS)) :]
        return (bare if bare.lower() in known else "") + tail

    def link(found: re.Match[str]) -> str:
        target = (found[2] or "").strip()
        return f"{found[1]} {target}".strip() if target and target.lower() in known else found[1]

    def once(plain: str) -> str:
        return _ADDRESS.sub(address, _TAG.sub("", _IMAGE_OR_LINK.sub(link, _DEFINITION.sub("", plain))))

    plain = text
    # What is taken off can leave the parts of another.
    while (less := once(plain)) != plain:
        plain = less
    if plain == text:
        return text
    return re.sub(r"[ \t]+([.,;:!?])", r"\1", re.sub(r"[ \t]{2,}", " ", plain)).strip()


def addresses(text: str) -> list[str]:
    """The addresses in `text`, of the web and of mail, without the punctuation around them."""
    return [found[0].strip("<>").rstrip(_ENDS) for found in _ADDRESS.finditer(text)]
