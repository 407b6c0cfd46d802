"""`agent trust`."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from string import hexdigits
from typing import Annotated, Any, Final, Literal

import typer
from cryptography import x509

from agent.output import emit, emit_json, say
from agent.paths import STATE_DIR
from connectors.opcua.security.certificates import (
    application_uris,
    common_name,
    day,
    fingerprint,
    host_names,
    load_certificates,
    printable,
    thumbprint,
    utc,
)
from connectors.opcua.security.fetch import Shown, fetch
from connectors.opcua.security.pki import Kept, Pki
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError

_GROUPS: Final = ("trusted", "issuers", "rejected")
_NOTHING: Final = "no certificate with this fingerprint is kept; `agent trust list` shows all"
_SHORT: Final = 16
"""Digits of a fingerprint that are shown, and needed to trust it: for fewer somebody finds a second certificate."""

Action = Literal["list", "show", "add", "remove", "own"]


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = "list",
    what: Annotated[
        str | None,
        typer.Argument(help="opc.tcp://host:port, a certificate or CRL file, or the start of a fingerprint."),
    ] = None,
    state_dir: Annotated[Path, typer.Option("--state-dir", "--state", help="State folder of the agent.")] = STATE_DIR,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="add: do not ask.")] = False,
    issuer: Annotated[bool, typer.Option("--issuer", help="add: it only completes chains.")] = False,
    renew: Annotated[bool, typer.Option("--renew", help="own: a new key and certificate.")] = False,
    bits: Annotated[int, typer.Option(help="own --renew: length of the key.", min=2048, max=4096)] = 2048,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Certificates of OPC UA servers this agent believes, those it refused, and its own."""
    pki = Pki(state_dir / "pki")
    if action == "list":
        return _list(pki, json=json)
    if action == "own":
        return _own(pki, renew=renew, bits=bits, json=json)
    if what is None:
        raise ConfigError(
            None, None, f"trust {action}: name opc.tcp://host:port, a file, or the start of a fingerprint"
        )
    if action == "show":
        return _show(pki, what, json=json)
    if action == "remove":
        return _remove(pki, what, json=json)
    return _add(pki, what, yes=yes, group="issuers" if issuer else "trusted", json=json)


def _list(pki: Pki, *, json: bool) -> int:
    kept = [one for group in _GROUPS for one in pki.kept(group)]
    if json:
        emit_json({"certificates": [{"group": one.group, **_facts(one.certificate)} for one in kept]})
        return 0
    for one in kept:
        until = day(one.certificate.not_valid_after_utc)
        shown = fingerprint(one.certificate)[:_SHORT]
        uri = printable(next(iter(application_uris(one.certificate)), "-"))
        emit(f"{one.group:9} {shown} until {until} {common_name(one.certificate)} {uri}")
    if not kept:
        say(f"{pki.folder}: nothing is kept; `agent trust add opc.tcp://host:port` asks a server")
    return 0


def _own(pki: Pki, *, renew: bool, bits: int, json: bool) -> int:
    now = utc(clock_from_environment().now_ns())
    own = pki.renew(now, bits) if renew else pki.own(now)
    file = str(pki.own_paths()[0])
    if json:
        emit_json({"file": file, **_facts(own.certificate)})
    else:
        _describe(own.certificate)
        emit(f"file         {file}")
        say("put this file on the trust list of every server the agent connects to")
    return 0


def _show(pki: Pki, what: str, *, json: bool) -> int:
    found = [one.certificate for one in pki.find(what, *_GROUPS)] if not _is_endpoint(what) else []
    if _is_endpoint(what):
        return _introduce(what, _ask(what), json=json)
    if not found:
        found = _from_file(what)
    if json:
        emit_json({"certificates": [_facts(one) for one in found]})
        return 0
    for one in found:
        _describe(one)
    return 0


