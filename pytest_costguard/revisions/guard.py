"""The import guard of a worker: base's process imports base's modules, head's imports head's.

A revision that is compared with itself by accident is the worst false green there is, and there
are many ways to it: an editable install points at the checkout, CI has installed head into
site-packages, a finder of an editable install puts itself before all others. So the guard goes
first, takes a project's own modules from the process's own tree alone, and raises where they are
only elsewhere: to return None would let the next finder leak.

It runs before anything else in the worker, so it imports the standard library alone.
"""

# The import system hands paths on as text, thousands of times.
# ruff: noqa: PTH100, PTH110, PTH113, PTH118

from __future__ import annotations

import gc
import importlib.machinery
import importlib.util
import json
import os
import site
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

GUARD_VARIABLE = "COSTGUARD_GUARD"
_OURS = "pytest_costguard"
"""This tool runs on both sides as it is installed, also where it is the project itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one side may import. All paths are absolute, their links resolved."""

    tree: str
    """This side's own tree, which stands for `checkout`."""
    checkout: str
    """The user's checkout: what is found there is taken from the same place in `tree`."""
    other: str
    """The other side's tree, from which nothing may come."""
    roots: tuple[str, ...]
    """Where this side's own modules are, inside `tree`."""
    owned: tuple[str, ...]
    """Names that belong to the project, on either side: `pkg`, `namespace.pkg`, `module`."""

    def encoded(self) -> str:
        """Return it as text for the environment."""
        return json.dumps(asdict(self))

    @classmethod
    def decoded(cls, text: str) -> Policy:
        """Read what `encoded` wrote."""
        read = json.loads(text)
        return cls(**{**read, "roots": tuple(read["roots"]), "owned": tuple(read["owned"])})


