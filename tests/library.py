"""Documents as an open index gives them."""

from rag.types import Document, Documents, Listed


class Library(dict[str, Document], Documents):
    """Documents by id."""

    def listed(self) -> list[Listed]:
        """Each as a list shows it."""
        return [Listed(each.source, each.title, 1, doc_id) for doc_id, each in self.items()]
