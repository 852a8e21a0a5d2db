"""Keys and certificates of a small world, made by `cryptography`."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def new_key(kind):
    if kind == "rsa":
        return rsa.generate_private_key(65537, 3072)
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}[kind])


def name(country, common):
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, country), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(subject, key, issuer=None, usages=(), authority=False):
    """`issuer` is (key, certificate); without it the certificate signs itself."""
    signer, above = issuer or (key, None)
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 90 * DAY)
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    )
    bits = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    builder = builder.add_extension(
        x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **bits), True
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder.sign(signer, hashes.SHA256())


class Authority:
    """A root, and what it issues: pairs of (key, certificate)."""

    def __init__(self):
        self.key = new_key("p256")
        self.certificate = certificate(name("EU", "Interop Root"), self.key, authority=True)

    def issue(self, country, common, kind="p256", usages=()):
        key = new_key(kind)
        return key, certificate(name(country, common), key, (self.key, self.certificate), usages)

    def server(self, country, common):
        return self.issue(country, common, usages=[Eku.SERVER_AUTH])

    def client(self, country, common):
        return self.issue(country, common, usages=[Eku.CLIENT_AUTH])


def own(country, common, kind):
    """A pair that signs itself, as eIDAS metadata carries them."""
    key = new_key(kind)
    return key, certificate(name(country, common), key)


def cert_pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def write(folder, stem, pair):
    """Writes stem.pem and stem.key; gives their paths."""
    from xmlcrypto import pem

    paths = folder / f"{stem}.pem", folder / f"{stem}.key"
    paths[0].write_bytes(cert_pem(pair[1]))
    paths[1].write_bytes(pem(pair[0]))
    paths[1].chmod(0o600)
    return paths
