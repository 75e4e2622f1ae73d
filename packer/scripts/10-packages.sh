#!/bin/bash
# System packages at the newest security level of the base image's release.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

# A fresh cloud image is still busy with itself, and holds apt's lock.
if command -v cloud-init >/dev/null; then
    cloud-init status --wait || say "cloud-init ended with an error of its own; going on"
fi

apt-get update -q
apt-get -q -y -o DPkg::Lock::Timeout=300 dist-upgrade </dev/null
install_packages ca-certificates curl iproute2 logrotate unattended-upgrades python3 python3-venv
at_least python3 "$(python3 -c 'import platform; print(platform.python_version())')" "$PYTHON_MINIMUM"
at_least systemd "$(systemctl --version | awk 'NR == 1 {print $2}')" "$SYSTEMD_MINIMUM"
