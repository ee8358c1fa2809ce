"""Plain data out of YAML, checked: what is wrong with it is said with the line on which it stands."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml

from tightener.errors import ConfigError, Place


class Checked:
    """Checks plain data, as YAML was loaded into it; keeps the node graph to say where a mistake stands."""

    def __init__(self, path: Path, root: yaml.Node | None) -> None:
        self.path = path
        self._root = root

    def place(self, *keys: str | int) -> Place:
        """Where the value under these keys stands (as far as the keys lead)."""
        node, line, column = self._root, 1, 1
        for key in keys:
            found = None
            if isinstance(node, yaml.MappingNode):
                for name, value in node.value:
                    if isinstance(name, yaml.ScalarNode) and name.value == str(key):
                        found, line, column = value, name.start_mark.line + 1, name.start_mark.column + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                found = node.value[key]
                line, column = found.start_mark.line + 1, found.start_mark.column + 1
            if found is None:
                break
            node = found
        return Place(str(self.path), line, column)

    def fail(self, message: str, *keys: str | int, hint: str = "") -> ConfigError:
        """The error for a mistake under these keys."""
        return ConfigError(message, slug="config-invalid", place=self.place(*keys), hint=hint)

    def no_repeats(self, node: yaml.Node | None) -> None:
        """Refuses a key that stands twice in one mapping: a plain load would keep the last and lose the first."""
        if isinstance(node, yaml.MappingNode):
            seen: dict[object, str] = {}
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    meant = key.value if key.style else yaml.safe_load(key.value)  # 1, 1.0 and true are equal
                    if meant in seen:
                        place = Place(str(self.path), key.start_mark.line + 1, key.start_mark.column + 1)
                        twice = f"`{key.value}` stands twice"
                        same = f"`{seen[meant]}` and `{key.value}` are the same key to YAML"
                        raise ConfigError(
                            twice if seen[meant] == key.value else same,
                            slug="config-invalid",
                            place=place,
                            hint="" if seen[meant] == key.value else "put both in quotes",
                        )
                    seen[meant] = key.value
                self.no_repeats(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self.no_repeats(item)

    def mapping(self, value: Any, known: tuple[str, ...] | None, *keys: str | int) -> dict[str, Any]:
        """A mapping that has no other keys than the known ones (None = any)."""
        if not isinstance(value, dict):
            what = f"`{keys[-1]}`" if keys else "the configuration"
            raise self.fail(f"{what} must be a mapping, not {type(value).__name__}", *keys)
        for key in value if known is not None else ():
            if key not in (known or ()):
                near = difflib.get_close_matches(str(key), known or (), n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known or ())}"
                raise self.fail(f"unknown key `{key}`", *keys, str(key), hint=hint)
        return value

    def list_of(self, value: Any, *keys: str | int) -> list[Any]:
        """A list; nothing is an empty one."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.fail(f"`{keys[-1]}` must be a list", *keys)
        return value

    def strings(self, value: Any, *keys: str | int) -> tuple[str, ...]:
        """Texts that are not empty; one by itself is a list of one."""
        values = value if isinstance(value, list) else [value]
        for item in values:
            if not isinstance(item, str) or not item:
                raise self.fail(f"`{keys[-1]}` must hold text, not {item!r}", *keys, hint="put it in quotes")
        return tuple(values)
