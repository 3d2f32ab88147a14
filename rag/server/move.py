"""`python chat_app.py --move-store`: from the file of the store into a PostgreSQL database."""

from sqlalchemy import func, insert, select

from rag.errors import SettingsError, StoreError
from rag.server.database import PostgreSQL, SQLiteFile
from rag.server.schema import CONVERSATIONS, KEPT, RATINGS
from rag.server.store import FILE
from rag.settings import ServerSettings

_ROWS = 500


def move_store(settings: ServerSettings) -> str:
    """Copy everything at once, or nothing; gives a sentence that says what.

    The file stays. Raises SettingsError if no database is named, StoreError if there is no file or the database is not
    empty.
    """
    path, address = settings.store / FILE, settings.database.get_secret_value()
    if not address:
        raise SettingsError("No database is named; set RAG_DATABASE to the one that the store is to be moved into.")
    if not path.is_file():
        raise StoreError(f"There is no store {str(path)!r}; set RAG_STORE to the folder that holds it.")
    source, target = SQLiteFile(path), PostgreSQL(address)
    try:
        with source.use() as old, target.begin() as new:
            if any(new.scalar(select(func.count()).select_from(table)) for table in KEPT):
                raise StoreError("The database of RAG_DATABASE holds a store already; name an empty one.")
            for table in KEPT:
                for rows in old.execute(select(table)).mappings().partitions(_ROWS):
                    new.execute(insert(table), [_for_postgres(dict(row)) for row in rows])
            numbers = func.pg_get_serial_sequence("ratings", "id")
            last = new.scalar(select(func.max(RATINGS.c.id)))
            new.execute(select(func.setval(numbers, last or 1, last is not None)))
            conversations, ratings = (
                new.scalar(select(func.count()).select_from(it)) for it in (CONVERSATIONS, RATINGS)
            )
    finally:
        source.close()
        target.close()
    return f"Copied {conversations:,} conversations and {ratings:,} ratings from {str(path)!r}, which stays as it was."


def _for_postgres(row: dict[str, object]) -> dict[str, object]:
    """The row without the NUL that a title of an older version may have."""
    return {name: value.replace("\0", "\ufffd") if isinstance(value, str) else value for name, value in row.items()}
