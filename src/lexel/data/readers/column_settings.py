"""How a table is read as `--set data.caption=…` says it, for verbs that read a source without a recipe."""

import tomllib
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from lexel.config import Config
from lexel.errors import UsageError, did_you_mean


class ColumnSettings(Config):
    """What the user named; `caption` is a column, a template such as "{colour} {title}", or a list of these."""

    caption: str | tuple[str, ...] | None = None
    label: str | None = None
    image: str | None = None
    encoding: str | None = None

    @classmethod
    def from_changes(cls, changes: Sequence[str]) -> "ColumnSettings":
        """Read `data.caption=VALUE` and the like; a value is TOML, or else the text that it is. Raises UsageError.

        ColumnSettings.from_changes(["data.caption={colour} {title}"]).caption  →  "{colour} {title}"
        """
        given = {}
        for change in changes:
            path, equals, text = change.partition("=")
            name = path.strip().removeprefix("data.")
            if not equals or name not in cls.model_fields:
                known = [f"data.{field}" for field in cls.model_fields]
                near = did_you_mean(path.strip(), known)
                raise UsageError(f"--set takes {', '.join(known)} with a value, not {change!r}.{near}")
            given[name] = _value(text)
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            field = error.errors()[0]["loc"][0]
            what = "an encoding" if field == "encoding" else "a column"
            raise UsageError(f"--set data.{field}: give the name of {what}.") from None

    def arguments(self) -> dict[str, Any]:
        """What was named, as arguments of `read_source`."""
        return {field: getattr(self, field) for field in type(self).model_fields}


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return text
