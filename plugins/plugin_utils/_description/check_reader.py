# Copyright (c) 2026 The lvs.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads ``health_check`` of a service and of its real servers, and the commands that keepalived runs.

Values that are refused in ``health_check``, keepalived would refuse too, or worse, change and only log that.
Its limits are those of keepalived/check/check_*.c in the versions 2.2.7 and 2.3.3, which do not differ in them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lvs.cluster.plugins.plugin_utils._description.fields import LINK, LINK_RULE, MAX_PORT, Fields
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.problems import Code, plain, show
from ansible_collections.lvs.cluster.plugins.plugin_utils._description.services import (
    FAMILIES,
    HEALTH_CHECKS,
    KEYS,
    OWN_TYPES,
    PLACEHOLDERS,
    QUORUM_COMMANDS,
    QUORUM_PLACEHOLDERS,
    Check,
    HealthCheck,
    Tls,
)

#: The mapping one level higher, for a key that is one of its.
HIGHER = {"a service": KEYS}
MAX_FWMARK = 2**32 - 1
#: The value of health_check for a real server that is not checked.
UNCHECKED = "none"
#: Types of keepalived's own that connect to a port.
CONNECTING = ("http", "https", "tcp", "udp", "dns", "smtp")
#: All types that connect to a port.
WITH_PORT = (*CONNECTING, *OWN_TYPES)
_WEB = ("http", "https")
#: The kernel watches the file, so it has no times.
_TIMED = tuple(kind for kind in HEALTH_CHECKS if kind != "file")
#: The types that a key is for, if not all.
TYPES_OF = {
    "port": WITH_PORT,
    "interval": _TIMED,
    "timeout": _TIMED,
    "retries": _TIMED,
    "delay_before_retry": _TIMED,
    "warmup": _TIMED,
    "connect_address": (*WITH_PORT, "ping"),
    "family": (*WITH_PORT, "ping"),
    "through_vip": CONNECTING,
    "interface": CONNECTING,
    "mark": CONNECTING,
    "path": (*_WEB, "file"),
    "status": _WEB,
    "body": _WEB,
    "digest": _WEB,
    "host": _WEB,
    "name": ("dns", "ldap", "grpc"),
    "record": ("dns",),
    "helo": ("smtp",),
    "user": ("ldap", "mysql", "pgsql", "redis"),
    "database": ("pgsql",),
    "credentials": ("ldap", "mysql", "radius", "redis"),
    "tls": ("https", "ftp", "imap", "pop", "ldap", "redis", "grpc"),
    "command": ("misc",),
    "dynamic": ("misc",),
}
CHECK_KEYS = ("type", *TYPES_OF)
#: Keys of health_check that are for a real server, and not for one of its checks.
SERVER_CHECK_KEYS = ("alpha", "inhibit_on_failure")
#: Keys of health_check that are for all real servers of a service together.
POOL_KEYS = ("quorum", "hysteresis", *QUORUM_COMMANDS, "omega", "email")
_TLS_KEYS = ("ca", "name")
#: Keys whose value is of no use to a check of another type.
_OF_ONE_TYPE = ("name", "user", "database", "credentials")
#: Keys that a type requires.
_NEEDED = {
    "dns": ("name", "the domain name to query"),
    "misc": ("command", "the command to run on the director"),
    "file": ("path", "the file on the director"),
    "mysql": ("user", "the user that logs in"),
    "pgsql": ("user", "the user that logs in"),
    "radius": ("credentials", "a file on the director whose first line is the shared secret"),
}
#: Those that keepalived.conf(5) lists; the list in the code (check_dns.c: DNS_TYPE) is longer.
RECORDS = ("A", "AAAA", "CNAME", "MX", "NS", "SOA", "TXT")
MAX_SECONDS = 86400
MAX_WEIGHT_SUM = 2**32 - 1
# keepalived reads lines of at most 1023 characters (lib/parser.h: MAXBUF), has no escape for a double quote that both
# versions know, and replaces what follows a dollar sign.
_URL_PATH = re.compile(r"/[!#%-\[\]-~]{0,799}")
_FILE_PATH = re.compile(r"/[A-Za-z0-9._/@:+=,-]{1,799}")
_NOT_IN_COMMANDS = re.compile(r"[^ -~]|[\"$'\\]")
#: Words that are operators of a shell, which runs no command here.
_OPERATOR = re.compile(r"(?<!\S)(?:[|&]{1,2}|;|[0-9&]?(?:>>?|<)(?:/\S*|&[0-9-])?)(?!\S)")
_COMMAND_LENGTH = range(2, 801)
#: Health checkers have their own copies of these directories (PrivateTmp), and do not see the host's.
_NOT_SEEN = ("/tmp/", "/var/tmp/")  # noqa: S108
COMMAND_RULE = "a command that begins with an absolute path, such as /usr/bin/ping"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|\.")
_BODY = re.compile(r"[ -~]{1,180}")
_SESSION = re.compile(r"[ -~]{1,128}")
_OBJECT = re.compile(r"[ -~]{1,255}")
_GRPC_SERVICE = re.compile(r"[A-Za-z0-9._/-]{1,120}")
_CERTIFIED = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*|[0-9A-Fa-f:.]{2,45}")
_DIGEST = re.compile(r"[0-9A-Fa-f]{32}")
_STATUSES = range(100, 600)
_STATUS_RULE = "a status from 100 to 599, a range such as 200-299, or a list of these"
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
#: What looks like a placeholder: lower-case words in braces, and the known ones in any case, with blanks or unclosed.
_LIKE_A_PLACEHOLDER = re.compile(
    r"\{([a-z_][a-z0-9_-]*)\}|(?i:\{\s*(?:%s)[0-9]*\s*\}|\{(?:%s)\b(?!\}))" % (("|".join(PLACEHOLDERS),) * 2)
)
#: Values to check a text with, before the real servers are known.
_SAMPLE = {"address": "192.0.2.1", "port": "80", "name": "rs1", "vip": "192.0.2.1", "vport": "80"}
_SESSION_RULE = (_SESSION, "a name of 1 to 128 printable ASCII characters")
_OBJECT_RULE = (_OBJECT, "a distinguished name of 1 to 255 printable ASCII characters")
_FILE_RULE = (_FILE_PATH, "an absolute path of letters, digits and the characters ._/@:+=,-")
_TEXTS = {
    "path": (
        _URL_PATH,
        """a path that starts with '/', without spaces and the characters "$\\, which keepalived does not accept""",
    ),
    "path of file": _FILE_RULE,
    "host": (_HOST, "the name of a host, with or without a port"),
    "name": (_DOMAIN, "a domain name"),
    "name of ldap": _OBJECT_RULE,
    "name of grpc": (_GRPC_SERVICE, "the name of a service, of 1 to 120 letters, digits and the characters ._/-"),
    "name of tls": (_CERTIFIED, "the name of a host, or an address"),
    "tls.name": (_CERTIFIED, "the name of a host, or an address"),
    "user of ldap": _OBJECT_RULE,
    "user": _SESSION_RULE,
    "database": _SESSION_RULE,
    "body": (_BODY, "a text of 1 to 180 printable ASCII characters"),
}


