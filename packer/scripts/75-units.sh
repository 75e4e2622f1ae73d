#!/bin/bash
# systemd units and the settings that the image decides.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

install -m 0644 "$BAKE"/systemd/hush* /etc/systemd/system/
install -m 0640 -o root -g hush "$BAKE/files/hush.env" /etc/hush/hush.env
systemctl daemon-reload
cd /etc/systemd/system
# Warnings count: a misspelt directive would be ignored silently at boot.
found=$(systemd-analyze verify --man=no hush.target hush-stop.target hush-stop.path "${UNITS[@]}" 2>&1 | grep -F hush || true)
[ -z "$found" ] || fail "systemd-analyze verify: $found"
systemctl enable --quiet hush.target hush-lifecycle.service hush-stop.path
