"""onnxruntime sessions as this service wants them."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def open_session(path: Path, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session on the CPU that works with exactly so many threads.

    Many requests are served beside each other, one thread each, so a session must not take all
    cores, and threads that wait must sleep: spinning ones take the cores from other requests.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