@dataclass(frozen=True)
class OwnChecks:
    """The ``health_check`` of a real server; None for the service's. ``checks`` is empty for none."""

    checks: tuple[Check, ...] | None = None
    alpha: bool | None = None
    inhibit_on_failure: bool | None = None


def read_own_checks(fields: Fields, service: Fields, checked: bool) -> OwnChecks:
    """Return the ``health_check`` of a real server."""
    if not fields.given("health_check"):
        return OwnChecks()
    value = fields.values["health_check"]
    if not service.given("health_check"):
        text = "needs a health_check of the service, whose real servers then belong to the health checker"
        fields.fault(Code.NEEDS_KEY, "health_check", text)
        return OwnChecks()
    if value == UNCHECKED:
        return OwnChecks(checks=())
    shared = service.values["health_check"]
    if isinstance(value, Mapping) and isinstance(shared, (list, tuple)):
        text = "is not a list, as the health_check of the service is: it would not be clear which of them it changes"
        fields.refuse(Code.NOT_A_LIST, "health_check", value, text)
        return OwnChecks()
    example = f"{{port: 8080}}, not a list, and not {UNCHECKED}"
    given = _check_mappings(fields, example)
    known = (*CHECK_KEYS, *SERVER_CHECK_KEYS)
    for inner in given:
        inner.refuse_unknown(known, "the health_check of a real server", {"that of the service": POOL_KEYS})
    if not checked or not given:
        return OwnChecks()
    pool = _Pool(given, SERVER_CHECK_KEYS)
    if isinstance(value, Mapping) and isinstance(shared, Mapping):
        given = [Fields(_overridden(shared, value), fields.where, given[0].path, fields.problems)]
    return OwnChecks(tuple(_read_checks(given)), pool.given_boolean("alpha"), pool.given_boolean("inhibit_on_failure"))


