"""Checks of what users set: each raises an error of one line that names the setting."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args, get_origin, get_type_hints

from streamer.errors import ConfigError


def require(condition: bool, message: str) -> None:
    """Raises `ConfigError(message)` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


def fits(value: object, hint: Any) -> bool:
    """Whether `value` is of the type that a field's annotation names, and finite where it is a number."""
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        return value in parts
    if get_origin(hint) is tuple:
        parts = parts[:1] * len(value) if parts[-1] is Ellipsis and isinstance(value, tuple) else parts
        return isinstance(value, tuple) and len(value) == len(parts) and all(map(fits, value, parts))
    if parts:
        return any(fits(value, part) for part in parts)
    if hint is float:
        # Exact types: numpy's numbers could not be read back from a checkpoint with `weights_only`.
        return isinstance(value, (int, float)) and type(value) in (int, float) and math.isfinite(value)
    return type(value) is hint


def require_types(part: object, where: str) -> None:
    """Raises `ConfigError` for the first field of a dataclass whose value is not of its type."""
    words: dict[Any, str] = {
        int: "a whole number",
        float: "a finite number",
        bool: "true or false",
        type(None): "nothing",
    }
    for name, hint in get_type_hints(type(part)).items():
        options = get_args(hint) or (hint,)
        expected = " or ".join(
            f"`{option}`" if isinstance(option, str) else words.get(option) or _in_words(option)
            for option in dict.fromkeys(options)
        )
        value = getattr(part, name)
        count = f"{len(options)} times " if get_origin(hint) is tuple else ""
        require(fits(value, hint), f"{where}.{name} must be {count}{expected}, not {value!r}")


def _in_words(option: Any) -> str:
    return "a list of numbers" if get_origin(option) is tuple else option.__name__
