#!/bin/bash
# Users without a shell, a password or a home.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

for name in hush hush-lifecycle; do
    getent passwd "$name" >/dev/null ||
        useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$name"
done
install -d -m 0755 "$HUSH" "$HUSH/bin"
install -d -m 0750 -o root -g hush /etc/hush
# systemd opens gunicorn's log before it would make the unit's LogsDirectory.
echo 'd /var/log/hush 0750 hush hush' >/etc/tmpfiles.d/hush.conf
systemd-tmpfiles --create /etc/tmpfiles.d/hush.conf
