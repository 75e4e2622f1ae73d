#!/bin/bash
# Logs stay for seven days on the machine; the CloudWatch agent takes them further.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

install -m 0644 "$BAKE/files/logrotate.conf" /etc/logrotate.d/hush
logrotate --debug /etc/logrotate.d/hush 2>&1 | grep -i '^error' && fail "logrotate does not take its configuration"
dpkg-query --show --showformat '${Package}=${Version}\n' >"$HUSH/packages.txt"
"$VENV/bin/python" -m pip list --format freeze --disable-pip-version-check >"$HUSH/python-packages.txt"
