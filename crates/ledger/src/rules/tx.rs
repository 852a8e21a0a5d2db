//! What the ledger records of one exchange, in 48 bytes.

use exchange::Country;

use crate::tree::Hash;

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Both countries signed.
    Whole,
    /// One of them did, or each for itself; the deadline runs.
    Half,
    /// The deadline of a half has passed.
    Open,
    /// A half was closed in time.
    Closed,
    /// A half was closed after its deadline.
    ClosedLate,
    /// One country signed; the other has no KONFIDO and cannot.
    Alone,
    /// Strict: a document was offered; the receipt's deadline runs.
    Offered,
    /// Strict: the document was received; the key's deadline runs.
    Receipted,
    /// Strict: the key was given in time.
    Released,
    /// Strict: the key was given after its deadline.
    ReleasedLate,
    /// Strict: nobody took the offer up.
    Lapsed,
    /// Strict: the provider is in default.
    Defaulted,
}

impl State {
    /// All, with the byte that stands for each.
    pub const ALL: [(Self, u8); 12] = [
        (Self::Whole, 1),
        (Self::Half, 2),
        (Self::Open, 3),
        (Self::Closed, 4),
        (Self::ClosedLate, 5),
        (Self::Alone, 6),
        (Self::Offered, 16),
        (Self::Receipted, 17),
        (Self::Released, 18),
        (Self::ReleasedLate, 19),
        (Self::Lapsed, 20),
        (Self::Defaulted, 21),
    ];
}

/// Which entry of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The requester's half, or its receipt of an offer.
    Requester,
    /// The provider's half, or its offer.
    Provider,
    /// That a deadline passed.
    Lapse,
    /// The record that both signed, or the key.
    End,
}

/// What is recorded of one exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tx {
    state: State,
    requester: Country,
    provider: Country,
    /// 0 when none runs or ran.
    deadline: u64,
    indices: [Option<u64>; 4],
    /// First bytes of the offer's digest.
    offer: [u8; OFFER],
}

impl Tx {
    pub(super) fn new(state: State, requester: Country, provider: Country) -> Self {
        let (indices, offer) = ([None; 4], [0; OFFER]);
        Self { state, requester, provider, deadline: 0, indices, offer }
    }

    /// Where the exchange stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Country of treatment, country of affiliation.
    pub fn parties(&self) -> (Country, Country) {
        (self.requester, self.provider)
    }

    /// The last height of the deadline that runs, or ran last; 0 when there was none.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    /// The first height at which an entry may say that the deadline has passed; none when no deadline
    /// runs. [`crate::rules::Facts::due`] goes by it.
    pub fn due_from(&self) -> Option<u64> {
        let runs = matches!(self.state, State::Half | State::Offered | State::Receipted);
        runs.then(|| self.deadline.saturating_add(1))
    }

    /// Where in the tree one of its entries is.
    pub fn index(&self, slot: Slot) -> Option<u64> {
        self.indices[slot as usize]
    }

    /// All its entries, in the order of the ledger.
    pub fn entries(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.indices.iter().copied().flatten().collect();
        all.sort_unstable();
        all
    }

    pub(super) fn in_state(self, state: State) -> Self {
        Self { state, ..self }
    }

    pub(super) fn with(mut self, slot: Slot, index: u64) -> Self {
        self.indices[slot as usize] = Some(index);
        self
    }

    pub(super) fn until(self, deadline: u64) -> Self {
        Self { deadline, ..self }
    }

    pub(super) fn about(self, offer: &Hash) -> Self {
        Self { offer: prefix(offer), ..self }
    }

    /// Whether it is the offer with this digest. 96 bits: enough to say which of an exchange's one
    /// offer; the entry itself has the whole digest.
    pub(super) fn is_about(&self, offer: &Hash) -> bool {
        self.offer == prefix(offer)
    }

    /// 48 bytes: state, zero, countries, deadline, four indices, offer.
    pub fn encode(&self) -> [u8; TX] {
        let mut out = [0; TX];
        let state = State::ALL.iter().find(|row| row.0 == self.state).map_or(0, |row| row.1);
        out[0] = state;
        out[1..3].copy_from_slice(self.requester.as_str().as_bytes());
        out[3..5].copy_from_slice(self.provider.as_str().as_bytes());
        out[6..12].copy_from_slice(&narrow(self.deadline));
        for (index, place) in self.indices.iter().zip(out[12..36].chunks_mut(6)) {
            // an index is stored one higher, so that zero stands for none
            place.copy_from_slice(&narrow(index.map_or(0, |index| index + 1)));
        }
        out[36..].copy_from_slice(&self.offer);
        out
    }

    /// Reads [`Tx::encode`], and nothing else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; TX] = bytes.try_into().ok()?;
        let state = State::ALL.iter().find(|row| row.1 == bytes[0])?.0;
        let country =
            |at: usize| Country::parse(std::str::from_utf8(&bytes[at..at + 2]).ok()?).ok();
        let mut tx = Self::new(state, country(1)?, country(3)?);
        tx.deadline = wide(&bytes[6..12]);
        for (index, place) in tx.indices.iter_mut().zip(bytes[12..36].chunks(6)) {
            *index = wide(place).checked_sub(1);
        }
        tx.offer.copy_from_slice(&bytes[36..]);
        (tx.encode() == *bytes).then_some(tx)
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { state, requester, provider, deadline, indices, .. } = self;
        write!(f, "Tx({state:?} {requester}->{provider} until {deadline}, {indices:?})")
    }
}

fn prefix(offer: &Hash) -> [u8; OFFER] {
    *offer.first_chunk().expect("because a hash is longer")
}

/// 48 bits: at a thousand blocks or entries a second, nine thousand years.
fn narrow(number: u64) -> [u8; 6] {
    let [0, 0, rest @ ..] = number.min((1 << 48) - 1).to_be_bytes() else {
        unreachable!("because it was cut to 48 bits")
    };
    rest
}

fn wide(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Bytes of an encoded [`Tx`].
pub const TX: usize = 48;
const OFFER: usize = 12;
