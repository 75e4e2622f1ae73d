#!/bin/bash
# What belongs to this machine and not to the image: keys, identities, logs, histories.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

systemctl stop hush.target hush-lifecycle.service 2>/dev/null || true
apt-get -q -y autoremove --purge </dev/null
apt-get clean
rm -rf /var/lib/apt/lists/* /etc/hush/instance.json /run/hush-config /var/log/hush/* /var/log/hush-nginx/* /var/cache/hush*
# The next machine makes its own.
rm -f /etc/ssh/ssh_host_*
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed
! command -v cloud-init >/dev/null || cloud-init clean --logs --seed
getent passwd | awk -F: '{print $6}' | sort -u | while read -r home; do
    [ ! -d "$home" ] || rm -rf "$home/.ssh/authorized_keys" "$home/.bash_history" "$home/.cache" "$home/.python_history"
done
find /var/log -type f ! -path '/var/log/journal/*' -exec truncate --size 0 {} +
journalctl --quiet --rotate
journalctl --quiet --vacuum-time 1s
# Packer removes its own uploads as well; these may not stay even if it fails to.
rm -rf /var/tmp/* "$BAKE"
sync