def _overridden(shared: Mapping[object, object], own: Mapping[object, object]) -> dict[object, object]:
    """Return the service's check with a real server's values; with another type, only keys that both types have."""
    former = shared.get("type")
    kind = own.get("type") or former
    given = {key: value for key, value in own.items() if value is not None}
    if kind == former:
        return {key: value for key, value in shared.items() if key not in (*POOL_KEYS, *SERVER_CHECK_KEYS)} | given
    both = {key for key, kinds in TYPES_OF.items() if kind in kinds and former in kinds}
    both -= {*_OF_ONE_TYPE, *(["path"] if "file" in (kind, former) else [])}  # of a file, and not of a URL
    return {key: value for key, value in shared.items() if key in both} | given


def read_health_check(fields: Fields) -> HealthCheck | None:
    """Return the value of ``health_check`` with its defaults; None if it is not given or a check has no valid type."""
    given = _check_mappings(fields, "{type: http}")
    for inner in given:
        inner.refuse_unknown((*CHECK_KEYS, *SERVER_CHECK_KEYS, *POOL_KEYS), "health_check", HIGHER)
    checks = _read_checks(given)
    if not given or len(checks) < len(given):
        return None
    pool = _Pool(given, (*SERVER_CHECK_KEYS, *POOL_KEYS))
    default = HealthCheck(())
    before = len(fields.problems)
    quorum = int(_or(pool.of("quorum").integer("quorum", 1, MAX_WEIGHT_SUM), default.quorum))
    sound_quorum = len(fields.problems) == before
    inner = pool.of("hysteresis")
    hysteresis = int(_or(inner.integer("hysteresis", 0, MAX_WEIGHT_SUM), default.hysteresis))
    if hysteresis >= quorum and sound_quorum:
        inner.refuse(Code.EXCEEDS, "hysteresis", hysteresis, f"is not below the quorum {quorum}")
    return HealthCheck(
        checks=tuple(checks),
        quorum=quorum,
        hysteresis=hysteresis,
        alpha=pool.of("alpha").boolean("alpha", default.alpha),
        inhibit_on_failure=pool.of("inhibit_on_failure").boolean("inhibit_on_failure", default.inhibit_on_failure),
        quorum_up=_quorum_command(pool.of("quorum_up"), "quorum_up"),
        quorum_down=_quorum_command(pool.of("quorum_down"), "quorum_down"),
        omega=pool.of("omega").boolean("omega", default.omega),
        email=pool.of("email").boolean("email", default.email),
    )


def _check_mappings(fields: Fields, example: str) -> list[Fields]:
    """Return the health checks as written: one for a mapping, several for a list; none if there are wrong ones."""
    value = fields.values.get("health_check")
    if value == UNCHECKED:
        text = "is for single real servers: remove the key of a service without health checks"
        fields.refuse(Code.UNKNOWN_WORD, "health_check", value, text)
        return []
    if not isinstance(value, (list, tuple)):
        inner = fields.mapping("health_check", example)
        return [] if inner is None else [inner]
    if not value:
        fields.fault(Code.EMPTY, "health_check", "is an empty list")
    found = []
    for path, element in fields.elements("health_check"):
        if isinstance(element, Mapping):
            found.append(Fields(element, fields.where, fields.key(path), fields.problems))
        else:
            fields.refuse(Code.NOT_A_MAPPING, path, element, "is not a mapping such as {type: http}")
    return found if len(found) == len(value) else []


class _Pool:
    """The keys for all checks together, which may be in one of several."""

    def __init__(self, given: Sequence[Fields], keys: Sequence[str]) -> None:
        self._given = given
        for key in keys:
            for inner in [one for one in given if one.given(key)][1:]:
                inner.fault(Code.TWICE, key, "is already in another check of the list, and is for all of them together")

    def of(self, key: str) -> Fields:
        """Return the check that has a key; the first one if none has."""
        return next((inner for inner in self._given if inner.given(key)), self._given[0])

    def given_boolean(self, key: str) -> bool | None:
        """Return a boolean; None if it is not given."""
        inner = self.of(key)
        return inner.boolean(key) if inner.given(key) else None


def _only(kinds: tuple[str, ...]) -> str:
    if kinds == _TIMED:
        return "for periodic checks only"
    return f"for {', '.join(kinds[:-1])} and {kinds[-1]} only" if len(kinds) > 1 else f"for {kinds[0]} only"


