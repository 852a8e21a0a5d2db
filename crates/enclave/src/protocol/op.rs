//! What a node may ask of its vault.

/// Requests, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    Ping = 1,
    SealRequest = 2,
    OpenRequest = 3,
    SealResponse = 4,
    OpenResponse = 5,
    Sign = 6,
    Unwrap = 7,
    Derive = 8,
    Keep = 9,
    /// Whether a kept document opens.
    Look = 10,
    /// A kept document, in the clear.
    HandOut = 11,
    /// An evidence key under its patient's.
    Lock = 12,
    Unlock = 13,
    /// The name of a patient.
    Name = 14,
    /// A TLS connection, with its first bytes.
    TlsOpen = 15,
    TlsFeed = 16,
    TlsWrite = 17,
    TlsClose = 18,
    /// A signature with ML-DSA-44.
    Cosign = 19,
    /// [`Op::Sign`] and [`Op::Lock`] at once.
    SignAndLock = 20,
    /// A document that is given against a receipt.
    Offer = 21,
    /// What will open its key.
    Expect = 22,
    /// An offered document, by the key that was published.
    TakeUp = 23,
}

impl Op {
    pub(super) const ALL: [Self; 23] = [
        Self::Ping,
        Self::SealRequest,
        Self::OpenRequest,
        Self::SealResponse,
        Self::OpenResponse,
        Self::Sign,
        Self::Unwrap,
        Self::Derive,
        Self::Keep,
        Self::Look,
        Self::HandOut,
        Self::Lock,
        Self::Unlock,
        Self::Name,
        Self::TlsOpen,
        Self::TlsFeed,
        Self::TlsWrite,
        Self::TlsClose,
        Self::Cosign,
        Self::SignAndLock,
        Self::Offer,
        Self::Expect,
        Self::TakeUp,
    ];
}
