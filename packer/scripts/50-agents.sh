#!/bin/bash
# Amazon's agents: CloudWatch (logs and metrics) and SSM (a shell without SSH). INSTALL_AGENTS=false leaves them out.
set -euo pipefail
. "${BAKE:-/tmp/hush-bake}/scripts/lib.sh"

[ "${INSTALL_AGENTS:-true}" = true ] || { say "agents are left out"; exit 0; }
architecture=$(dpkg --print-architecture)
region=${AWS_REGION:?the region whose download address is used}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() {
    curl --fail --silent --show-error --location --retry 5 --proto '=https' --output "$work/$2" "$1"
}

cloudwatch() {
    local base=https://amazoncloudwatch-agent.s3.amazonaws.com
    local deb="$base/debian/$architecture/$CLOUDWATCH_AGENT_VERSION/amazon-cloudwatch-agent.deb"
    install_packages gnupg
    fetch "$base/assets/amazon-cloudwatch-agent.gpg" key.gpg
    fetch "$deb" agent.deb
    fetch "$deb.sig" agent.deb.sig
    export GNUPGHOME="$work/gnupg"
    install -d -m 0700 "$GNUPGHOME"
    gpg --quiet --batch --import "$work/key.gpg"
    # VALIDSIG is printed only for a good signature; its first word is the fingerprint that made it.
    gpg --batch --status-fd 1 --verify "$work/agent.deb.sig" "$work/agent.deb" 2>/dev/null |
        grep -q "^\[GNUPG:\] VALIDSIG $CLOUDWATCH_AGENT_KEY " || fail "the CloudWatch agent is not signed by its key"
    dpkg --install "$work/agent.deb"
    usermod --append --groups hush,www-data cwagent
}

ssm() {
    if systemctl cat snap.amazon-ssm-agent.amazon-ssm-agent.service >/dev/null 2>&1; then
        say "the base image brings the SSM agent"
        return
    fi
    fetch "https://s3.$region.amazonaws.com/amazon-ssm-$region/$SSM_AGENT_VERSION/debian_$architecture/amazon-ssm-agent.deb" ssm.deb
    say "SSM agent $(sha256sum "$work/ssm.deb")"
    [ -z "$SSM_AGENT_SHA256" ] || echo "$SSM_AGENT_SHA256  $work/ssm.deb" | sha256sum --check --quiet
    dpkg --install "$work/ssm.deb"
    systemctl enable amazon-ssm-agent.service
}

cloudwatch
ssm
# hush-configure writes the agent's configuration with the names of this stack's log groups.
ln -sf /run/hush-config/cloudwatch-agent.json /opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json
install -d /etc/systemd/system/amazon-cloudwatch-agent.service.d
printf '[Unit]\nWants=hush-configure.service\nAfter=hush-configure.service\n' \
    >/etc/systemd/system/amazon-cloudwatch-agent.service.d/hush.conf
systemctl enable amazon-cloudwatch-agent.service
