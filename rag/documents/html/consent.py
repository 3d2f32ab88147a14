"""Dialogs that ask for consent to cookies."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_ABOUT = re.compile(r"cookie|consent|кук[иа]|クッキー|gdpr|dsgvo|rgpd", re.IGNORECASE)
_NAMED = re.compile(
    r"cookie|consent|gdpr|ccpa|onetrust|cmp-?(?:box|wrapper|container)|cybot|didomi|usercentrics|truste|qc-cmp|sp_message|"
    r"borlabs|iubenda|klaro|osano|termly|eu-?law|privacy-?(?:banner|notice|popup|overlay|dialog|bar|wall|center|settings)",
    re.IGNORECASE,
)
_BUTTON = re.compile(
    r"accept|agree|allow|reject|decline|got it|consent|necessary|akzeptier|zustimm|einverstanden|ablehn|notwendig|"
    r"verstanden|"
    r"accepter|refuser|d'accord|aceptar|rechazar|acepto|accetta|rifiuta|aceitar|accepteren|akkoord|weiger|akcept|zgadzam|"
    r"odrzuć|godkänn|godta|acceptera|hyväksy|kabul|souhlas|принять|соглас|同意|^ok(?:ay)?$",
    re.IGNORECASE,
)
_LONGEST_BUTTON = 60
_LEVELS = 6
_ARTICLE = ["article", "main", "h1"]


def consent_dialogs(page: "BeautifulSoup") -> "list[Tag]":
    """The parts that ask for consent, by name or button; never the article."""
    found = []
    for tag in page.find_all(True):
        dialog = _asked_by(tag) if _is_button(tag) else tag if _is_dialog(tag) else None
        if dialog is not None:
            found.append(dialog)
    return found


def _is_dialog(tag: "Tag") -> bool:
    """Whether its name and words tell a dialog for consent apart from any article."""
    if tag.name in {"html", "body", "main", "article"}:
        return False
    said = " ".join(map(str, [*tag.get_attribute_list("class"), tag.get("id") or "", tag.get("aria-label") or ""]))
    shown = tag.name == "dialog" or tag.get("role") in {"dialog", "alertdialog"}
    if not (_NAMED.search(said[:300]) or shown):
        return False
    text = tag.get_text(" ", strip=True)
    return bool(_ABOUT.search(text)) and _stands_apart(tag) and (shown or _asks(tag))


def _is_button(tag: "Tag") -> bool:
    """Whether it does something, and is no link to another page."""
    if tag.name == "a":
        leads = str(tag.get("href") or "#").startswith(("#", "javascript:")) or tag.get("role") == "button"
        return leads or "btn" in str(tag.get("class")) or "button" in str(tag.get("class"))
    return tag.name == "button" or tag.get("role") == "button" or tag.get("type") in {"button", "submit"}


def _asks(tag: "Tag") -> bool:
    """Whether it has a button that gives or refuses consent."""
    return any(_is_button(button) and _gives(button) for button in tag.find_all(["button", "a", "input"])[:40])


def _gives(button: "Tag") -> bool:
    text = button.get_text(" ", strip=True) or str(button.get("value") or button.get("aria-label") or "")
    return len(text) <= _LONGEST_BUTTON and bool(_BUTTON.search(text))


def _asked_by(button: "Tag") -> "Tag | None":
    """The smallest part around a button that gives consent in which cookies are spoken of."""
    if not _gives(button):
        return None
    for _, around in zip(range(_LEVELS), button.parents, strict=False):
        if around.name in {"body", "html", "main", "article", "[document]"}:
            return None
        if _ABOUT.search(around.get_text(" ", strip=True)):
            return around if _stands_apart(around) else None
    return None


def _stands_apart(tag: "Tag") -> bool:
    """Whether it holds no article and, unless marked as a dialog, lies in none."""
    holds = tag.find(_ARTICLE) is not None and tag.get("role") not in {"dialog", "alertdialog"}
    return not holds and (tag.get("role") in {"dialog", "alertdialog"} or tag.find_parent("article") is None)
