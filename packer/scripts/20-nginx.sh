#!/bin/bash
# nginx from the distribution. Its own service stays off: hush-nginx.service runs it with our configuration.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

# Masked first, so that installing it does not start a server on port 80.
systemctl mask nginx.service
install_packages nginx-light
at_least nginx "$(nginx -v 2>&1 | sed 's|.*/||; s| .*||')" "$NGINX_MINIMUM"
