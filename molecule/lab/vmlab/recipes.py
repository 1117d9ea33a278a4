# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes into an image: values only, so that an image's cache key is a hash of exactly these."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass

PACKAGES = (
    "apt-utils",
    "ca-certificates",
    "curl",
    "dbus",
    "dnsmasq",
    "fping",
    "git",
    "haproxy",
    "ifupdown",
    "initramfs-tools",
    "iproute2",
    "ipvsadm",
    "keepalived",
    "kmod",
    "ldirectord",
    "libnet-dns-perl",
    "libnet-inet6glue-perl",
    "linux-image-cloud-amd64",
    "nftables",
    "nginx-light",
    "opensmtpd",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    # what ansible-core needs, for machines that run it on themselves
    "python3-cryptography",
    "python3-hypothesis",
    "python3-jinja2",
    "python3-packaging",
    "python3-pyroute2",
    "python3-pytest",
    "python3-resolvelib",
    "python3-yaml",
    "qemu-guest-agent",
    "redis-server",
    "sip-tester",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "udev",
    "vsftpd",
)

# Each answer names the machine that gave it. nginx takes its own host name when it starts, so a clone has it started,
# by systemd, only after it has a name of its own.
NGINX = """\
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    location / {
        default_type text/plain;
        return 200 "$hostname\\n";
    }
}
"""

# Only what finds the root disk: a small initrd is read and unpacked quickly, which is most of a boot without KVM.
INITRAMFS = "virtio_pci\nvirtio_blk\next4\n"

FILES = {
    "/etc/initramfs-tools/conf.d/lab": "MODULES=list\nCOMPRESS=gzip\n",
    "/etc/initramfs-tools/modules": INITRAMFS,
    "/etc/fstab": "/dev/vda / ext4 defaults,noatime 0 0\n",
    "/etc/network/interfaces": "auto lo\niface lo inet loopback\n",
    "/etc/nginx/sites-available/default": NGINX,
    "/etc/ssh/sshd_config.d/lab.conf": "UseDNS no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n",
    "/etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n",
    "/etc/systemd/system.conf.d/lab.conf": "[Manager]\nDefaultTimeoutStopSec=15s\n",
    # The guest agent must be there early: it is how the lab gives a clone its name, keys and addresses.
    "/etc/systemd/system/qemu-guest-agent.service.d/lab.conf": (
        "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\n[Install]\nWantedBy=multi-user.target\n"
        # It would log every question, and it is asked a lot.
        "[Service]\nStandardError=null\nExecStart=\nExecStart=/usr/sbin/qemu-ga -l /dev/null\n"
    ),
    "/etc/systemd/system/ssh.service.d/lab.conf": "[Unit]\nConditionPathExists=/etc/ssh/ssh_host_ed25519_key\n",
}

# Started here: the network and the agent. Not started before a clone has its own name and keys: SSH and nginx.
# Left out: what only costs boot time on a machine that lives for minutes.
COMMANDS = (
    # Not with the others: Debian 12's package makes its user before it is unpacked, which takes PAM that is set up.
    "DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends mon",
    # The machines reach nobody. A small archive of their own lets a test take a package out and a role put it back.
    "mkdir /srv/packages; cd /srv/packages; apt-get -qq download python3-pyroute2;"
    " apt-ftparchive packages . > Packages; rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*;"
    " echo 'deb [trusted=yes] file:/srv/packages ./' > /etc/apt/sources.list.d/lab.list",
    "rm -f /etc/ssh/ssh_host_* /etc/machine-id; : > /etc/machine-id",
    "systemctl enable systemd-networkd.service qemu-guest-agent.service ssh.service",
    "systemctl disable nginx.service haproxy.service vsftpd.service networking.service ldirectord.service mon.service"
    " dnsmasq.service opensmtpd.service redis-server.service"
    " systemd-networkd-wait-online.service"
    " ipvsadm.service e2scrub_reap.service || test $? = 1",
    "systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer"
    " logrotate.timer man-db.timer systemd-tmpfiles-clean.timer getty.target serial-getty@ttyS0.service"
    " systemd-timesyncd.service sys-kernel-debug.mount sys-kernel-tracing.mount"
    " systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-pstore.service systemd-rfkill.socket"
    " modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service systemd-network-generator.service",
    "passwd -d root",
    "update-initramfs -c -k all",
    # As systemd-update-done.service does: nothing has changed since, so the first boot is like every other.
    "touch --reference=/usr /etc/.updated /var/.updated",
)


@dataclass(frozen=True)
class Recipe:
    """One image. `memory` and `disk` are MiB; `files` are path -> text; `commands` run in the tree, in order."""

    name: str
    suite: str
    packages: tuple[str, ...] = PACKAGES
    files: tuple[tuple[str, str], ...] = tuple(sorted(FILES.items()))
    commands: tuple[str, ...] = COMMANDS
    memory: int = 320
    disk: int = 3072

    def digest(self) -> str:
        """The cache key: 12 hexadecimal digits over everything above and the builder's own format."""
        text = json.dumps([BUILDER, dataclasses.asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


# The newest kernel that Debian has for a stable release, from the archive that the rest of the tree is from.
BACKPORTED_KERNEL = (
    "site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: trixie' | head -n 1);"
    ' echo "deb $site trixie-backports main" > /etc/apt/sources.list.d/backports.list; apt-get -qq update;'
    " DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends --target-release trixie-backports"
    " linux-image-cloud-amd64"
)

BUILDER = 1
"""Raise it when images.py makes something else of the same recipe."""

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("debian-12", "bookworm"),
        Recipe("debian-13", "trixie"),
        Recipe(
            "debian-13-backports",
            "trixie",
            packages=tuple(name for name in PACKAGES if name != "linux-image-cloud-amd64"),
            commands=(BACKPORTED_KERNEL, *COMMANDS),
        ),
    )
}

#: Built only where a topology or a command names them.
ON_REQUEST = frozenset({"debian-13-backports"})
