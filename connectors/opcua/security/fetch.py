"""What a server shows of itself before anything is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from connectors.opcua.failures import link_errors
from connectors.opcua.security.certificates import sent_certificates
from connectors.opcua.security.discovery import discovery
from connectors.opcua.security.endpoints import offered
from connectors.opcua.security.validate import Trust, judge
from pipelines.errors import LinkRefused

_TIMEOUT_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A server as it introduces itself; nothing of it is proven.

    Attributes:
        uri: what it calls itself.
        offers: policies and modes, in words.
        certificate: its application instance certificate.
        sent: issuers it sent with it.
    """

    uri: str
    offers: str
    certificate: x509.Certificate
    sent: tuple[x509.Certificate, ...]

    def doubts(self, endpoint: str, now: datetime) -> list[str]:
        """Why a link would refuse the certificate even when it is on the trust list; the host name included."""
        host = urlsplit(endpoint).hostname or ""
        trust = Trust([self.certificate])
        verdict = judge(
            self.certificate, self.sent, trust, now, policy="auto", uri=self.uri, host=host, host_must_match=False
        )
        return [*verdict.refusals, *verdict.remarks.values()]


async def fetch(endpoint: str) -> Shown:
    """Ask a server for its endpoints over an unprotected channel.

    Raises:
        LinkError: it does not answer, or shows no certificate.
    """
    with link_errors(endpoint, opening=True):
        async with discovery(endpoint, _TIMEOUT_S) as client:
            endpoints = await client.get_endpoints()
    for one in endpoints:
        if one.ServerCertificate:
            with link_errors(endpoint):
                first, sent = sent_certificates(one.ServerCertificate)
            return Shown(str(one.Server.ApplicationUri or ""), offered(endpoints), first, tuple(sent))
    raise LinkRefused(endpoint, f"the server shows no certificate; it offers {offered(endpoints)}")
