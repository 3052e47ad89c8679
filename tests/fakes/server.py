"""A small real server: `python server.py PORT [what it does wrong …]`.

GET /ready answers 200 once it is; POST /infer answers with how many bytes it was sent; GET /pids
with the process ids of the server and of what it has started.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MEBIBYTE = 2**20
SLEEPER = (
    "import sys, time; held = bytearray(b'x') * int(sys.argv[1]);"
    " print('held', flush=True); time.sleep(600)"
)
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--late", type=float, default=0.0, help="seconds until it listens")
    parser.add_argument("--status", type=int, default=200, help="what /ready answers")
    parser.add_argument("--exit", type=int, help="end at once, with this status")
    parser.add_argument("--crash", action="store_true", help="raise at once")
    parser.add_argument("--deaf", action="store_true", help="never listen")
    parser.add_argument("--stubborn", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--serves", type=int, default=0, help="requests until it dies")
    parser.add_argument("--fails", action="store_true", help="log each request, and answer 500")
    parser.add_argument("--child", type=int, default=0, help="MiB of a child in its group")
    parser.add_argument("--outsider", choices=("mild", "stubborn"), help="a child with a session")
    parser.add_argument("--grows", type=int, default=0, help="MiB that each request needs")
    parser.add_argument("--busy", type=float, default=0.0, help="CPU seconds of a request")
    parser.add_argument("--pidfile", help="where to write its process ids")
    return parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    asked: argparse.Namespace
    pids: list[int]
    served = 0

    def do_GET(self) -> None:
        if self.path == "/pids":
            self.answer(200, json.dumps(self.pids))
        else:
            self.answer(self.asked.status, "")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Handler.served += 1
        if self.asked.serves and Handler.served > self.asked.serves:
            print("the model has eaten itself", file=sys.stderr, flush=True)
            os._exit(41)
        if self.asked.fails:
            print("\x1b[31mERROR\x1b[0m: the tensor x is missing", file=sys.stderr, flush=True)
            self.answer(500, "")
            return
        grown = bytearray(b"x" * (self.asked.grows * MEBIBYTE))
        began = time.thread_time()
        while time.thread_time() - began < self.asked.busy:
            pass
        del grown
        self.answer(200, str(len(body)))

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def start(program: str, mebibytes: int, *, apart: bool) -> int:
    command = [sys.executable, "-S", "-c", program, str(mebibytes * MEBIBYTE)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=apart)
    assert child.stdout is not None
    child.stdout.readline()
    return child.pid


def main() -> None:
    asked = options()
    if asked.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(f"serving a model on {asked.port}", flush=True)
    if asked.crash:
        raise ValueError("the weights are of another model")
    if asked.exit is not None:
        sys.exit(asked.exit)
    pids = [os.getpid()]
    if asked.child:
        pids.append(start(SLEEPER, asked.child, apart=False))
    if asked.outsider:
        program = STUBBORN if asked.outsider == "stubborn" else SLEEPER
        pids.append(start(program, 1, apart=True))
    if asked.pidfile:
        Path(asked.pidfile).write_text(json.dumps(pids))
    time.sleep(600 if asked.deaf else asked.late)
    Handler.asked, Handler.pids = asked, pids
    ThreadingHTTPServer(("127.0.0.1", asked.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
