"""What stands around the two panes: the bar at the top, the list of conversations."""

from collections.abc import Iterable

from rag.page.markup import button, count, escape
from rag.server.store import ConversationSummary

TITLE = "Ask the article"


def bar(loaded: str) -> str:
    """The bar: what opens the drawers, the colours; `loaded` says which documents can be asked."""
    return (
        f'<div class="bar"><h1>{TITLE}</h1>{_drawer("list", "Conversations")}{button("new", "New conversation", "New")}'
        f"{_drawer('right', 'Document', 'narrow')}{_drawer('documents', 'Documents')}"
        f"{button('theme', 'Light or dark', '◐')}</div>"
        f'<p class="quiet">{loaded}</p><p id="status" role="status"></p>'
    )


def _drawer(drawer: str, label: str, kind: str = "") -> str:
    return (
        f'<button type="button" class="tool {kind}" data-action="drawer" data-drawer-of="{drawer}" '
        f'aria-expanded="false" aria-controls="{drawer}">{label}</button>'
    )


def listing(conversations: Iterable[ConversationSummary], current: str, user: str = "") -> str:
    """The conversations, newest first, with what one can do with each, and the way out for a `user` who signed in."""
    items = "".join(_item(one, one.id == current) for one in conversations)
    body = f"<ul>{items}</ul>" if items else '<p class="quiet">None yet. They are kept here for you alone.</p>'
    out = (
        f'<form method="post" action="logout"><button class="tool">Sign out</button> '
        f'<span class="quiet">Signed in as {escape(user)}.</span></form>'
        if user
        else ""
    )
    return f'<nav aria-label="Conversations"><h2>Conversations</h2>{button("close", "Close")}{body}{out}</nav>'


def _item(one: ConversationSummary, current: bool) -> str:
    address = f"conversations/{escape(one.id)}"
    return (
        f"<li{' aria-current=true' if current else ''}>"
        f'<button type="button" class="tool opener" data-action="open" data-conversation="{escape(one.id)}" dir="auto">'
        f"{escape(one.title)}</button>"
        f'<span class="quiet">{count(one.turns, "question")}</span>'
        f'<a href="{address}.md" download aria-label="Markdown of {escape(one.title)}">Markdown</a>'
        f'<a href="{address}.json" download aria-label="JSON of {escape(one.title)}">JSON</a>'
        f"{button('remove', f'Delete {one.title}', 'Delete', conversation=one.id)}</li>"
    )