def _read_checks(given: Sequence[Fields]) -> list[Check]:
    """Return the valid checks; one that is there twice is noted."""
    found: dict[Check, Fields] = {}
    for inner in given:
        check = _read_check(inner)
        if check is not None and found.setdefault(check, inner) is not inner:
            inner.fault(Code.TWICE, "", f"is the same check as {found[check].path}")
    return list(found)


def _read_check(inner: Fields) -> Check | None:
    """Return one check with its defaults; None without a valid type."""
    if not inner.given("type"):
        inner.fault(Code.MISSING, "type", f"is missing (one of {' '.join(HEALTH_CHECKS)})")
    kind = inner.choice("type", "a health check", HEALTH_CHECKS, "")
    if not kind:
        return None
    for key, kinds in TYPES_OF.items():
        if inner.given(key) and kind not in kinds:
            inner.fault(Code.NOT_FOR_TYPE, key, f"is {_only(kinds)}, and the type is {kind}")
    needed, what = _NEEDED.get(kind, ("", ""))
    if needed and not inner.given(needed):
        inner.fault(Code.MISSING, needed, f"is missing ({what})")
    default = Check(kind)
    port = inner.integer("port", 1, MAX_PORT)
    check = Check(
        type=kind,
        port=0 if port is None and inner.given("port") else port,  # a wrong one is not a missing one
        interval=_or(inner.seconds("interval", 0.1, MAX_SECONDS), default.interval),
        timeout=_or(inner.seconds("timeout", 0.1, MAX_SECONDS), default.timeout),
        retries=int(_or(inner.integer("retries", 0, 1000), default.retries)),
        delay_before_retry=_or(inner.seconds("delay_before_retry", 0, MAX_SECONDS), default.delay_before_retry),
        path=_path(inner, kind),
        status=_status(inner) or default.status,
        body=_template(inner, "body", kind),
        host=_template(inner, "host", kind),
        name=_template(inner, "name", kind),
        record=inner.choice("record", "a type of records", RECORDS, default.record),
        helo=inner.text("helo", _HOST, "the name of a host"),
        warmup=inner.seconds("warmup", 0, MAX_SECONDS),
        connect_address=inner.address("connect_address"),
        family=inner.choice("family", "a family", FAMILIES, "") or None,
        through_vip=inner.boolean("through_vip"),
        dynamic=inner.boolean("dynamic"),
        interface=inner.text("interface", LINK, LINK_RULE),
        mark=inner.integer("mark", 1, MAX_FWMARK),
        digest=inner.text("digest", _DIGEST, "an MD5 digest of 32 hexadecimal digits"),
        command=_template(inner, "command", kind),
        user=_template(inner, "user", kind),
        database=_template(inner, "database", kind),
        credentials=_file(inner, "credentials"),
        tls=_tls(inner, kind),
    )
    others = ["connect_address"] if inner.given("family") else []
    if check.through_vip:
        others = ["connect_address", "family", "interface", "mark", "tls"]
    for other in inner.present(others):
        key = "through_vip" if check.through_vip else "family"
        text = f"cannot be combined with {other} {show(inner.values[other])}: remove one of them"
        inner.refuse(Code.EXCLUSIVE_KEYS, key, inner.values[key], text)
    for key in ("path", "command"):
        value = getattr(check, key)
        if value is not None and (key == "command" or kind == "file"):
            _refuse_private(inner, key, value)
    if (kind == "misc" or check.by_program) and check.timeout != int(check.timeout):
        text = f"is not a whole number of seconds, which {kind}{' with tls' if check.tls else ''} needs"
        inner.refuse(Code.NOT_AN_INTEGER, "timeout", check.timeout, text)
    _check_credentials(inner, kind)
    return check


def _file(inner: Fields, key: str) -> str | None:
    """Return the path of a file on the director that a command reads."""
    path = inner.text(key, *_FILE_RULE)
    if path is not None:
        _refuse_private(inner, key, path)
    return path


def _tls(fields: Fields, kind: str) -> Tls | None:
    inner = fields.mapping("tls", "{ca: /etc/ssl/ca.pem, name: www.example.net}, or {} for the defaults")
    if inner is None:
        return None
    inner.refuse_unknown(_TLS_KEYS, "tls", {"health_check": CHECK_KEYS})
    for key in fields.present(("interface", "mark")):
        fields.fault(Code.EXCLUSIVE_KEYS, key, "cannot be combined with tls: remove one of them")
    return Tls(_file(inner, "ca"), _template(inner, "name", "tls"))