def _add(pki: Pki, what: str, *, yes: bool, group: str, json: bool) -> int:
    if _is_endpoint(what):
        shown = _ask(what)
        if not yes:
            _introduce(what, shown, json=False, to_stderr=True)
            if not _agrees():
                say("nothing was added; compare the fingerprint with the device, then again with --yes")
                return 1
        return _keep(pki, [shown.certificate], group, json=json)
    if rejected := pki.find(what, "rejected") if _is_fingerprint(what) else []:
        return _keep(pki, [_only(rejected, what).certificate], group, json=json)
    if Path(what).suffix.lower() == ".crl":
        for path in pki.add_revocations(Path(what)):
            _done({"added": str(path)}, f"added {path}", json=json)
        return 0
    return _keep(pki, _from_file(what)[:1], group, json=json)


def _keep(pki: Pki, certificates: list[x509.Certificate], group: str, *, json: bool) -> int:
    for one in certificates:
        path = pki.add(one, group)
        _done({"added": str(path), **_facts(one)}, f"added {common_name(one)} to {group}: {path}", json=json)
    return 0


def _remove(pki: Pki, what: str, *, json: bool) -> int:
    one = _only(pki.find(what, *_GROUPS), what)
    try:
        one.path.unlink()
    except OSError as error:
        raise ConfigError(one.path, None, f"cannot remove it: {error.strerror}") from error
    _done({"removed": str(one.path), **_facts(one.certificate)}, f"removed {one.path}", json=json)
    return 0


def _only(found: list[Kept], what: str) -> Kept:
    if not found or not what.strip(": "):
        raise ConfigError(None, None, f"trust {what}: {_NOTHING}")
    if len({fingerprint(one.certificate) for one in found}) > 1:
        raise ConfigError(None, None, f"trust {what}: {len(found)} certificates start so; give more of the fingerprint")
    return found[0]


def _from_file(what: str) -> list[x509.Certificate]:
    if not Path(what).exists():
        few = f"; to trust it takes {_SHORT} digits of it" if set(what.lower()) <= set(hexdigits) else ""
        raise ConfigError(None, None, f"trust {what}: {_NOTHING}, and there is no such file{few}")
    return load_certificates(Path(what))


def _is_fingerprint(what: str) -> bool:
    """Whether it is long enough for one, and no file."""
    digits = re.sub(r"[:\s]", "", what)
    return len(digits) >= _SHORT and set(digits.lower()) <= set(hexdigits) and not Path(what).exists()


def _is_endpoint(what: str) -> bool:
    return what.startswith("opc.tcp://")


def _ask(endpoint: str) -> Shown:
    return asyncio.run(fetch(endpoint))


def _agrees() -> bool:
    """Whether a person at the keyboard says yes."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Is this the fingerprint the device shows? Trust it? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes", "예"}


def _introduce(endpoint: str, shown: Shown, *, json: bool, to_stderr: bool = False) -> int:
    doubts = shown.doubts(endpoint, utc(clock_from_environment().now_ns()))
    if json:
        emit_json({"endpoint": endpoint, "offers": shown.offers, "doubts": doubts, **_facts(shown.certificate)})
        return 0
    out = say if to_stderr else emit
    out(f"offers       {shown.offers}")
    _describe(shown.certificate, to_stderr=to_stderr)
    for doubt in doubts:
        out(f"doubt        {printable(doubt)}")
    return 0


def _describe(certificate: x509.Certificate, *, to_stderr: bool = False) -> None:
    out = say if to_stderr else emit
    facts = _facts(certificate)
    out(f"name         {facts['name']}")
    out(f"application  {printable(', '.join(facts['application_uris'])) or '-'}")
    out(f"hosts        {printable(', '.join(facts['hosts'])) or '-'}")
    out(f"valid        {facts['valid_from']} to {facts['valid_to']}")
    out(f"SHA-256      {facts['sha256']}")
    out(f"SHA-1        {facts['sha1']}")


def _facts(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "name": common_name(certificate),
        "issuer": certificate.issuer.rfc4514_string(),
        "application_uris": application_uris(certificate),
        "hosts": host_names(certificate),
        "valid_from": day(certificate.not_valid_before_utc),
        "valid_to": day(certificate.not_valid_after_utc),
        "sha256": fingerprint(certificate),
        "sha1": thumbprint(certificate),
    }


def _done(result: dict[str, Any], text: str, *, json: bool) -> None:
    if json:
        emit_json(result)
    else:
        emit(text)
