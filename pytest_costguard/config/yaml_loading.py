"""Safe YAML loading that refuses a key written twice, as TOML does; imports PyYAML."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which would otherwise let the later of two equal keys win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping of a node.

        Raises:
            yaml.constructor.ConstructorError: a key is there twice.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            # Merged keys ("<<") may repeat what the mapping itself says: that is their purpose.
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def load_yaml(text: str) -> object:
    """Return the document in `text` as plain values.

    Raises:
        yaml.YAMLError: not YAML, a tag that is not plain data, or a key that is there twice.
    """
    # The loader derives from SafeLoader: it makes plain values only.
    document: object = yaml.load(text, Loader=_StrictLoader)  # noqa: S506
    return document
