#!/bin/bash
# The Python environment from hashed pins: a package whose file is not one of those we have seen is refused.
#   TORCH_INDEX   further index, for the CPU build of torch
#   WHEELS        folder on this machine with every wheel; no index is asked then
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

rm -rf "$VENV"
python3 -m venv "$VENV"
options=(--require-hashes --no-deps --only-binary :all: --no-cache-dir --disable-pip-version-check)
[ -z "${WHEELS:-}" ] || options+=(--no-index --find-links "$WHEELS")
[ -z "${TORCH_INDEX:-}" ] || options+=(--extra-index-url "$TORCH_INDEX")
"$VENV/bin/python" -m pip install --quiet "${options[@]}" --requirement "$APP/packer/requirements.lock"
"$VENV/bin/python" -m pip check
# Nobody may write byte code later; pip has compiled the packages.
"$VENV/bin/python" -m compileall -q "$APP"
chmod -R go-w "$VENV"
