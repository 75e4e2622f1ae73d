#!/bin/bash
# Kernel settings and limits.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

install -m 0644 "$BAKE/files/sysctl.conf" /etc/sysctl.d/60-hush.conf
install -d /etc/systemd/coredump.conf.d /etc/systemd/journald.conf.d
# A core file would hold recordings.
printf '[Coredump]\nStorage=none\nProcessSizeMax=0\n' >/etc/systemd/coredump.conf.d/hush.conf
printf '[Journal]\nSystemMaxUse=500M\nMaxRetentionSec=7day\n' >/etc/systemd/journald.conf.d/hush.conf
# In a container some of them belong to the host; a real machine has them all.
if systemd-detect-virt --container --quiet; then
    say "a container: the kernel's settings are not applied here"
else
    sysctl --quiet --load=/etc/sysctl.d/60-hush.conf
fi
