"""pytest-costguard: keeps inference fast and cheap.

Importing this package loads nothing else: an installed but unused plugin must cost nothing.
`from pytest_costguard import ab` loads what compares two callables.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load `ab` when it is asked for."""
    if name != "ab":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    # By name, so that the layers stay as they are: every module imports this one.
    return import_module("pytest_costguard.app.ab").ab
