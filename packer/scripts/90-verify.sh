#!/bin/bash
# The bake ends here unless the machine enhances recordings through nginx and is closed where it should be.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

starts() {
    local began=$SECONDS
    systemctl start hush.target
    for unit in hush-configure hush hush-nginx hush-serving; do
        systemctl is-active --quiet "$unit.service" || {
            journalctl --no-pager --lines 30 --unit "$unit.service" >&2
            tail -n 30 /var/log/hush/hush.log >&2
            fail "$unit.service is not active"
        }
    done
    say "from start to ready: $((SECONDS - began)) s"
}

enhances() {
    (cd "$APP" && "$VENV/bin/python" -m packer.instance.check_service http://127.0.0.1:8080 "$BAKE/noisy.wav" models)
}

is_hardened() {
    local unit
    for unit in "${UNITS[@]}"; do
        systemd-analyze security --no-pager --threshold="$SECURITY_THRESHOLD" "$unit" >/dev/null ||
            fail "$unit is more exposed than $SECURITY_THRESHOLD tenths: systemd-analyze security $unit"
    done
    say "exposure of every unit is at most $SECURITY_THRESHOLD tenths"
}

# Nothing of ours runs as root; sshd is the base image's and is unreachable in the fleet (no key, no rule).
runs_unprivileged() {
    local unit pid
    for unit in hush hush-nginx; do
        for pid in $(systemctl show --property MainPID --value "$unit.service"); do
            [ "$(stat --format %u "/proc/$pid")" != 0 ] || fail "$unit.service runs as root"
        done
    done
}

# From outside only nginx can be reached, and the sshd through which Packer works.
is_closed() {
    local others
    others=$(ss --listening --tcp --numeric --processes --no-header |
        awk '/users:/ && $4 !~ /^(127\.|\[::1\])/ && !/"(sshd|nginx|systemd)"/ {print $4, $6}')
    [ -z "$others" ] || fail "somebody else listens: $others"
}

is_read_only() {
    local writable
    writable=$(find "$HUSH" -xdev ! -type l \( ! -user root -o -perm /022 \) -print -quit)
    [ -z "$writable" ] || fail "$writable can be changed by others than root"
    setpriv --reuid hush --regid hush --clear-groups test ! -w "$APP/wsgi.py" || fail "the service may change its code"
}

# serving, nginx, gunicorn: by the times at which systemd saw them end. All are named, because systemctl waits only for
# what it is told to stop, and the target is over first.
stops_in_order() {
    local before now unit
    sed -i 's/^DRAIN_SECONDS=.*/DRAIN_SECONDS="1"/' /run/hush-config/serving.env
    before=$(($(cut -d ' ' -f 1 /proc/uptime | tr -d .) * 10000)) # microseconds since boot
    systemctl stop hush.target hush-serving.service hush-nginx.service hush.service
    for unit in hush-serving hush-nginx hush; do
        now=$(systemctl show --property InactiveEnterTimestampMonotonic --value "$unit.service")
        [ "$now" -gt "$before" ] || fail "$unit.service has not stopped, or too early"
        before=$now
    done
    say "stops in order: serving, nginx, gunicorn"
}

starts
enhances
is_hardened
runs_unprivileged
is_closed
is_read_only
stops_in_order
