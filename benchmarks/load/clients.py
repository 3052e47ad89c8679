"""Load generators against the same loopback server with a known distribution of delays.

Ours, `wrk` and `hey` (where they are on the path), Locust and AIPerf (where their commands are).
Each sends for some seconds in a process of its own, pinned to the second core, while the server
has the first. What each says of p99 is held against the truth: the server's delays are exponential,
so that their p99 is mean · ln 100, and what the loopback adds is seen with a delay of zero.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEAN_MS = 10.0
TRUE_P99 = MEAN_MS / 1e3 * math.log(100)
RATES = (100.0, 250.0, 500.0, 1000.0, 1500.0, 2000.0, 3000.0)
HONEST_LATE_SHARE = 0.05
CONNECTIONS = 64
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What one generator did at one rate, and what it says of the latency."""

    client: str
    asked: float | None
    """None: as fast as it can, the next request when one is answered."""
    rate: float
    p50: float | None
    p99: float | None
    cpu_per_request: float
    late_p99: float | None = None

    @property
    def honest(self) -> bool:
        """Whether it sent what was asked for, and in time as far as it tells."""
        if self.asked is None or self.rate < 0.98 * self.asked:
            return False
        late = self.late_p99 or 0.0
        return self.p50 is None or late <= HONEST_LATE_SHARE * self.p50

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "client": self.client,
            "asked": self.asked,
            "rate": self.rate,
            "p50": self.p50,
            "p99": self.p99,
            "late_p99": self.late_p99,
            "cpu_per_request": self.cpu_per_request,
            "honest": self.honest,
        }


@contextmanager
def known_server(mean_ms: float) -> Iterator[str]:
    """Serve on the first core; yield the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.load.known_server", str(port), str(mean_ms)]
    process = subprocess.Popen(_pinned(command, core=0))
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/infer"
    finally:
        process.terminate()
        process.wait(10)


def all_clients(seconds: float, *, rates: Sequence[float] = RATES) -> Iterator[Sent]:
    """Run every generator that is there, one after the other, at each rate."""
    with known_server(MEAN_MS) as url:
        for rate in rates:
            yield ours(url, rate, seconds)
            if shutil.which("hey"):
                yield hey(url, rate, seconds)
            if locust_command():
                yield locust(url, rate, seconds)
            if aiperf_command():
                yield aiperf(url, rate, seconds)
        if shutil.which("wrk"):
            yield wrk(url, seconds)


def ours(url: str, rate: float, seconds: float) -> Sent:
    """Send with this project's own generator."""
    command = [sys.executable, "-m", "benchmarks.load.our_client", url, str(rate), str(seconds)]
    said = json.loads(_run(command).out)
    return Sent(
        client="costguard",
        asked=rate,
        rate=said["rate"],
        p50=said["p50"],
        p99=said["p99"],
        late_p99=said["late_p99"],
        cpu_per_request=said["cpu_per_request"],
    )


def hey(url: str, rate: float, seconds: float) -> Sent:
    """Send with `hey`: each of its workers waits for its answer, and is held to its share."""
    each = rate / CONNECTIONS
    command = ["hey", "-z", f"{seconds:g}s", "-c", str(CONNECTIONS), "-q", f"{each:g}"]
    ran = _run([*command, "-m", "POST", "-d", '{"x": [1.0]}', url])
    found = re.search(r"Requests/sec:\s+([\d.]+)", ran.out)
    count = float(found[1]) * seconds if found else math.nan
    percentiles = dict(re.findall(r"(\d+)%+ in ([\d.]+) secs", ran.out))
    return Sent(
        client="hey",
        asked=rate,
        rate=float(found[1]) if found else math.nan,
        p50=float(percentiles["50"]) if "50" in percentiles else None,
        p99=float(percentiles["99"]) if "99" in percentiles else None,
        cpu_per_request=ran.cpu_seconds / count,
    )


def wrk(url: str, seconds: float) -> Sent:
    """Send with `wrk`, as fast as its connections are answered."""
    ran = _run(["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds:g}s", "--latency", url])
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", ran.out))
    count = float(_found(r"(\d+) requests in", ran.out))
    return Sent(
        client="wrk",
        asked=None,
        rate=rate,
        p50=_seconds(_found(r"50%\s+([\d.]+\w+)", ran.out)),
        p99=_seconds(_found(r"99%\s+([\d.]+\w+)", ran.out)),
        cpu_per_request=ran.cpu_seconds / count,
    )


