"""The list of conversations in the sidebar."""

import time
from collections.abc import Iterable

from rag.page.markup import button, count, escape
from rag.server.store import ConversationSummary

_DAY = 86_400.0
_NONE_YET = "None yet. They are kept here for you alone."
_NONE = "No conversation has these words."


def conversation_list(
    conversations: Iterable[ConversationSummary], current: str, user: str = "", words: str = ""
) -> str:
    """The conversations, newest first, each with a menu; a `user` can sign out.

    They are those found by the `words`, if there are any.
    """
    conversations = list(conversations)
    updated = next((one.updated for one in conversations if one.id == current), 0.0)
    items = "".join(_item(one, one.id == current) for one in conversations)
    body = f"<ul>{items}</ul>" if items else f'<p class="quiet">{_NONE if words.strip() else _NONE_YET}</p>'
    out = (
        f'<form method="post" action="logout"><button class="tool">Sign out</button> '
        f'<span class="quiet">Signed in as {escape(user)}.</span></form>'
        if user
        else ""
    )
    named = f'aria-label="Conversations" data-current="{escape(current)}" data-updated="{updated!r}"'
    return f"<nav {named}>{button('new', 'New conversation', kind='wide')}{body}{out}</nav>"


def _item(one: ConversationSummary, current: bool) -> str:
    """Its name, how old it is, and a menu: to save, rename and delete it."""
    address, title = f"conversations/{escape(one.id)}", escape(one.title)
    return (
        f"<li{' aria-current=true' if current else ''}>"
        f'<button type="button" class="opener" data-action="open" data-conversation="{escape(one.id)}" dir="auto">'
        f'{title}<span class="quiet">{_when(one.updated)}, {count(one.turns, "question")}</span></button>'
        f'<details class="menu"><summary aria-label="What to do with {title}">⋯</summary>'
        f'<div><a href="{address}.md" download>Save as Markdown</a><a href="{address}.json" download>Save as JSON</a>'
        f"{button('rename', 'Rename …', conversation=one.id, title=one.title)}"
        f"{button('remove', 'Delete', conversation=one.id)}</div></details></li>"
    )


def _when(updated: float) -> str:
    """The day, or how long ago it was if that was today."""
    ago = max(0.0, time.time() - updated)
    if ago < 3600:
        return "just now" if ago < 60 else f"{ago // 60:.0f} min ago"
    day = time.localtime(updated)
    return f"{ago // 3600:.0f} h ago" if ago < _DAY else f"{day.tm_mday} {time.strftime('%B %Y', day)}"
