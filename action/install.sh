#!/usr/bin/env bash
# Installs pytest-costguard into the Python that runs the tests: `action` for the version that this
# action belongs to, else the version of that number.
set -euo pipefail
wanted=$1
python=$(command -v python || command -v python3)
if [ "$wanted" = action ]; then
  source=$(cd "$(dirname "$0")/.." && pwd)
  requirement="pytest-costguard[ci] @ file://$source"
elif [[ $wanted =~ ^[0-9][0-9A-Za-z.+!-]*$ ]]; then
  requirement="pytest-costguard[ci]==$wanted"
else
  echo "install: \"$wanted\" is neither action, none nor a version" >&2
  exit 11
fi
"$python" -m pip install --disable-pip-version-check --quiet "$requirement"
