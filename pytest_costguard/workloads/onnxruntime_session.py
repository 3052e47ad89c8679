"""An ONNX model as a workload: by path, or in an onnxruntime session that is made already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.measure.ports import Description
from pytest_costguard.workloads.onnx_feeds import Feeds, ModelInput
from pytest_costguard.workloads.onnx_file import OnnxFile
from pytest_costguard.workloads.onnxruntime_binding import bound_server
from pytest_costguard.workloads.onnxruntime_settings import (
    SessionSettings,
    onnxruntime_errors,
    require_onnxruntime,
)
from pytest_costguard.workloads.options import flag, require_known

_SERVING_OPTIONS = ("io_binding", "output_names")
_MAKING_OPTIONS = ("providers", "session_options")


class OnnxRuntimeSession:
    """Serves a request by running an onnxruntime session with it.

    A request is a dict of name to array, a tuple of arrays in the order of the model's inputs,
    or a bare array for a model with one input. The answer is the list of output arrays.

    A session that is made here has exactly the declared threads and none that spins while idle.
    A session that the test made has the threads it was made with: its options read back what was
    last asked, so only the process's own threads can tell, and `describe` shows what it says.

    Args:
        model: the path of an `.onnx` or `.ort` file, or an `onnxruntime.InferenceSession`.
        threads: the declared number of threads.
        options: `output_names`; `io_binding` (True runs on bound memory: outputs of a device
            stay there as `OrtValue`, and so may inputs); and for a path `providers` (default:
            the CPU) and `session_options` (an `onnxruntime.SessionOptions`).

    Raises:
        ConfigError: an option is unknown, or is for a path and a session was given.
    """

    def __init__(self, model: Any, *, threads: int, options: Mapping[str, Any]) -> None:
        require_known(options, known=_SERVING_OPTIONS + _MAKING_OPTIONS, adapter="onnxruntime")
        by_path = isinstance(model, str | os.PathLike)
        self._file = OnnxFile(path=Path(model)) if by_path else None
        self._session: Any = None if by_path else model
        for name in _MAKING_OPTIONS if not by_path else ():
            if name in options:
                raise ConfigError(
                    f"onnxruntime: {name}= is for making a session, and this one is made already",
                    remedy="give the model's path instead of the session",
                )
        self._settings = SessionSettings(
            threads=threads,
            providers=options.get("providers"),
            session_options=options.get("session_options"),
        )
        self._binds = flag(options, "io_binding", adapter="onnxruntime")
        self._output_names: Any = options.get("output_names")
        self._digest: str | None = None

    @property
    def kind(self) -> str:
        """`onnxruntime`."""
        return "onnxruntime"

    @property
    def is_async(self) -> bool:
        """A session answers when it has finished."""
        return False

    def load(self) -> None:
        """Import onnxruntime and make the session, where that is not done yet.

        Raises:
            WorkloadError: there is no such file, it is a Git LFS pointer, onnxruntime refuses
                it, or a provider that was asked for would silently be replaced by the CPU.
            ConfigError: an option is not understood.
        """
        if self._session is None:
            assert self._file is not None, "a workload has a path or a session"
            self._session = self._made(self._file)
        self._output_names = self._checked_output_names()

    def function(self) -> Callable[[Any], Any]:
        """Return what runs the session with one request."""
        feeds, outputs = Feeds.of_session(self._session), self._output_names
        errors = onnxruntime_errors()
        if self._binds:
            run = bound_server(self._session, outputs=outputs)
        else:
            run_session = self._session.run

            def run(feed: Mapping[str, Any]) -> Any:
                return run_session(outputs, feed)

        def serve(request: Any) -> Any:
            try:
                # A dict is a feed already; asking that first spares each timed request a call.
                return run(request if type(request) is dict else feeds.feed(request))
            except errors as error:
                raise feeds.explained(request, error) from error

        return serve

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """What a request must hold, once the session is made."""
        return Feeds.of_session(self._session).inputs

    @property
    def output_names(self) -> tuple[str, ...]:
        """Which outputs an answer holds, in order, once the session is made."""
        return tuple(self._output_names)

    def synchronise(self) -> Callable[[], None] | None:
        """Return None: a run ends when its device has finished."""
        return None

    def serving(self) -> AbstractContextManager[object]:
        """Return a context that does nothing."""
        return nullcontext()

    def describe(self) -> Description:
        """Name the providers and the threads; digest the model's file and the weights beside it.

        The digest of a ready session is that of the file or the bytes it was made from, where
        the session still knows them.
        """
        if self._digest is None:
            self._digest = self._model_digest()
        details = {
            "providers": ", ".join(self._session.get_providers()),
            "io_binding": "yes" if self._binds else "no",
        }
        if self._file is None:
            says = self._session.get_session_options().intra_op_num_threads
            details["session"] = "made by the test"
            details["threads_as_the_session_says"] = str(says) if says else "0 (its own choice)"
        else:
            details |= self._settings.details()
        return Description(details=details, model_digest=self._digest)

    def device_peak_bytes(self) -> int | None:
        """Return None: onnxruntime does not tell what its arenas held."""
        return None

    def reset_device_peak(self) -> None:
        """Do nothing."""

    def _made(self, file: OnnxFile) -> Any:
        file.check()
        onnxruntime = require_onnxruntime()
        try:
            return self._settings.session(onnxruntime, path=file.path)
        except onnxruntime_errors() as error:
            file.check_external_data()
            raise WorkloadError(
                f"onnxruntime refuses {file.path}: {error}",
                remedy="check that the file is whole and that this onnxruntime knows its opset",
            ) from error

    def _checked_output_names(self) -> Any:
        there = [output.name for output in self._session.get_outputs()]
        names = self._output_names
        if names is None:
            return there
        names = [names] if isinstance(names, str) else list(names)
        unknown = [name for name in names if name not in there]
        if unknown or not names:
            raise ConfigError(
                f"onnxruntime: output_names={names!r} are not outputs of the model",
                remedy=f"the model's outputs are: {', '.join(there)}",
            )
        return names

    def _model_digest(self) -> str | None:
        if self._file is not None:
            return self._file.digest()
        # Private, hence with care: nothing public tells where a session's model came from.
        path = getattr(self._session, "_model_path", None)
        content = getattr(self._session, "_model_bytes", None)
        if isinstance(path, str | os.PathLike) and Path(path).is_file():
            return OnnxFile(path=Path(path)).digest()
        return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else None
