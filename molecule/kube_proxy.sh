#!/bin/sh
# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Plays kube-proxy in its mode ipvs: service addresses on a dummy device, and services of its own in the table.
set -e
case "$1" in
start)
    ip link add kube-ipvs0 type dummy
    ip address add 10.96.0.1/32 dev kube-ipvs0
    ip address add 10.96.0.10/32 dev kube-ipvs0
    ipvsadm --restore <<RULES
-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 192.0.2.11:6443 -m -w 1
-A -u 10.96.0.10:53 -s rr -p 10800
-a -u 10.96.0.10:53 -r 10.244.0.2:53 -m -w 1
-a -u 10.96.0.10:53 -r 10.244.0.3:53 -m -w 0
RULES
    ;;
stop)
    ipvsadm --delete-service --tcp-service 10.96.0.1:443
    ipvsadm --delete-service --udp-service 10.96.0.10:53
    ip link delete kube-ipvs0
    ;;
esac
