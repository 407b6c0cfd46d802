"""Certificates of every kind, right and wrong, and an asyncua server that shows them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.opcua.security.certificates import der
from connectors.opcua.security.pki import Pki
from tests.services.asyncua_nodes import new_server
from tests.services.ports import free_port

URI = "urn:test:plc"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
SIGN = ua.SecurityPolicyType.Basic256Sha256_Sign
ENCRYPT = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt


@cache
def key(bits: int = 2048, which: int = 0) -> rsa.RSAPrivateKey:
    """The same key for many certificates: making one takes long."""
    del which
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass(frozen=True)
class Made:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make(
    common: str = "plc",
    *,
    uri: str | None = URI,
    hosts: tuple[str, ...] = ("plc.example",),
    start: timedelta = -DAY,
    end: timedelta = 400 * DAY,
    usage: tuple[str, ...] | None = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
    ),
    server: bool = True,
    ca: bool = False,
    issuer: Made | None = None,
    bits: int = 2048,
    which: int = 0,
    now: datetime = NOW,
    below: int | None = None,
) -> Made:
    """A certificate; `issuer` None = self-signed. Times are from `now`; `below` = authorities it allows below it."""
    own = key(bits, which)
    by = issuer or Made(None, own)  # type: ignore[arg-type]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(issuer.certificate.subject if issuer else name(common))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=below), critical=True)
    )
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)] if uri else []
    names += [x509.DNSName(one) for one in hosts]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage is not None:
        words = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
        words += ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
        given = {*usage, *(("key_cert_sign", "crl_sign") if ca else ())}
        builder = builder.add_extension(x509.KeyUsage(**{one: one in given for one in words}), critical=True)
    role = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([role]), critical=False)
    return Made(builder.sign(by.key, hashes.SHA256()), own)


def revocations(authority: Made, *serials: int, end: timedelta = 30 * DAY) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(NOW - DAY).next_update(NOW + end)
    for serial in serials:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY).build()
        builder = builder.add_revoked_certificate(one)
    return builder.sign(authority.key, hashes.SHA256())


def trusting(folder: Path, *certificates: x509.Certificate) -> Path:
    """A state folder that trusts these."""
    pki = Pki(folder / "pki")
    for one in certificates:
        pki.add(one)
    return folder


class Secured:
    """An asyncua server with a certificate; `a` counts up 20 times a second."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.server: Any = None
        self.node: Any = None

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/plc"

    def show(self, made: Made, *issuers: x509.Certificate, key_of: Made | None = None) -> None:
        """Another certificate from now on, with its issuers; `key_of` = whose private key is used for it."""
        iserver = self.server.iserver
        iserver.certificate, iserver.private_key = made.certificate, (key_of or made).key
        for factory in self.server._policies:
            factory.certificate, factory.private_key = iserver.certificate, iserver.private_key
        for endpoint in iserver.endpoints:
            endpoint.ServerCertificate = der(made.certificate) + b"".join(der(one) for one in issuers)

    @property
    def connections(self) -> int:
        """Clients that are connected now."""
        return len(self.server.bserver.clients)


@contextlib.asynccontextmanager
async def secured(made: Made, *policies: Any, uri: str = URI) -> AsyncIterator[Secured]:
    """The server, listening; default policy Basic256Sha256 SignAndEncrypt."""
    one = Secured(free_port())
    server = await new_server()
    await server.set_application_uri(uri)
    server.set_endpoint(one.endpoint)
    server.set_security_policy(list(policies or (ENCRYPT,)))
    await server.load_certificate(der(made.certificate))
    await server.load_private_key(made.pem, format="pem")
    index = await server.register_namespace("urn:test:plant")
    one.node = await server.nodes.objects.add_variable(ua.NodeId("a", index), "a", 0, ua.VariantType.Int64)
    one.server = server
    await server.start()
    stop = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_count(one.node, stop))
            try:
                yield one
            finally:
                stop.set()
    finally:
        await server.stop()


async def _count(node: Any, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        await node.write_value(ua.Variant(number, ua.VariantType.Int64))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.05)