@dataclass(slots=True)
class Guard:
    """A finder that stays the first one, and knows afterwards what was loaded from where."""

    policy: Policy
    installed: tuple[str, ...] = ()
    """The folders of installed packages; a virtual environment may lie inside the checkout."""
    blocked: dict[str, str] = field(default_factory=dict)
    """Own modules that are not in this tree, and where they would have come from."""
    _owned: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._owned = frozenset(self.policy.owned)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module in this side's tree if it is the project's own; else let others find it.

        Raises:
            ModuleNotFoundError: it is the project's own and not in this tree.
        """
        if _is_ours(fullname):
            return None
        owned = self.owns(fullname)
        elsewhere = ""
        for find in _others():
            spec = find(fullname, path, target)
            if spec is None:
                continue
            spec = self._redirected(spec)
            where = _location(spec)
            if self._acceptable(where, owned=owned):
                return spec
            elsewhere = elsewhere or where
        if owned and (spec := PathFinder.find_spec(fullname, self._own_path(fullname))):
            return spec
        if not owned and not elsewhere:
            return None
        self.blocked[fullname] = elsewhere
        raise ModuleNotFoundError(
            f"{fullname} belongs to the project and is not in the tree of this revision, "
            f"{self.policy.tree}"
            + (f"; it was refused from {elsewhere}" if elsewhere else "")
            + "; if it is compiled or generated, --costguard-build=COMMAND makes it in both trees",
            name=fullname,
        )

    def owns(self, fullname: str) -> bool:
        """Whether a module is the project's own, or inside of one that is."""
        while fullname:
            if fullname in self._owned:
                return True
            fullname = fullname.rpartition(".")[0]
        return False

    def foreign(self, path: str) -> bool:
        """Whether a file is the checkout's or the other side's, where this side's should be."""
        if _within(path, self.policy.tree) or any(_within(path, one) for one in self.installed):
            return False
        return _within(path, self.policy.checkout) or _within(path, self.policy.other)

    def translated(self, path: str) -> str:
        """Return a path of the checkout as the same path of this side's tree."""
        if self.foreign(path) and _within(path, self.policy.checkout):
            return os.path.join(self.policy.tree, os.path.relpath(path, self.policy.checkout))
        return path

    def go_first(self) -> None:
        """Be the first finder, again where something was put before it or has removed it."""
        if not isinstance(sys.meta_path, _GuardFirst) or sys.meta_path[0] is not self:
            others = [finder for finder in sys.meta_path if finder is not self]
            sys.meta_path = _GuardFirst([self, *others])

    def leaks(self, modules: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
        """Name the loaded modules that came from elsewhere, though nothing should have.

        Args:
            modules: names and modules, as `modules_loaded` returns them.
        """
        return tuple(
            f"{name} from {place}"
            for name, module in modules
            if not _is_ours(name)
            for place in _places(module)
            if not _within(place, self.policy.tree)
            and (self.owns(name) or self.foreign(place) or self.foreign(os.path.realpath(place)))
        )

    def loaded(self, modules: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
        """Return the tree's own files that were loaded as modules, relative to it."""
        found = {
            os.path.relpath(place, self.policy.tree).replace(os.sep, "/")
            for _, module in modules
            for place in _places(module)
            if _within(place, self.policy.tree) and os.path.isfile(place)
        }
        return tuple(sorted(found))

    def _acceptable(self, where: str, *, owned: bool) -> bool:
        if owned:
            return _within(where, self.policy.tree)
        return not self.foreign(where)

    def _own_path(self, fullname: str) -> list[str]:
        below = fullname.split(".")[:-1]
        return [os.path.join(root, *below) for root in self.policy.roots]

    def _redirected(self, spec: ModuleSpec) -> ModuleSpec:
        """Turn a spec that points into the checkout to the same place in this side's tree."""
        places = spec.submodule_search_locations
        if spec.origin is None or not spec.has_location:
            if places is not None:
                kept = [self.translated(place) for place in places]
                own = [place for place in kept if not self.foreign(place)]
                spec.submodule_search_locations = own if own != list(places) else places
            return spec
        if not self.foreign(spec.origin):
            return spec
        origin = self.translated(spec.origin)
        if not os.path.exists(origin):
            return spec
        found = importlib.util.spec_from_file_location(
            spec.name,
            origin,
            submodule_search_locations=None
            if places is None
            else [self.translated(place) for place in places],
        )
        return found or spec


class _GuardFirst(list[Any]):
    """A `sys.meta_path` in which those who ask to be first come after the guard."""

    def insert(self, index: Any, finder: Any) -> None:
        """Insert behind the guard."""
        super().insert(max(1, index) if index >= 0 else index, finder)


_of_this_process: Guard | None = None


def install(policy: Policy) -> Guard:
    """Put the guard first, and this side's source roots before everything on `sys.path`."""
    global _of_this_process  # noqa: PLW0603  # a process has one guard, whoever rewrites sys.meta_path
    _of_this_process = guard = Guard(policy, installed=_installed_folders())
    own = list(policy.roots)
    kept = [guard.translated(os.path.abspath(entry)) for entry in sys.path if entry]
    sys.path[:] = [*dict.fromkeys([*own, *kept])]
    guard.go_first()
    importlib.invalidate_caches()
    return guard


def current() -> Guard | None:
    """Return the guard of this process, or None where there is none."""
    return _of_this_process


def modules_loaded() -> list[tuple[str, Any]]:
    """Return the names and modules of all code that this process holds.

    `sys.modules` first, then those that were taken out of it, or never were in it, as long as a
    function of theirs lives.
    """
    found: list[tuple[str, Any]] = list(sys.modules.items())
    seen = {id(getattr(module, "__dict__", None)) for _, module in found}
    for one in gc.get_objects():
        if type(one) is FunctionType and id(one.__globals__) not in seen:
            seen.add(id(one.__globals__))
            # A function that was unpickled has globals of its own, made from no file.
            if isinstance(one.__globals__.get("__spec__"), ModuleSpec):
                file = one.__globals__.get("__file__")
                found.append((str(one.__globals__.get("__name__")), SimpleNamespace(__file__=file)))
    return found


def _others() -> list[Callable[..., ModuleSpec | None]]:
    return [
        finder.find_spec
        for finder in list(sys.meta_path)
        if not isinstance(finder, Guard) and hasattr(finder, "find_spec")
    ]


def _installed_folders() -> tuple[str, ...]:
    user = site.getusersitepackages()
    found = [sys.prefix, sys.exec_prefix, sys.base_prefix, *site.getsitepackages(), user]
    return tuple(dict.fromkeys([*found, *map(os.path.realpath, found)]))


def _is_ours(name: str) -> bool:
    return name == _OURS or name.startswith(f"{_OURS}.")


def _location(spec: ModuleSpec) -> str:
    if spec.has_location and spec.origin:
        return os.path.abspath(spec.origin)
    places = list(spec.submodule_search_locations or ())
    return os.path.abspath(places[0]) if places else ""


def _places(module: Any) -> list[str]:
    """Where a loaded module is: its file, or the portions of a namespace."""
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return [os.path.abspath(file)]
    try:
        return [os.path.abspath(place) for place in getattr(module, "__path__", None) or ()]
    except Exception:  # noqa: BLE001  # a lazy module may do anything when it is asked
        return []


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
