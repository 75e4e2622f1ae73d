#!/bin/bash
# The application at one commit, owned by root, writable for nobody.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

[[ "${COMMIT:-}" =~ ^[0-9a-f]{40}$ ]] || fail "COMMIT must be a full commit id, got '${COMMIT:-}'"
rm -rf "$APP"
install -d -m 0755 "$APP"
tar --extract --gzip --file "$BAKE/hush.tar.gz" --directory "$APP" --no-same-owner
chmod -R u=rwX,go=rX "$APP"
install -m 0755 "$APP/packer/files/hush-drain" "$HUSH/bin/hush-drain"
printf '{"commit": "%s", "built": "%s"}\n' "$COMMIT" "$(date --utc +%Y-%m-%dT%H:%M:%SZ)" >"$HUSH/version.json"
chmod 0644 "$HUSH/version.json"
