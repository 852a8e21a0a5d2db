"""XML signatures and encryption by libxmlsec (python-xmlsec); ECDH-ES, which it cannot do from python, after XML Encryption 1.1 §5.6."""

import base64
import os

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
DS11 = "http://www.w3.org/2009/xmldsig11#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
PSS = "http://www.w3.org/2007/05/xmldsig-more#"

# name -> (signature method, digest method)
METHODS = {
    "ecdsa-sha256": (MORE + "ecdsa-sha256", XENC + "sha256"),
    "ecdsa-sha384": (MORE + "ecdsa-sha384", MORE + "sha384"),
    "ecdsa-sha512": (MORE + "ecdsa-sha512", XENC + "sha512"),
    "rsa-pss-sha256": (PSS + "sha256-rsa-MGF1", XENC + "sha256"),
    "rsa-pss-sha512": (PSS + "sha512-rsa-MGF1", XENC + "sha512"),
    "rsa-sha256": (MORE + "rsa-sha256", XENC + "sha256"),
}
PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def parse(text):
    return etree.fromstring(text.encode() if isinstance(text, str) else text, PARSER)


def one(root, path):
    """The one element at an absolute-ish path of {ns}names below `root`."""
    found = root.findall(path)
    assert len(found) == 1, f"{len(found)} of {path}"
    return found[0]


def der64(certificate):
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def signature_template(identifier, method, certificate):
    sign, digest = METHODS[method]
    exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
    return (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{exclusive}"/>'
        f'<ds:SignatureMethod Algorithm="{sign}"/><ds:Reference URI="#{identifier}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"/><ds:Transform Algorithm="{exclusive}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der64(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    )


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def sign(text, pair, method):
    """Signs the document element with `pair` (key, certificate); the signature follows the Issuer."""
    key, certificate = pair
    root = parse(text)
    first = root[0] if len(root) else None
    at = 1 if first is not None and first.tag == f"{{{SAML}}}Issuer" else 0
    template = parse(signature_template(root.get("ID"), method, certificate))
    root.insert(at, template)
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem(key), xmlsec.constants.KeyDataFormatPem)
    context.sign(template)
    return etree.tostring(root, encoding="unicode")


def verify(text, certificates):
    """libxmlsec verifies the enveloped signature of the document element, by one of `certificates`."""
    root = parse(text)
    signature = one(root, f"{{{DS}}}Signature")
    assert len(list(root.iter(f"{{{DS}}}Signature"))) == 1, "one signature"
    assert one(signature, f"{{{DS}}}SignedInfo/{{{DS}}}Reference").get("URI") == "#" + root.get("ID")
    named = "".join(one(signature, f".//{{{DS}}}X509Certificate").text.split())
    signer = next((c for c in certificates if der64(c) == named), None)
    assert signer is not None, "signed by a certificate that the metadata does not name"
    verify_with(root, signature, signer)
    return one(signature, f"{{{DS}}}SignedInfo/{{{DS}}}SignatureMethod").get("Algorithm")


def verify_with(root, signature, certificate):
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(
        certificate.public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem
    )
    context.verify(signature)


def key_template(method, certificate):
    """EncryptedKey for RSA: `method` is (algorithm, digest or None, MGF or None)."""
    algorithm, digest, mask = method
    inner = f'<ds:DigestMethod Algorithm="{digest}"/>' if digest else ""
    inner += f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{mask}"/>' if mask else ""
    return (
        f'<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{algorithm}">{inner}</xenc:EncryptionMethod>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der64(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        "<xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey>"
    )


# what eIDAS nodes send: name -> (algorithm, digest, mask)
OAEP = {
    "oaep-sha256-mgf1sha256": (XENC11 + "rsa-oaep", XENC + "sha256", XENC11 + "mgf1sha256"),
    "oaep-sha256-mgf1sha1": (XENC11 + "rsa-oaep", XENC + "sha256", XENC11 + "mgf1sha1"),
    "oaep-mgf1p-sha256": (XENC + "rsa-oaep-mgf1p", XENC + "sha256", None),
    "oaep-mgf1p": (XENC + "rsa-oaep-mgf1p", None, None),
}


def data_template(key):
    return (
        f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{XENC11}aes256-gcm"/>'
        f'<ds:KeyInfo xmlns:ds="{DS}">{key}</ds:KeyInfo>'
        "<xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
    )


def encrypt_rsa(plaintext, certificate, method):
    """libxmlsec: AES-256-GCM, the key by RSA-OAEP."""
    template = parse(data_template(key_template(OAEP[method], certificate)).format(""))
    manager = xmlsec.KeysManager()
    manager.add_key(
        xmlsec.Key.from_memory(certificate.public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem)
    )
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, 256, xmlsec.constants.KeyDataTypeSession)
    return etree.tostring(context.encrypt_binary(template, plaintext), encoding="unicode")


