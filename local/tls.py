"""The local system's own certificate authority, and the certificate for ``localhost`` that it has signed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "localhost"
ADDRESSES = ("127.0.0.1", "::1")
AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
RENEW_DAYS = 30  # before the end
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LocalTls:
    """Files of one local system: the authority that clients trust, and what its services serve with."""

    directory: Path

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, for clients."""
        return self.directory / "ca.pem"

    @property
    def certificate(self) -> Path:
        """The certificate for ``localhost`` and its addresses."""
        return self.directory / "localhost.pem"

    @property
    def key(self) -> Path:
        """The key of the certificate for ``localhost``."""
        return self.directory / "localhost.key"

    def ensure(self) -> None:
        """Make what is missing, and renew what is about to end.

        The authority's key is used once and kept nowhere; its certificate is good for ``localhost`` only. So who
        trusts it trusts nothing else, and a new certificate comes with a new authority.
        """
        if self._is_current():
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        authority = _authority(authority_key)
        certificate = _certificate(key, authority, authority_key)
        _write(self.key, _pem(key))
        _write(self.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        _write(self.ca_file, authority.public_bytes(serialization.Encoding.PEM))

    def remove(self) -> None:
        """Remove the files."""
        for path in (self.ca_file, self.certificate, self.key):
            path.unlink(missing_ok=True)
        if self.directory.is_dir():
            self.directory.rmdir()

    def _is_current(self) -> bool:
        if not (
            self.ca_file.is_file() and self.certificate.is_file() and self.key.is_file()
        ):
            return False
        try:
            authority, certificate = (
                x509.load_pem_x509_certificate(path.read_bytes())
                for path in (self.ca_file, self.certificate)
            )
            key = serialization.load_pem_private_key(self.key.read_bytes(), None)
            certificate.verify_directly_issued_by(authority)
        except Exception:  # noqa: BLE001  whatever is wrong with a file, new ones are made
            return False
        ends = min(authority.not_valid_after_utc, certificate.not_valid_after_utc)
        return key.public_key() == certificate.public_key() and ends > datetime.now(
            UTC
        ) + timedelta(days=RENEW_DAYS)


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(
                NameOID.COMMON_NAME,
                "medical-crm-connection, this system's own authority",
            )
        ]
    )
    permitted = [
        x509.DNSName(HOST),
        *(x509.IPAddress(ip_network(address)) for address in ADDRESSES),
    ]
    return (
        _builder(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    names = [
        x509.DNSName(HOST),
        *(x509.IPAddress(ip_address(address)) for address in ADDRESSES),
    ]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority_key.public_key()
    )
    return (
        _builder(name, authority.subject, key, CERTIFICATE_DAYS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(
    *,
    digital_signature: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file that only this user may read, replacing it in one step."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(content)
    new.replace(path)
