"""A certificate authority for development, and a server certificate that it has signed. [C10, RFC 5280]

The authority's key is used once and then forgotten: a copy of it could vouch for any server that our clients trust. A
new certificate therefore comes with a new authority.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import BadInput
from pytest_agog.security.files import PUBLIC, write

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CA, CERTIFICATE, KEY = "ca.pem", "server.pem", "server-key.pem"
_SKEW: Final = datetime.timedelta(minutes=5)
"""Clocks of containers and hosts differ a little."""


class BadHost(BadInput):
    """{host!r} cannot stand in a certificate ({reason}). Give names or addresses as clients write them, for instance
    --host localhost --host 127.0.0.1."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files: who vouches, for whom, and the server's secret."""

    ca: Path
    """Certificate of the authority; clients get it as NATS_CA."""
    certificate: Path
    key: Path
    """The server's key, mode 0600."""

    @property
    def server(self) -> dict[str, Any]:
        """Keys of nats-server's configuration. Clients that do not speak TLS are refused."""
        return {"tls": {"cert_file": str(self.certificate), "key_file": str(self.key), "timeout": 5}}


def certify(folder: Path, hosts: Sequence[str], days: float = 365, *, former: bytes = b"") -> Certificates:
    """Make an authority and a server certificate for `hosts` (names and IP addresses), which ends after `days`.

    Negative `days` give one that has ended already. `former` is a `ca.pem` whose newest authority clients go on
    trusting, for servers that still show its certificate.

    Raises:
        BadHost: a host is neither a name nor an address.
        OSError: `folder` cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    names = [_general_name(host) for host in hosts]
    if not names:
        raise BadHost(host="", reason="there is no host")
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, days)
    certificate = _server(server_key, names, hosts[0], authority, authority_key, days)
    return Certificates(
        write(folder / CA, _pem(authority) + _first(former), PUBLIC),
        write(folder / CERTIFICATE, _pem(certificate), PUBLIC),
        write(folder / KEY, _key_pem(server_key)),
    )


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        ascii_name = host.encode("idna").decode()
    except UnicodeError as error:
        raise BadHost(host=host, reason=str(error) or "no name of a host") from None
    labels = ascii_name.removeprefix("*.").split(".")
    if not all(label and label.replace("-", "").isalnum() for label in labels) or len(ascii_name) > 253:
        raise BadHost(host=host, reason="no name of a host")
    return x509.DNSName(ascii_name)


def _authority(key: EllipticCurvePrivateKey, days: float) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "agog development authority")])
    public = key.public_key()
    return (
        _builder(name, name, public, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server(
    key: EllipticCurvePrivateKey, names: Sequence[x509.GeneralName], title: str, authority: x509.Certificate,
    authority_key: EllipticCurvePrivateKey, days: float,
) -> x509.Certificate:  # fmt: skip
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title[:64])])
    public = key.public_key()
    return (
        _builder(name, authority.subject, public, days)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        # Servers of a cluster are each other's clients.
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(name: x509.Name, issuer: x509.Name, public: Any, days: float) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(days=days)
    begins = min(now - _SKEW, ends - datetime.timedelta(days=1))
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _first(pem: bytes) -> bytes:
    """The newest certificate of a `ca.pem`; nothing of what is none."""
    from cryptography import x509

    try:
        return _pem(x509.load_pem_x509_certificates(pem)[0]) if pem else b""
    except ValueError:
        return b""


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
