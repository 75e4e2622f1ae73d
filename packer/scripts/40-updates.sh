#!/bin/bash
# Security updates by themselves where the network allows them; never a reboot, which is the group's business.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

install -m 0644 "$BAKE/files/unattended-upgrades.conf" /etc/apt/apt.conf.d/60hush-unattended
apt-config dump Unattended-Upgrade::Automatic-Reboot | grep -q '"false"' || fail "unattended upgrades could reboot"
systemctl enable unattended-upgrades.service apt-daily.timer apt-daily-upgrade.timer