CURVES = {"secp256r1": "1.2.840.10045.3.1.7", "secp384r1": "1.3.132.0.34", "secp521r1": "1.3.132.0.35"}


def concat_kdf(secret, length, info):
    return ConcatKDFHash(hashes.SHA256(), length, info).derive(secret)


def encrypt_ec(plaintext, certificate, wrap=256, info=("0000", "0000", "0000")):
    """By hand: ECDH-ES, ConcatKDF, AES key wrap (as OpenSAML writes it), AES-256-GCM."""
    public = certificate.public_key()
    ours = ec.generate_private_key(public.curve)
    shared = b"".join(bytes.fromhex(part)[1:] for part in info)
    kek = concat_kdf(ours.exchange(ec.ECDH(), public), wrap // 8, shared)
    content, nonce = os.urandom(32), os.urandom(12)
    point = ours.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    values = [base64.b64encode(b).decode() for b in (
        point, keywrap.aes_key_wrap(kek, content), nonce + AESGCM(content).encrypt(nonce, plaintext, None)
    )]
    names = " ".join(f'{n}="{v}"' for n, v in zip(("AlgorithmID", "PartyUInfo", "PartyVInfo"), info))
    key = (
        f'<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{XENC}kw-aes{wrap}"/><ds:KeyInfo>'
        f'<xenc:AgreementMethod Algorithm="{XENC11}ECDH-ES"><xenc11:KeyDerivationMethod xmlns:xenc11="{XENC11}" Algorithm="{XENC11}ConcatKDF">'
        f'<xenc11:ConcatKDFParams {names}><ds:DigestMethod Algorithm="{XENC}sha256"/></xenc11:ConcatKDFParams></xenc11:KeyDerivationMethod>'
        f'<xenc:OriginatorKeyInfo><ds:KeyValue><dsig11:ECKeyValue xmlns:dsig11="{DS11}"><dsig11:NamedCurve URI="urn:oid:{CURVES[public.curve.name]}"/>'
        f"<dsig11:PublicKey>{values[0]}</dsig11:PublicKey></dsig11:ECKeyValue></ds:KeyValue></xenc:OriginatorKeyInfo>"
        f"<xenc:RecipientKeyInfo><ds:X509Data><ds:X509Certificate>{der64(certificate)}</ds:X509Certificate></ds:X509Data></xenc:RecipientKeyInfo>"
        "</xenc:AgreementMethod></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{values[1]}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
    )
    return data_template(key).format(values[2])


def encrypt(plaintext, certificate, method):
    if method == "ecdh-es-kw256":
        return encrypt_ec(plaintext, certificate)
    if method == "ecdh-es-kw128":
        return encrypt_ec(plaintext, certificate, 128, ("00", "00", "00"))
    return encrypt_rsa(plaintext, certificate, method)


def decrypt(data, key):
    """The plaintext of an EncryptedData: by libxmlsec for RSA, by hand for ECDH-ES."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return decrypt_ec(data, key)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(pem(key), xmlsec.constants.KeyDataFormatPem))
    copy = parse(b"<holder>" + etree.tostring(data) + b"</holder>")
    opened = xmlsec.EncryptionContext(manager).decrypt(copy[0])
    return etree.tostring(opened)


def text64(element, path):
    return base64.b64decode(one(element, path).text)


def decrypt_ec(data, key):
    wrapped = one(data, f".//{{{XENC}}}EncryptedKey")
    params = one(wrapped, f".//{{{XENC11}}}ConcatKDFParams")
    info = b"".join(bytes.fromhex(params.get(n))[1:] for n in ("AlgorithmID", "PartyUInfo", "PartyVInfo"))
    point = text64(wrapped, f".//{{{DS11}}}PublicKey")
    length = int(wrapped.find(f"{{{XENC}}}EncryptionMethod").get("Algorithm")[-3:]) // 8
    peer = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, point)
    kek = concat_kdf(key.exchange(ec.ECDH(), peer), length, info)
    content = keywrap.aes_key_unwrap(kek, text64(wrapped, f"{{{XENC}}}CipherData/{{{XENC}}}CipherValue"))
    method = data.find(f"{{{XENC}}}EncryptionMethod").get("Algorithm")
    assert method == XENC11 + "aes256-gcm", method
    cipher = text64(data, f"{{{XENC}}}CipherData/{{{XENC}}}CipherValue")
    return AESGCM(content).decrypt(cipher[:12], cipher[12:], None)


def load_certificate(text64_or_der):
    der = text64_or_der if isinstance(text64_or_der, bytes) else base64.b64decode("".join(text64_or_der.split()))
    return x509.load_der_x509_certificate(der)
