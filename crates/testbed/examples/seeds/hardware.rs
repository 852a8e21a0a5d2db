//! Seeds of evidence: of the vendors' forms, with invented contents and no vendor's signature.

use anyhow::{Result, anyhow};
use ciborium::Value;
use enclave::attest::{Evidence, Kind};
use testbed::fuzz::attest;
use testbed::vendors::intel::event_log::{EventLog, SHA256_ID, SHA384_ID};

use crate::World;

impl World {
    pub fn hardware(&self) -> Result<()> {
        self.put("quote", "sgx", quote(Kind::Sgx))?;
        self.put("quote", "tdx", quote(Kind::Tdx))?;
        self.put("snp", "report", report())?;
        self.put("nitro", "document", document()?)?;
        self.put("nitro", "tpm", tpm()?)?;
        let software = Evidence::software(&[1; 32], &[2; 64]);
        self.put("nitro", "software", &software.blob)?;
        self.put("attestation", "software", software.encode())?;
        let snp = Evidence { collateral: pem(), ..Evidence::new(Kind::Snp, report()) };
        self.put("attestation", "snp", snp.encode())?;
        let collateral = br#"{"pck_crl_issuer_chain":"","root_ca_crl":"30","pck_crl":"30","tcb_info_issuer_chain":"","tcb_info":"{}","tcb_info_signature":"00","qe_identity_issuer_chain":"","qe_identity":"{}","qe_identity_signature":"00"}"#;
        let log = EventLog { filling: 64, ..EventLog::default() };
        let tdx = Evidence {
            collateral: collateral.to_vec(),
            event_log: log.bytes(),
            ..Evidence::new(Kind::Tdx, quote(Kind::Tdx))
        };
        self.put("attestation", "tdx", tdx.encode())?;
        self.put("event_log", "boot", log.bytes())?;
        let two = [(SHA384_ID, 48), (SHA256_ID, 32)];
        let two = EventLog { algorithms: two.to_vec(), filling: 0, ..log };
        self.put("event_log", "two", two.bytes())?;
        self.put("policy", "policy", format!("{POLICY}\n{}", attest::signature_line(POLICY)))
    }
}

/// A quote of version 3 or 4 with lengths that hold (Intel DCAP library API, appendix A).
fn quote(kind: Kind) -> Vec<u8> {
    let (version, tee, body) = if kind == Kind::Sgx { (3, 0, 384) } else { (4, 0x81, 584) };
    let mut out = vec![version, 0, 2, 0, tee, 0, 0, 0, 0, 0, 0, 0];
    out.extend(VENDOR);
    out.extend([0; 20]);
    out.extend((0..body).map(|n| n as u8));
    let chain = pem();
    // QE report, its signature, authentication data, certificates
    let mut inner = vec![3; 384 + 64];
    inner.extend([32, 0]);
    inner.extend([4; 32]);
    inner.extend([5, 0]);
    inner.extend((chain.len() as u32).to_le_bytes());
    inner.extend(&chain);
    let mut auth = vec![6; 64 + 64];
    if kind == Kind::Tdx {
        auth.extend([6, 0]);
        auth.extend((inner.len() as u32).to_le_bytes());
    }
    auth.extend(inner);
    out.extend((auth.len() as u32).to_le_bytes());
    out.extend(auth);
    out
}

/// A report of version 3 of a Milan processor.
fn report() -> Vec<u8> {
    let mut out = vec![0; 1184];
    for (at, value) in [
        (0x00, 3),
        (0x0a, 3),
        (0x34, 1),
        (0x38, 3),
        (0x180, 3),
        (0x188, 0x19),
        (0x189, 1),
        (0x1e0, 3),
        (0x1f0, 3),
    ] {
        out[at] = value;
    }
    out[0x50..0x90].fill(7);
    out[0x90..0xc0].fill(8);
    out[0x1a0..0x1e0].fill(9);
    for at in [0x2a0, 0x2a0 + 72] {
        out[at..at + 48].fill(10);
    }
    out
}

fn document() -> Result<Vec<u8>> {
    let text = |text: &str| Value::Text(text.into());
    let bytes = |byte: u8, count: usize| Value::Bytes(vec![byte; count]);
    let pcrs = (0..16).map(|n: u8| (Value::Integer(n.into()), bytes(n + 1, 48))).collect();
    let payload = cbor(&Value::Map(vec![
        (text("module_id"), text("i-0123456789abcdef0-enc0123456789abcdef")),
        (text("digest"), text("SHA384")),
        (text("timestamp"), Value::Integer(1_790_000_000_000_u64.into())),
        (text("pcrs"), Value::Map(pcrs)),
        (text("certificate"), bytes(0x30, 64)),
        (text("cabundle"), Value::Array(vec![bytes(0x30, 64), bytes(0x31, 64)])),
        (text("public_key"), Value::Null),
        (text("user_data"), bytes(5, 64)),
        (text("nonce"), Value::Null),
    ]))?;
    cbor(&Value::Array(vec![
        Value::Bytes(vec![0xa1, 0x01, 0x38, 0x22]),
        Value::Map(Vec::new()),
        Value::Bytes(payload),
        bytes(6, 96),
    ]))
}

fn tpm() -> Result<Vec<u8>> {
    let mut attest = vec![0xff, 0x54, 0x43, 0x47, 0x80, 0x18, 0, 2, 1, 1, 0, 32];
    attest.extend([5; 32]);
    attest.extend([0; 17 + 8]);
    attest.extend([0, 0, 0, 1, 0, 0x0b, 3, 1, 0, 0, 0, 32]);
    attest.extend([6; 32]);
    cbor(&Value::Array(vec![
        Value::Integer(1.into()),
        Value::Bytes(attest),
        Value::Bytes(vec![7; 64]),
        Value::Bytes(vec![8; 65]),
    ]))
}

fn cbor(value: &Value) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).map_err(|error| anyhow!("{error}"))?;
    Ok(out)
}

/// An invented certificate.
fn pem() -> Vec<u8> {
    include_bytes!("../../src/fuzz/authority.pem").to_vec()
}

/// Intel's as the maker of quoting enclaves.
const VENDOR: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

const POLICY: &str = "# konfido attestation policy v1
version = 1
valid_from = \"2020-01-01T00:00:00Z\"
valid_until = \"2040-01-01T00:00:00Z\"

[[program]]
name = \"vault\"
kind = \"snp\"
registers = { measurement = \"080808080808080808080808080808080808080808080808080808080808080808080808080808080808080808080808\" }
svn = { guestsvn = 1 }

[[program]]
name = \"guest\"
kind = \"tdx\"
registers.mrtd = \"080808080808080808080808080808080808080808080808080808080808080808080808080808080808080808080808\"
registers.rtmr0 = \"080808080808080808080808080808080808080808080808080808080808080808080808080808080808080808080808\"
events.rtmr1 = []
events.rtmr2 = [\"070707070707070707070707070707070707070707070707070707070707070707070707070707070707070707070707\"]
optional_events.rtmr2 = [\"090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909\"]
events.rtmr3 = []

[[firmware]]
kind = \"snp\"
product = \"milan\"
svn = { bootloader = 3, tee = 0, snp = 8, microcode = 115 }

[[firmware]]
kind = \"tdx\"
statuses = [\"UpToDate\", \"SWHardeningNeeded\"]
grace_days = { OutOfDate = 30 }
evaluation = 17
refused_advisories = [\"INTEL-SA-00615\"]

[[partner]]
country = \"ES\"
platforms = [\"snp-chip:0909\"]
dynamic_platform = true

[[document]]
class = \"60591-5\"
floor = \"cvm\"
";
