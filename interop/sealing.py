"""XML encryption by libxmlsec (python-xmlsec): AES-256-GCM, the key by RSA-OAEP or by ECDH-ES.

For ECDH-ES libxmlsec finds the two keys by name; a message carries the public key and the certificate. So names are
put in their place before libxmlsec reads, and the key and certificate in place of the names after it wrote."""

import base64

import xmlsec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from xmlcrypto import DS, XENC, der64, one, parse, pem

DS11 = "http://www.w3.org/2009/xmldsig11#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
# what eIDAS nodes send: name -> (algorithm, digest, mask)
OAEP = {
    "oaep-sha256-mgf1sha256": (XENC11 + "rsa-oaep", XENC + "sha256", XENC11 + "mgf1sha256"),
    "oaep-sha256-mgf1sha1": (XENC11 + "rsa-oaep", XENC + "sha256", XENC11 + "mgf1sha1"),
    "oaep-sha512-mgf1sha512": (XENC11 + "rsa-oaep", XENC + "sha512", XENC11 + "mgf1sha512"),
    "oaep-mgf1p-sha256": (XENC + "rsa-oaep-mgf1p", XENC + "sha256", None),
    "oaep-mgf1p": (XENC + "rsa-oaep-mgf1p", None, None),
}
# name -> (bits of the key wrap, AlgorithmID, PartyUInfo, PartyVInfo)
AGREED = {"ecdh-es-kw256": (256, "0000", "0000", "0000"), "ecdh-es-kw128": (128, "00", "00414C", "00424F42")}
CURVES = {"secp256r1": "1.2.840.10045.3.1.7", "secp384r1": "1.3.132.0.34", "secp521r1": "1.3.132.0.35"}


def data(key):
    """An empty EncryptedData around `key`."""
    return parse(
        f'<xenc:EncryptedData xmlns:xenc="{XENC}" xmlns:ds="{DS}" Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{XENC11}aes256-gcm"/>'
        f"<ds:KeyInfo>{key}</ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"
    )


def wrapped(algorithm, parameters, info):
    return (
        f'<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{algorithm}">{parameters}</xenc:EncryptionMethod>'
        f"<ds:KeyInfo>{info}</ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey>"
    )


def x509(certificate):
    return f"<ds:X509Data><ds:X509Certificate>{der64(certificate)}</ds:X509Certificate></ds:X509Data>"


def public(key, encoding=serialization.Encoding.PEM, form=serialization.PublicFormat.SubjectPublicKeyInfo):
    return key.public_bytes(encoding, form)


def manager(**keys):
    """A key manager of PEM keys by name."""
    made = xmlsec.KeysManager()
    for name, text in keys.items():
        key = xmlsec.Key.from_memory(text, xmlsec.constants.KeyDataFormatPem)
        key.name = name
        made.add_key(key)
    return made


def fill(template, plaintext, keys):
    context = xmlsec.EncryptionContext(keys)
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, 256, xmlsec.constants.KeyDataTypeSession)
    return context.encrypt_binary(template, plaintext)


def encrypt(plaintext, certificate, method):
    """An EncryptedData for the holder of `certificate`."""
    made = encrypt_ec(plaintext, certificate, method) if method in AGREED else encrypt_rsa(plaintext, certificate, method)
    return etree.tostring(made, encoding="unicode")


def encrypt_rsa(plaintext, certificate, method):
    algorithm, digest, mask = OAEP[method]
    inner = f'<ds:DigestMethod Algorithm="{digest}"/>' if digest else ""
    inner += f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{mask}"/>' if mask else ""
    return fill(data(wrapped(algorithm, inner, x509(certificate))), plaintext, manager(recipient=public(certificate.public_key())))


def encrypt_ec(plaintext, certificate, method):
    bits, *info = AGREED[method]
    recipient = certificate.public_key()
    ours = ec.generate_private_key(recipient.curve)
    names = " ".join(f'{n}="{v}"' for n, v in zip(("AlgorithmID", "PartyUInfo", "PartyVInfo"), info))
    agreement = (
        f'<xenc:AgreementMethod Algorithm="{XENC11}ECDH-ES"><xenc11:KeyDerivationMethod xmlns:xenc11="{XENC11}" Algorithm="{XENC11}ConcatKDF">'
        f'<xenc11:ConcatKDFParams {names}><ds:DigestMethod Algorithm="{XENC}sha256"/></xenc11:ConcatKDFParams></xenc11:KeyDerivationMethod>'
        "<xenc:OriginatorKeyInfo><ds:KeyName>originator</ds:KeyName></xenc:OriginatorKeyInfo>"
        "<xenc:RecipientKeyInfo><ds:KeyName>recipient</ds:KeyName></xenc:RecipientKeyInfo></xenc:AgreementMethod>"
    )
    template = data(wrapped(f"{XENC}kw-aes{bits}", "", agreement))
    made = fill(template, plaintext, manager(originator=pem(ours), recipient=public(recipient)))
    point = public(ours.public_key(), serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    put(made, "OriginatorKeyInfo", (
        f'<ds:KeyValue xmlns:ds="{DS}"><dsig11:ECKeyValue xmlns:dsig11="{DS11}"><dsig11:NamedCurve URI="urn:oid:{CURVES[recipient.curve.name]}"/>'
        f"<dsig11:PublicKey>{base64.b64encode(point).decode()}</dsig11:PublicKey></dsig11:ECKeyValue></ds:KeyValue>"
    ))
    put(made, "RecipientKeyInfo", x509(certificate).replace("<ds:X509Data>", f'<ds:X509Data xmlns:ds="{DS}">'))
    return made


def put(root, name, content):
    """Replaces what stands in the one element of this name."""
    place = one(root, f".//{{{XENC}}}{name}")
    for child in list(place):
        place.remove(child)
    place.append(parse(content))


def decrypt(encrypted, key):
    """The plaintext of an EncryptedData."""
    copy = parse(b"<holder>" + etree.tostring(encrypted, with_tail=False) + b"</holder>")
    keys = manager(recipient=pem(key))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = base64.b64decode(one(copy, f".//{{{DS11}}}PublicKey").text)
        originator = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, point)
        for name in ("originator", "recipient"):
            put(copy, f"{name.capitalize()}KeyInfo", f'<ds:KeyName xmlns:ds="{DS}">{name}</ds:KeyName>')
        keys = manager(recipient=pem(key), originator=public(originator))
    return etree.tostring(xmlsec.EncryptionContext(keys).decrypt(copy[0]))
