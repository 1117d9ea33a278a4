# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of keepalived.conf(5) for what a description names otherwise.

A description that was a keepalived.conf has some of them, and few are near ours in spelling. The page of health checks
lists them too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

_CHECK = "health_check"
_SERVICE = "a service"
_SERVER = "a real server"
#: A key here and the mapping that has it, by keepalived's word.
KEYS: Mapping[str, tuple[str, str]] = {
    "lb_algo": ("scheduler", _SERVICE),
    "lvs_sched": ("scheduler", _SERVICE),
    "lb_kind": ("forward_method", _SERVICE),
    "lvs_method": ("forward_method", _SERVICE),
    "ops": ("one_packet", _SERVICE),
    "ip_family": ("family", _SERVICE),
    "virtual_server_group": ("addresses", _SERVICE),
    "real_server": ("real_servers", _SERVICE),
    "vrrp_instance": ("vrrp_group", _SERVICE),
    "vrrp_sync_group": ("vrrp_group", _SERVICE),
    "persistence_timeout": ("timeout", "persistence"),
    "persistence_granularity": ("netmask", "persistence"),
    "persistence_engine": ("engine", "persistence"),
    "sorry_server_lvs_method": ("forward_method", "sorry_server"),
    "uthreshold": ("upper_threshold", _SERVER),
    "lthreshold": ("lower_threshold", _SERVER),
    "delay_loop": ("interval", _CHECK),
    "retry": ("retries", _CHECK),
    "nb_get_retry": ("retries", _CHECK),
    "connect_timeout": ("timeout", _CHECK),
    "misc_timeout": ("timeout", _CHECK),
    "connect_ip": ("connect_address", _CHECK),
    "connect_port": ("port", _CHECK),
    "bind_if": ("interface", _CHECK),
    "fwmark": ("mark", _CHECK),
    "status_code": ("status", _CHECK),
    "regex": ("body", _CHECK),
    "virtualhost": ("host", _CHECK),
    "url": ("path", _CHECK),
    "helo_name": ("helo", _CHECK),
    "misc_path": ("command", _CHECK),
    "misc_dynamic": ("dynamic", _CHECK),
    "track_file": ("path", _CHECK),
    "smtp_alert": ("email", _CHECK),
    "script": ("command", "a tracked script"),
}
#: A type of health checks, by the name of keepalived's block.
TYPES: Mapping[str, str] = {
    "HTTP_GET": "http",
    "SSL_GET": "https",
    "TCP_CHECK": "tcp",
    "UDP_CHECK": "udp",
    "DNS_CHECK": "dns",
    "SMTP_CHECK": "smtp",
    "PING_CHECK": "ping",
    "MISC_CHECK": "misc",
    "FILE_CHECK": "file",
}
#: A variable of directors, by keepalived's word.
VARIABLES: Mapping[str, str] = {
    "bindto": "director_check_sources",
    "user": "director_script_user",
    "notify_master": "director_notify",
    "notify_backup": "director_notify",
    "notify_fault": "director_notify",
    "notify_stop": "director_notify",
    "smtp_alert": "director_email",
    "notification_email": "director_email",
    "notification_email_from": "director_email",
    "smtp_server": "director_email",
    "nopreempt": "director_preempt",
    "advert_int": "director_advert_interval",
    "garp_master_refresh": "director_garp_refresh",
    "virtual_ipaddress": "director_vips",
    "vrrp_script": "director_track_scripts",
    "track_script": "director_track_scripts",
    "track_interface": "director_track_interfaces",
    "lvs_sync_daemon": "director_sync_daemon",
    "lvs_timeouts": "director_timeouts",
}
#: Words without a counterpart.
WITHOUT = frozenset(
    (
        *("regex_no_match", "regex_options", "regex_min_offset", "regex_max_offset", "regex_stack"),
        *("ha_suspend", "sorry_server_inhibit", "notify_up", "notify_down", "bind_port", "http_protocol"),
        *("BFD_CHECK", "payload", "require_reply", "log_all_failures", "fast_recovery"),
    )
)


def key_hint(word: object, known: Collection[str], what: str) -> str:
    """Return what a word of keepalived is called here, as the end of a sentence; empty if it is no such word.

    ``known`` and ``what``: the keys of the mapping where it stands, and the words for that mapping.
    """
    if not isinstance(word, str):
        return ""
    if word in WITHOUT:
        return ", but keepalived's word for what has no key here"
    if word in TYPES:
        return f" (keepalived's word for the type {TYPES[word]} of {_CHECK})"
    if word in KEYS:
        key, place = KEYS[word]
        here = key in known and what.startswith((place, f"the {place}"))
        return f" (keepalived's word for {key}{'' if here else f' of {place}'})"
    return f" (keepalived's word for the variable {VARIABLES[word]})" if word in VARIABLES else ""


def type_hint(word: object, known: Collection[str]) -> str:
    """Return the same for the name of a block in place of a type."""
    own = TYPES.get(word, "") if isinstance(word, str) else ""
    return f" (keepalived's word for {own})" if own in known else ""


def variable_hint(name: str) -> str:
    """Return the same for the name of a variable that has a word of keepalived after its prefix."""
    prefix, _separator, word = name.partition("_")
    own = VARIABLES.get(word, "") if prefix == "director" else ""
    return f" (keepalived's word for {own})" if own else ""
