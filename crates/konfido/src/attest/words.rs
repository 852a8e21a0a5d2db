//! What each kind of evidence means, in words that promise no more than it keeps.

use enclave::attest::Kind;

/// What people should know about one kind of evidence.
pub struct Words {
    /// Who vouches for it.
    pub vendor: &'static str,
    /// What it keeps away, and from whom.
    pub keeps: &'static str,
    /// What it does not.
    pub leaves: &'static str,
    /// What is needed to verify it.
    pub needs: &'static str,
}

/// (kind, vendor, keeps, leaves, needs)
static WORDS: &[(Kind, Words)] = &[
    (
        Kind::Software,
        Words {
            vendor: "nobody: the program says it of itself",
            keeps: "other users of the machine, and root's ordinary tools on the pages that hold keys",
            leaves: "root who puts code into the process or replaces the program, the hypervisor, \
                     and whoever holds the machine in his hands",
            needs: "nothing; nothing is proven",
        },
    ),
    (
        Kind::Tpm,
        Words {
            vendor: "a TPM whose key the country registered",
            keeps: "the root key from a machine that was started with other software",
            leaves: "whoever rules the system that was started: root, its administrators, the hypervisor",
            needs: "the registered attestation key",
        },
    ),
    (
        Kind::Sgx,
        Words {
            vendor: "Intel, by the key of one processor",
            keeps: "keys and documents in the enclave from root, the hypervisor and the administrator",
            leaves: "side channels of the open advisories, what the enclave itself gives away, and an \
                     attacker with an interposer on the memory bus (TEE.fail): hence registered machines",
            needs: "collateral of Intel for the moment: TCB info, QE identity, two revocation lists",
        },
    ),
    (
        Kind::Tdx,
        Words {
            vendor: "Intel, by the key of one processor",
            keeps: "the guest's memory from the host's root, its hypervisor and its administrator",
            leaves: "everything inside the guest, its kernel included; side channels; an attacker with \
                     an interposer on the memory bus (TEE.fail): hence registered machines",
            needs: "collateral of Intel for the moment: TCB info, TD QE identity, two revocation lists",
        },
    ),
    (
        Kind::Snp,
        Words {
            vendor: "AMD, by the key of one processor (VCEK) or of a cloud provider (VLEK)",
            keeps: "the guest's memory from the host's root, its hypervisor and its administrator",
            leaves: "everything inside the guest, its kernel included; side channels; an attacker with \
                     an interposer on the memory bus (TEE.fail): hence registered machines",
            needs: "the VCEK or VLEK certificate, the ASK, and AMD's revocation list",
        },
    ),
    (
        Kind::Nitro,
        Words {
            vendor: "Amazon, by its hypervisor",
            keeps: "the enclave's memory from the customer's own instance and its administrators",
            leaves: "Amazon: no processor keeps its hypervisor out, so this never counts as a \
                     confidential virtual machine",
            needs: "nothing else: it brings its certificates, which live for some three hours",
        },
    ),
];

/// The words for a kind.
pub fn of(kind: Kind) -> &'static Words {
    &WORDS.iter().find(|row| row.0 == kind).expect("because each kind has a row").1
}
