#!/usr/bin/env bash
# Installs pytest-costguard: `install.sh WHICH [locked]`. WHICH is `action` for the version that this
# action belongs to, else the version of that number. Into the Python that runs the tests it brings
# what fits there; `locked`, for jobs that run no tests, takes the dependencies of locked.txt alone,
# by their hashes.
set -euo pipefail
wanted=$1
locked=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
python=$(command -v python || command -v python3)

# Python looks for pip where it is started first: not in what an earlier job has left.
cd "$here"

install() {
  "$python" -m pip install --disable-pip-version-check --quiet "$@"
}

if [ "$wanted" = action ]; then
  # As an address, so that spaces and the drives of Windows are written as pip reads them.
  suffix=" @ $("$python" -c 'import pathlib, sys; print(pathlib.Path(sys.argv[1]).resolve().as_uri())' "$here/..")"
elif [[ $wanted =~ ^[0-9][0-9A-Za-z.+!-]*$ ]]; then
  suffix="==$wanted"
else
  echo "install: \"$wanted\" is neither action, none nor a version" >&2
  exit 11
fi
if [ -n "$locked" ]; then
  install --require-hashes --only-binary :all: --requirement "$here/locked.txt"
  install --no-deps --no-build-isolation "pytest-costguard$suffix"
else
  install "pytest-costguard[ci]$suffix"
fi
