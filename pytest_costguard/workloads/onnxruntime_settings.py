"""How an onnxruntime session is made: its threads, its providers, and nothing behind one's back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_costguard.errors import ConfigError, WorkloadError

_CPU = "CPUExecutionProvider"
_SPINNING = ("session.intra_op.allow_spinning", "session.inter_op.allow_spinning")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The declared threads, the providers asked for, and the session options of the test."""

    threads: int
    providers: Any = None
    """Names, or pairs of a name and its options; one alone; None for the CPU."""
    session_options: Any = None

    def session(self, onnxruntime: Any, *, path: Path) -> Any:
        """Make the session of the model at `path`.

        Raises:
            ConfigError: the settings are not understood, or contradict the declared threads.
            WorkloadError: a provider is not there, or gave way to another one.
        """
        providers = self._providers()
        _require_available(onnxruntime, providers)
        with self._options(onnxruntime) as options:
            session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=providers
            )
        # Else a failing provider is replaced by the CPU in the middle of a measurement.
        session.disable_fallback()
        _require_in_use(session, providers)
        return session

    def details(self) -> dict[str, str]:
        """Say what the session was made with."""
        return {"session_threads": str(self.threads), "graph_options": self._graph_options()}

    def _graph_options(self) -> str:
        if self.session_options is None:
            return "default"
        options = self.session_options
        return f"{options.graph_optimization_level.name}, {options.execution_mode.name}"

    def _providers(self) -> list[Any]:
        asked = self.providers
        if asked is None:
            return [_CPU]
        is_pair = isinstance(asked, tuple) and len(asked) == 2 and isinstance(asked[1], dict)
        listed = [asked] if isinstance(asked, str) or is_pair else asked
        if not isinstance(listed, list | tuple) or not all(map(_is_provider, listed)) or not listed:
            raise ConfigError(
                f"onnxruntime: providers={asked!r} is not understood",
                remedy=f"give a list of names, or of (name, options): providers=[{_CPU!r}]",
            )
        return list(listed)

    @contextmanager
    def _options(self, onnxruntime: Any) -> Iterator[Any]:
        """Lend the session options with the declared threads, and give them back as they were.

        One `SessionOptions` may serve several tests, whose threads differ.
        """
        given = self.session_options
        options = onnxruntime.SessionOptions() if given is None else given
        if not isinstance(options, onnxruntime.SessionOptions):
            raise ConfigError(
                f"onnxruntime: session_options={options!r} are not session options",
                remedy="give an onnxruntime.SessionOptions",
            )
        intra, inter = options.intra_op_num_threads, options.inter_op_num_threads
        self._require_agreement(intra=intra, inter=inter)
        options.intra_op_num_threads = self.threads
        # Used in parallel mode only, where one pool more would exceed what was declared.
        options.inter_op_num_threads = inter or 1
        for entry in _SPINNING:
            if not _is_set(options, entry):
                options.add_session_config_entry(entry, "0")
        try:
            yield options
        finally:
            options.intra_op_num_threads, options.inter_op_num_threads = intra, inter

    def _require_agreement(self, *, intra: int, inter: int) -> None:
        if intra not in (0, self.threads) or inter > self.threads:
            raise ConfigError(
                f"onnxruntime: session_options ask for {intra} threads within and {inter} between "
                f"operators, declared are threads={self.threads}",
                remedy=f"declare threads={max(intra, inter)}, or leave them out of the options",
            )


def require_onnxruntime() -> Any:
    """Import onnxruntime.

    Raises:
        WorkloadError: it is not installed, or does not load.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise WorkloadError(
            f"onnxruntime cannot be imported: {error}",
            remedy="pip install 'pytest-costguard[onnx]', or the onnxruntime of your hardware",
        ) from error
    return onnxruntime


def onnxruntime_errors() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises: its own classes, which share no base, and Python's."""
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    own = [kind for kind in vars(native).values() if isinstance(kind, type)]
    return (
        *(kind for kind in own if issubclass(kind, Exception)),
        RuntimeError,
        TypeError,
        ValueError,
    )


def _is_provider(value: object) -> bool:
    if isinstance(value, tuple):
        return len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)
    return isinstance(value, str)


def _name(provider: Any) -> str:
    return provider if isinstance(provider, str) else str(provider[0])


def _is_set(options: Any, entry: str) -> bool:
    try:
        options.get_session_config_entry(entry)
    except RuntimeError:  # the only way it has to say no
        return False
    return True


def _require_available(onnxruntime: Any, providers: list[Any]) -> None:
    available = onnxruntime.get_available_providers()
    absent = [_name(each) for each in providers if _name(each) not in available]
    if absent:
        raise WorkloadError(
            f"this onnxruntime has no {', '.join(absent)}",
            remedy=f"install the onnxruntime that has it; here are: {', '.join(available)}",
        )


def _require_in_use(session: Any, providers: list[Any]) -> None:
    """Raise where onnxruntime went on without a provider, as it does when a library is missing."""
    in_use = session.get_providers()
    given_up = [_name(each) for each in providers if _name(each) not in in_use]
    if given_up:
        raise WorkloadError(
            f"onnxruntime gave up {', '.join(given_up)} and would use {', '.join(in_use)}",
            remedy="see its message above: a device or a library of the provider is missing",
        )
