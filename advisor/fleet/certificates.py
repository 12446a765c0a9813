"""Who is who on the connections of a fleet: an authority of its own and its certificates.

Other users of a machine, and of this computer, reach the ports that a tunnel carries.
They have no certificate of this fleet, and so no connection. No clock is believed: a
machine's may be wrong by years, and a certificate ends with the fleet, whose key is
nowhere but in the memory of its launcher.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, tzinfo=UTC)
_AUTHORITY = "the launcher of a fleet"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What proves a name.

    Attributes
    ----------
    authority : the authority's certificate, PEM
    certificate : of the name, PEM
    key : its private key, PEM
    """

    authority: str
    certificate: str
    key: str = field(repr=False)


class Authority:
    """Makes certificates that prove a name to whoever knows the authority."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def certify(self, name: str) -> Certificate:
        """Return a new key pair and the certificate of its name.

        Parameters
        ----------
        name : a member's, at most 64 characters as X.509 has it
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key.public_key())
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Certificate(self._own, certificate, secret.decode())

    @cached_property
    def _own(self) -> str:
        return self._sign(_AUTHORITY, self._key.public_key())

    def _sign(self, name: str, key: ec.EllipticCurvePublicKey) -> str:
        """Return the certificate of a name and its public key, PEM."""
        own = self._key.public_key()
        is_own = name == _AUTHORITY
        basic = x509.BasicConstraints(ca=is_own, path_length=0 if is_own else None)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(own)
        made = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(_AUTHORITY))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_BEGIN)
            .not_valid_after(_END)
            .add_extension(basic, critical=True)
            .add_extension(_usage(is_own=is_own), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()


def _usage(*, is_own: bool) -> x509.KeyUsage:
    """Return what a key is for: to sign certificates, or to prove who speaks."""
    return x509.KeyUsage(
        digital_signature=not is_own,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_own,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
