"""From the options of a session to what its workers need."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_costguard.config.options import flags

_OWN_PLUGIN = "pytest_costguard.plugin"
_PLAIN = (str, int, float, bool, type(None))


def given_options(config: pytest.Config) -> dict[str, Any]:
    """Return what was given on the command line, by the option's destination."""
    return {flag.key: config.getoption(flag.dest) for flag in flags()}


def own_options(config: pytest.Config) -> dict[str, Any]:
    """Return the values of options that the project's own conftest files and plugins define.

    They may decide what a workload is, so the workers get them; the options of installed plugins
    they do not.
    """
    defaults = {
        dest: default
        for plugin in _project_plugins(config)
        for dest, default in _defined(plugin, config.pluginmanager).items()
    }
    given = {}
    for dest, default in defaults.items():
        value = getattr(config.option, dest, None)
        if _is_plain(value):
            given[dest] = value
        elif value != default:
            raise pytest.UsageError(
                f"--costguard cannot hand the option {dest}={value!r} to its workers\n"
                "  remedy: let the option be text, and convert it where it is used"
            )
    return given


def loaded_plugins(config: pytest.Config) -> tuple[str, ...]:
    """Return the modules given with `-p`; the worker loads them, less those that it blocks.

    Where entry points are not loaded, we are among them.
    """
    given = [name for name in config.option.plugins or () if not name.startswith("no:")]
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") and _OWN_PLUGIN not in given:
        given.insert(0, _OWN_PLUGIN)
    return tuple(dict.fromkeys(given))


def _project_plugins(config: pytest.Config) -> Iterator[ModuleType]:
    installed = {dist_plugin for dist_plugin, _ in config.pluginmanager.list_plugin_distinfo()}
    for plugin in config.pluginmanager.get_plugins():
        path = getattr(plugin, "__file__", None)
        if not isinstance(plugin, ModuleType) or path is None or plugin in installed:
            continue
        inside = config.rootpath in Path(path).parents
        if inside and "site-packages" not in Path(path).parts:
            yield plugin


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _defined(plugin: ModuleType, manager: pytest.PytestPluginManager) -> dict[str, Any]:
    """Ask a plugin for its options once more, on a parser of its own."""
    hook = getattr(plugin, "pytest_addoption", None)
    if hook is None:
        return {}
    recorder = _Recorder()
    wanted = {"parser": recorder, "pluginmanager": _Reader(manager)}
    known = inspect.signature(hook).parameters.keys() & wanted.keys()
    try:
        hook(**{name: wanted[name] for name in known})
    except Exception as error:  # the project's own code may do anything
        raise pytest.UsageError(
            f"--costguard cannot tell which options {plugin.__file__} defines: when it was asked"
            f" again, pytest_addoption raised {type(error).__name__}: {error}\n"
            "  remedy: let pytest_addoption do nothing but add options; what else it does belongs"
            " into pytest_configure"
        ) from error
    return recorder.defaults


class _Recorder:
    """Stands in for pytest's parser and its groups, and notes options with their defaults."""

    def __init__(self) -> None:
        self.defaults: dict[str, Any] = {}

    def addoption(self, *names: str, **attributes: Any) -> None:
        long = next((name for name in names if name.startswith("--")), names[0])
        default = long.lstrip("-").replace("-", "_")
        self.defaults[str(attributes.get("dest") or default)] = attributes.get("default")

    _addoption = addoption
    """What groups are asked for where an option has a short name of one small letter."""

    def getgroup(self, *_: Any, **__: Any) -> _Recorder:
        return self

    def addini(self, *_: Any, **__: Any) -> None:
        """Settings of the file reach the workers by themselves."""

    def __getattr__(self, name: str) -> _Ignored:
        return _Ignored()


class _Ignored:
    """Stands in for whatever else of the parser a plugin touches: it has no option in it."""

    def __getattr__(self, name: str) -> _Ignored:
        return self

    def __call__(self, *_: Any, **__: Any) -> _Ignored:
        return self


class _Reader:
    """The plugin manager for one who asks a second time: it answers, and changes nothing."""

    def __init__(self, manager: pytest.PytestPluginManager) -> None:
        self._manager = manager

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("register", "unregister", "import", "add", "set_", "unblock", "load")):
            return _Ignored()
        return getattr(self._manager, name)
