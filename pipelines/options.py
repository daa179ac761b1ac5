"""Options of a command by their dotted names, with their types, and what those are in plain words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints


def option_types(kind: type, prefix: str = "") -> dict[str, Any]:
    """Types of all fields of a dataclass, and, under dotted names, of the dataclasses among them."""
    types: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        types[prefix + name] = hint
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            types |= option_types(hint, f"{prefix}{name}.")
    return types


def describe(kind: Any) -> str:
    """What a value of a type is, in plain words."""
    words = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}
    if kind in words:
        return words[kind]
    parts = [part for part in get_args(kind) if part is not type(None)]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(parts)}"
    if get_origin(kind) is tuple:
        count = "" if parts[-1] is Ellipsis else f" of {len(parts)}"
        return f"a list{count}, each {describe(parts[0])}"
    if get_origin(kind) is list:
        return f"a list, each {describe(parts[0])}"
    if dataclasses.is_dataclass(kind) or len(parts) != 1:
        return "options of its own"
    return describe(parts[0])


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