_LOCUSTFILE = """
from locust import FastHttpUser, constant_throughput, task

class Client(FastHttpUser):
    wait_time = constant_throughput({each})

    @task
    def infer(self):
        self.client.post("/infer", json={{"x": [1.0]}})
"""


def locust_command() -> str | None:
    """Return where Locust is: on the path, or named by `LOCUST`."""
    return os.environ.get("LOCUST") or shutil.which("locust")


def locust(url: str, rate: float, seconds: float) -> Sent:
    """Send with Locust: users that wait for their answers, each held to its share of the rate."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "locustfile.py"
        file.write_text(_LOCUSTFILE.format(each=rate / CONNECTIONS))
        ran = _run(
            [
                locust_command() or "locust",
                *("-f", str(file), "--headless", "-u", str(CONNECTIONS), "-r", str(CONNECTIONS)),
                *("-t", f"{round(seconds) + 1}s", "--host", url.removesuffix("/infer")),
                *("--csv", f"{folder}/out", "--csv-full-history"),
            ]
        )
        with (Path(folder) / "out_stats.csv").open() as stats:
            total = list(csv.DictReader(stats))[-1]
    return Sent(
        client="Locust",
        asked=rate,
        rate=float(total["Requests/s"]),
        p50=float(total["50%"]) / 1e3,
        p99=float(total["99%"]) / 1e3,
        cpu_per_request=ran.cpu_seconds / max(1, int(total["Request Count"])),
    )


_TOKENIZER = {
    "tokenizer.json": {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "the": 1}, "unk_token": "[UNK]"},
    },
    "tokenizer_config.json": {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "[UNK]",
    },
}


def aiperf_command() -> str | None:
    """Return where AIPerf is: on the path, or named by `AIPERF`."""
    return os.environ.get("AIPERF") or shutil.which("aiperf")


def aiperf(url: str, rate: float, seconds: float) -> Sent:
    """Send with AIPerf: bodies from a template, and a tokenizer of two words for it."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = Path(folder) / "tokenizer"
        tokenizer.mkdir()
        for name, content in _TOKENIZER.items():
            (tokenizer / name).write_text(json.dumps(content))
        ran = _run(
            [
                aiperf_command() or "aiperf",
                *("profile", "--model", "known", "--url", url, "--ui", "none"),
                *("--endpoint-type", "template", "--tokenizer", str(tokenizer)),
                *("--extra-inputs", 'payload_template:{"x": [1.0]}'),
                *("--extra-inputs", "response_field:outputs[0].name"),
                *("--arrival-pattern", "constant", "--request-rate", f"{rate:g}"),
                *("--request-count", str(round(rate * seconds))),
                *("--output-artifact-dir", folder),
            ]
        )
        told = json.loads((Path(folder) / "profile_export_aiperf.json").read_text())
    latency = told["request_latency"]
    return Sent(
        client="AIPerf",
        asked=rate,
        rate=float(told["request_throughput"]["avg"]),
        p50=float(latency["p50"]) / 1e3,
        p99=float(latency["p99"]) / 1e3,
        cpu_per_request=ran.cpu_seconds / max(1.0, float(told["request_count"]["avg"])),
    )


@dataclass(frozen=True, kw_only=True)
class _Ran:
    out: str
    cpu_seconds: float


def _run(command: list[str]) -> _Ran:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        _pinned(command, core=1), capture_output=True, text=True, timeout=300, check=False
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):  # Locust ends with 1 where a request has failed
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return _Ran(out=done.stdout, cpu_seconds=cpu)


def _pinned(command: list[str], *, core: int) -> list[str]:
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2 or not shutil.which("taskset"):
        return command
    return ["taskset", "-c", str(available[core]), *command]


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not start within 10 s")


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"{pattern} is not in: {text[:500]}")
    return found[1]


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)([a-z]+)", text)
    assert found is not None, f"{text} is no duration"
    return float(found[1]) * _UNITS[found[2]]
