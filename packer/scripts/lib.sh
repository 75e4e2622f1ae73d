# shellcheck shell=bash disable=SC2034
# Read by every script: where things are, and how apt is asked. Not executable by itself.
set -euo pipefail

# Where Packer put packer/ on the machine, and the pins.
BAKE=${BAKE:-/tmp/hush-bake}
# shellcheck source=pins.env
. "$BAKE/pins.env"

HUSH=/opt/hush
APP=$HUSH/app
VENV=$HUSH/venv
UNITS=(hush-configure.service hush.service hush-jobs.service hush-nginx.service hush-serving.service hush-lifecycle.service)
export DEBIAN_FRONTEND=noninteractive

say() {
    echo "hush-bake: $*"
}

fail() {
    echo "hush-bake: $*" >&2
    exit 1
}

install_packages() {
    apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# at_least NAME FOUND MINIMUM
at_least() {
    dpkg --compare-versions "$2" ge "$3" || fail "$1 is $2, at least $3 is needed: choose a newer base image"
    say "$1 $2"
}
