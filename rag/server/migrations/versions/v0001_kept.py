"""Conversations, ratings and sessions, which a file of SQLite may have already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("owner", sa.LargeBinary, primary_key=True),
        sa.Column("conversation", sa.LargeBinary, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "turns",
        sa.Column("owner", sa.LargeBinary, primary_key=True),
        sa.Column("conversation", sa.LargeBinary, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("turn", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["owner", "conversation"], ["conversations.owner", "conversations.conversation"], ondelete="CASCADE"
        ),
        if_not_exists=True,
    )
    op.create_table(
        "ratings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner", sa.LargeBinary, nullable=False),
        sa.Column("conversation", sa.LargeBinary, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("rating", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("owner", "conversation", "number"),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_table(
        "sessions",
        sa.Column("token", sa.LargeBinary, primary_key=True),
        sa.Column("user", sa.LargeBinary, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        if_not_exists=True,
    )
