"""`python docs/configuration.py` writes the tables of settings in docs/configuration.md anew."""

from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import rag.settings

PAGE = Path(__file__).with_suffix(".md")
BEGIN, END = "<!-- settings: written by docs/configuration.py -->\n", "<!-- end of the settings -->\n"
KINDS = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path", str: "text", SecretStr: "text"}


def updated(page: str) -> str:
    """The page with its tables of settings as the classes of rag/settings.py have them now."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return "".join([before, BEGIN, *tables(), END, after])


def tables() -> Iterator[str]:
    """For each class of settings a heading, the first line of its docstring, and a table of its own fields."""
    listed: set[str] = set()
    for group in vars(rag.settings).values():
        if not isinstance(group, type) or not issubclass(group, BaseSettings) or group is BaseSettings:
            continue
        prefix = group.model_config.get("env_prefix", "")
        fields = {name: field for name, field in group.model_fields.items() if name not in listed}
        rows = [f"| `{f'{prefix}{name}'.upper()}` | {default(field)} | {takes(field)} | {field.description} |\n"
                for name, field in fields.items()]  # fmt: skip
        if rows:
            yield f"\n## {group.__name__}\n\n{(group.__doc__ or '').strip().splitlines()[0]}\n\n"
            yield from ["| Setting | Default | Takes | Meaning |\n|---|---|---|---|\n", *rows, "\n"]
        listed |= set(fields)


def default(field: FieldInfo) -> str:
    """The default as it would be written in `.env`."""
    if field.default_factory:
        return "depends on the system"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if value is None or value == "":
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"


def takes(field: FieldInfo) -> str:
    """The values that are allowed."""
    kind: Any = next((one for one in get_args(field.annotation) if one is not NoneType), None)
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(field.annotation))
    limits = {name: value for rule in field.metadata for name in ("ge", "gt", "le") if (value := _limit(rule, name))}
    lowest = f"above {limits['gt']}" if "gt" in limits else f"at least {limits['ge']}" if "ge" in limits else ""
    if "ge" in limits and "le" in limits:
        bounds = f"{limits['ge']} to {limits['le']}"
    else:
        bounds = lowest
    return ", ".join(filter(None, [KINDS[kind or field.annotation], bounds]))


def _limit(rule: object, name: str) -> str:
    value = getattr(rule, name, None)
    return "" if value is None else f"{value:,}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
