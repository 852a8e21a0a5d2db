//! No byte of good evidence can be changed: neither what is signed, nor the signature, nor what
//! stands behind it.

use testbed::vendors::{amd as snp, intel as sgx, nitro as aws};

use super::{amd, intel, nitro};

#[test]
fn no_byte_of_a_report_can_be_changed() {
    let made = snp::Maker::new(snp::Product::Genoa, snp::Endorsement::Vcek, 5).make();
    for at in 0..made.report.len() {
        let mut made = made.clone();
        made.report[at] ^= 1 << (at % 8);
        assert!(amd::verdict(&made).is_err(), "byte {at:#x}");
    }
}

/// Up to the length of the chain: a chain that lost its last line break says the same. Types and
/// lengths of blocks are not signed, and dcap-qvl 0.7.1 does not look at the type of the block that
/// holds the quoting enclave's part; what stands in the blocks is looked at, byte by byte.
#[test]
fn no_byte_of_a_quote_can_be_changed() {
    for kind in sgx::Kind::ALL {
        let made = sgx::Maker::new(kind).make();
        let find = |wanted: &[u8]| {
            let mut parts = made.quote.windows(wanted.len());
            parts.position(|part| part == wanted).expect("it is in the quote")
        };
        let chain = find(b"-----BEGIN") - 4;
        // header, length, signature, key, then the type of the block
        let block = find(&sgx::Keys::ours().attestation.public()[1..]) + 64;
        let skipped = if kind.is_tdx() { block..block + 2 } else { 0..0 };
        for at in (0..chain).filter(|at| !skipped.contains(at)) {
            let mut made = made.clone();
            made.quote[at] ^= 1 << (at % 8);
            assert!(intel::verdict(kind, &made).is_err(), "{kind:?}: byte {at:#x}");
        }
    }
}

#[test]
fn no_byte_of_a_document_can_be_changed() {
    let mut made = aws::Maker::new().make();
    for at in 0..made.document.len() {
        made.document[at] ^= 1 << (at % 8);
        assert!(nitro::verdict(&made).is_err(), "byte {at:#x}");
        made.document[at] ^= 1 << (at % 8);
    }
}
