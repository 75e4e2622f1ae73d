#!/bin/bash
# Every model is loaded as the service loads it: a wrong hash, a missing file or weights that do not fit stop the bake.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

cd "$APP"
OMP_NUM_THREADS=1 "$VENV/bin/python" - <<'PYTHON'
from pathlib import Path

from inference.store import load_store

store = load_store(Path("models"))
store.warm_up()
for key, model in store.models.items():
    print(f"hush-bake: model {key} {model.info.version} {model.info.sha256 or 'without weights'}")
PYTHON
