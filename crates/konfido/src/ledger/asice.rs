//! ASiC-E with CAdES: files, a manifest of their digests, and a signature over the manifest, in one zip
//! that a court's tool opens (ETSI EN 319 162-1 §4.4; docs/decisions/0029-asic-e.md).

mod cades;
mod zip;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ledger::evidence::sha256;
use trust::seal::SealKey;

use zip::Zip;

/// One signed file.
pub struct File<'a> {
    /// Within the container; letters, digits, dots and hyphens.
    pub name: &'a str,
    /// Media type.
    pub mime: &'a str,
    /// Content.
    pub bytes: &'a [u8],
}

/// The container. Signed by `seal` at `now`.
pub fn container(files: &[File<'_>], seal: &SealKey, now: Timestamp) -> anyhow::Result<Vec<u8>> {
    let manifest = manifest(files);
    let signature = cades::sign(manifest.as_bytes(), seal, now)?;
    let mut zip = Zip::default();
    // first and stored, so that the type stands at a fixed place (§A.1)
    zip.add("mimetype", MIME.as_bytes())?;
    for file in files {
        zip.add(file.name, file.bytes)?;
    }
    zip.add(MANIFEST, manifest.as_bytes())?;
    zip.add(SIGNATURE, &signature)?;
    Ok(zip.finish())
}

/// `ASiCManifest` (§A.4): what the signature is about.
fn manifest(files: &[File<'_>]) -> String {
    let references: String = files
        .iter()
        .map(|file| {
            let digest = STANDARD.encode(sha256(file.bytes));
            format!(
                "<asic:DataObjectReference URI=\"{}\" MimeType=\"{}\">\
                 <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\
                 <ds:DigestValue>{digest}</ds:DigestValue></asic:DataObjectReference>",
                file.name, file.mime
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <asic:ASiCManifest xmlns:asic=\"http://uri.etsi.org/02918/v1.2.1#\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\
         <asic:SigReference URI=\"{SIGNATURE}\" MimeType=\"application/pkcs7-signature\"/>\
         {references}</asic:ASiCManifest>\n"
    )
}

const MIME: &str = "application/vnd.etsi.asic-e+zip";
const MANIFEST: &str = "META-INF/ASiCManifest001.xml";
const SIGNATURE: &str = "META-INF/signature001.p7s";
