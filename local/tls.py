"""Makes the local system's own certificate authority, and the certificate for ``localhost`` that it signs."""

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
# A client whose clock is behind accepts a new certificate.
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LocalTls:
    """The TLS files of one local system: the authority's certificate for clients, certificate and key for services."""

    directory: Path

    @property
    def ca_file(self) -> Path:
        """Return the file of the authority's certificate, for clients."""
        return self.directory / "ca.pem"

    @property
    def certificate(self) -> Path:
        """Return the file of the certificate for ``localhost`` and its addresses."""
        return self.directory / "localhost.pem"

    @property
    def key(self) -> Path:
        """Return the file of the key of the certificate for ``localhost``."""
        return self.directory / "localhost.key"

    def ensure(self) -> None:
        """Make all three files again unless they exist, belong together and do not expire soon."""
        if self._is_current():
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The authority's key is stored nowhere: nobody can sign another certificate that its clients would trust.
        # So a new certificate needs a new authority.
        authority_key = ec.generate_private_key(ec.SECP256R1())
        key = ec.generate_private_key(ec.SECP256R1())
        authority = _authority(authority_key)
        certificate = _certificate(key, authority, authority_key)
        pem = serialization.Encoding.PEM
        _write(self.key, _pem(key))
        _write(self.certificate, certificate.public_bytes(pem))
        _write(self.ca_file, authority.public_bytes(pem))

    def remove(self) -> None:
        """Remove the files and their folder."""
        for path in (self.ca_file, self.certificate, self.key):
            path.unlink(missing_ok=True)
        if self.directory.is_dir():
            self.directory.rmdir()

    def _is_current(self) -> bool:
        files = (self.ca_file, self.certificate, self.key)
        if not all(file.is_file() for file in files):
            return False
        # Files of an interrupted attempt may not belong together; whatever is wrong with them, new ones are made.
        try:
            authority = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            key = serialization.load_pem_private_key(self.key.read_bytes(), None)
            certificate.verify_directly_issued_by(authority)
        except Exception:  # noqa: BLE001
            return False
        if key.public_key() != certificate.public_key():
            return False
        ends = min(authority.not_valid_after_utc, certificate.not_valid_after_utc)
        renewal = ends - timedelta(days=RENEW_DAYS)
        return renewal > datetime.now(UTC)


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    title = "medical-crm-connection, this system's own authority"
    common_name = x509.NameAttribute(NameOID.COMMON_NAME, title)
    name = x509.Name([common_name])
    # Clients that trust the authority accept its certificates for this machine only.
    addresses = [x509.IPAddress(ip_network(address)) for address in ADDRESSES]
    permitted = [x509.DNSName(HOST), *addresses]
    # Path length 0: it signs no further authority. Critical: a client that does not know the constraints refuses it.
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