def _check_credentials(inner: Fields, kind: str) -> None:
    """Note one of the keys ``user`` and ``credentials`` without the other, if the type needs both (for LDAP:
    RFC 4513, section 5.1.2).
    """
    for key, other, kinds in (("user", "credentials", ("ldap", "redis")), ("credentials", "user", ("ldap",))):
        if kind in kinds and inner.given(key) and not inner.given(other):
            inner.fault(Code.NEEDS_KEY, key, f"needs {other} with the type {kind}")


def _status(inner: Fields) -> tuple[tuple[int, int], ...]:
    """Return ranges of statuses, from one, from ``200-299``, or from a list of such values; empty if not given or
    wrong.
    """
    if not inner.given("status"):
        return ()
    value = inner.values["status"]
    if not isinstance(value, (list, tuple)):
        found = inner.range_at("status", value, _STATUSES, _STATUS_RULE)
        return (found,) if found else ()
    if not value:
        inner.fault(Code.EMPTY, "status", "is an empty list")
    ranges = [inner.range_at(path, one, _STATUSES, _STATUS_RULE) for path, one in inner.elements("status")]
    return tuple(sorted(one for one in ranges if one is not None))


def _path(inner: Fields, kind: str) -> str | None:
    if kind not in TYPES_OF["path"]:
        return None
    return _template(inner, "path", kind) or ("/" if kind in _WEB else None)


def _quorum_command(inner: Fields, key: str) -> str | None:
    """Return a command for a whole virtual service; None if not given or wrong."""
    command = _template(inner, key, "")
    if command is not None:
        _refuse_private(inner, key, command)
    return command


def _template(inner: Fields, key: str, kind: str) -> str | None:
    """Return a text that may have placeholders; None if not given or wrong."""
    if not inner.given(key):
        return None
    value = inner.values[key]
    before = len(inner.problems)
    if isinstance(value, str):
        known = QUORUM_PLACEHOLDERS if key in QUORUM_COMMANDS else PLACEHOLDERS
        for found in _LIKE_A_PLACEHOLDER.finditer(value):
            if found[1] not in known:
                listed = ", ".join(f"{{{name}}}" for name in known)
                text = f"has {found[0]}, which is not one of the placeholders {listed}"
                inner.refuse(Code.UNKNOWN_WORD, key, value, text)
        if len(inner.problems) > before:
            return None
        rule = text_fault(key, kind, PLACEHOLDER.sub(lambda found: _SAMPLE[found[1]], value))
    else:
        rule = text_fault(key, kind, value)
        if isinstance(value, (Mapping, int, float)):
            rule += ": put it in quotes"
    if rule:
        inner.refuse(Code.MALFORMED, key, value, rule)
        return None
    return plain(str(value))


def text_fault(key: str, kind: str, value: object) -> str:
    """Return what is wrong with a text of a health check without placeholders; empty if nothing is. ``kind``: its
    type.
    """
    if key == "command" or key in QUORUM_COMMANDS:
        return _command_fault(value)
    pattern, rule = _TEXTS.get(f"{key} of {kind}") or _TEXTS[key]
    return "" if isinstance(value, str) and pattern.fullmatch(value) else f"is not {rule}"


def read_command(fields: Fields, key: str) -> str | None:
    """Return a command of keepalived without placeholders; None if not given or wrong."""
    if not fields.given(key):
        return None
    value = fields.values[key]
    rule = _command_fault(value)
    if rule:
        fields.refuse(Code.MALFORMED, key, value, rule)
        return None
    _refuse_private(fields, key, str(value))
    return plain(str(value))


def _command_fault(value: object) -> str:
    if not isinstance(value, str):
        return "is not a string with a command"
    if not value.startswith("/"):
        return "has to begin with an absolute path, such as /usr/bin/ping"
    if found := _NOT_IN_COMMANDS.search(value):
        character = "'\\'" if found[0] == "\\" else show(found[0])
        return (
            f"contains {character}; only ASCII characters without quotes, backslashes and $ are possible: "
            "put what needs them into a script"
        )
    if operator := _OPERATOR.search(value):
        return f"contains the word {operator[0]!r} of a shell, which does not run it: put it into a script"
    if len(value) not in _COMMAND_LENGTH:
        return f"does not have {_COMMAND_LENGTH[0]} to {_COMMAND_LENGTH[-1]} characters"
    return ""


def _refuse_private(fields: Fields, key: str, path: str) -> None:
    """Note a file or command in a directory that health checkers do not see."""
    if path.startswith(_NOT_SEEN):
        text = "is in a directory that is private to each service (PrivateTmp): use another directory"
        fields.refuse(Code.PRIVATE_DIRECTORY, key, path, text)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
