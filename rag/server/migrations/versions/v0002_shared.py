"""What several copies of a server count together: rates, the queue, answers under way."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "counted",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Index("counted_by_key", "kind", "key", "at"),
        sa.Index("counted_by_time", "kind", "at"),
    )
    op.create_table(
        "tickets",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("owner", sa.LargeBinary, nullable=False),
        sa.Column("served", sa.Boolean, nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "answers",
        sa.Column("owner", sa.LargeBinary, primary_key=True),
        sa.Column("conversation", sa.LargeBinary, primary_key=True),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("turn", sa.LargeBinary, nullable=False),
        sa.Column("stopped", sa.Boolean, nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
    )
