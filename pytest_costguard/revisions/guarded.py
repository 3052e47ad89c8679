"""`python -m pytest_costguard.revisions.guarded …`: pytest, behind the import guard.

The guard must be there before pytest is, since plugins and conftest files are the project's own.
"""

from __future__ import annotations

import os
import runpy
import sys

from pytest_costguard.revisions.guard import GUARD_VARIABLE, Policy, install


def main() -> None:
    """Install the guard that the environment describes, and become `python -m pytest`."""
    install(Policy.decoded(os.environ.pop(GUARD_VARIABLE)))
    sys.argv[0] = "pytest"
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
