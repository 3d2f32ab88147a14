"""`python -m docs.configuration` writes the tables of settings in docs/configuration.md anew."""

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
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    str: "text",
    SecretStr: "text",
}


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
        if fields:
            summary = (group.__doc__ or "").strip().partition("\n")[0]
            yield f"\n## {group.__name__}\n\n{summary}\n\n| Setting | Default | Takes | Meaning |\n|---|---|---|---|\n"
            for name, field in fields.items():
                setting = f"{prefix}{name}".upper()
                yield f"| `{setting}` | {default(field)} | {takes(field)} | {field.description} |\n"
            yield "\n"
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
    kind: Any = next((one for one in get_args(field.annotation) if one is not NoneType), field.annotation)
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(field.annotation))
    rules = [(name, getattr(rule, name, None)) for rule in field.metadata for name in ("ge", "gt", "le")]
    limits = {name: value for name, value in rules if value is not None}
    match limits:
        case {"ge": lowest, "le": highest}:
            allowed = f", {lowest:,} to {highest:,}"
        case {"ge": lowest}:
            allowed = f", at least {lowest:,}"
        case {"gt": lowest}:
            allowed = f", above {lowest:,}"
        case _:
            allowed = ""
    return KINDS.get(kind, "text") + allowed


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
