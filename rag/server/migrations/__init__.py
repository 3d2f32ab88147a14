"""Brings the tables of a database to their newest form, with Alembic."""

from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text

from rag.errors import StoreError
from rag.server.schema import VERSION

_LOCK = 7_243_001
"""The advisory lock of PostgreSQL that one who migrates holds."""


def upgrade(connection: Connection) -> None:
    """Migrate within the transaction of the connection.

    Of two that do it at once, the second waits and finds it done. Raises StoreError if a newer program has made the
    tables.
    """
    migrated = inspect(connection).has_table("alembic_version")
    if migrated and connection.scalar(text("SELECT version_num FROM alembic_version")) == VERSION:
        return
    from alembic import command  # It takes as long to import as SQLAlchemy, and is seldom needed.
    from alembic.config import Config
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0"))
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # Or else a process that is killed leaves half of it.
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"The store was made by a newer version of this program ({error}); install that version."
        ) from error
