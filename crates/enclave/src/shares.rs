//! Recovery shares of a root key: text files for several people, some of whom make it again together.
//! Shamir's scheme over GF(256), byte by byte (`vsss-rs`, constant time); what stands around it says
//! which set a share is of and whether it was copied well, so that each mistake is refused by its name.

mod chance;

use aws_lc_rs::digest::{SHA256, digest};
use exchange::{Country, Entropy};
use vsss_rs::Gf256;
use zeroize::Zeroizing;

use crate::root::{LENGTH, Root, RootId};
use chance::Chance;

/// One share. No `Debug`: with others it is the root key.
pub(crate) struct Share {
    country: Country,
    root: RootId,
    set: [u8; 8],
    of: u8,
    need: u8,
    /// Its number, and a byte for each byte of the root key.
    data: Zeroizing<Vec<u8>>,
}

/// Why shares do not make a root key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// Usually another file.
    #[error("is no recovery share of this version")]
    Malformed,
    /// Copied or kept badly.
    #[error("is damaged: its check does not fit; compare it with the original, letter by letter")]
    Damaged,
    /// Of another country's vault.
    #[error("is of the vault of {0}")]
    Country(Country),
    /// Each `konfido vault shares` makes a set of its own.
    #[error("is of another set than the first one: shares of two sets do not fit together")]
    Mixed,
    /// The same person's twice.
    #[error("is share {0} once more: another person's is needed")]
    Twice(u8),
    /// More people are needed.
    #[error("only {here} of {need} shares that are needed")]
    Few {
        /// That were given.
        here: u8,
        /// Of this set.
        need: u8,
    },
    /// They do not lead to the root key whose name they carry.
    #[error("these shares do not make root {0}")]
    Root(RootId),
    /// Cannot be made so.
    #[error("2 shares at least must be needed, of {MOST} at most")]
    Numbers,
}

impl ShareError {
    /// Whether it is said of one share, not of all together.
    pub(crate) fn is_of_one(self) -> bool {
        !matches!(self, Self::Few { .. } | Self::Root(_) | Self::Numbers)
    }
}

/// Splits a root key into `of` shares of which `need` make it again.
pub(crate) fn split(
    root: &Root,
    country: Country,
    (of, need): (u8, u8),
    entropy: &dyn Entropy,
) -> Result<Vec<Share>, ShareError> {
    if need < 2 || of < need || of > MOST {
        return Err(ShareError::Numbers);
    }
    let mut set = [0; 8];
    entropy.fill(&mut set);
    let made = Gf256::split_bytes(need.into(), of.into(), root.bytes(), Chance(entropy));
    let made = made.map_err(|_| ShareError::Numbers)?.into_iter();
    let root = root.id();
    let share = |data| Share { country, root, set, of, need, data: Zeroizing::new(data) };
    Ok(made.map(share).collect())
}

/// The root key of shares, each with its place among them when it is refused.
pub(crate) fn combine(shares: &[Share], country: Country) -> Result<Root, (usize, ShareError)> {
    let last = shares.len().saturating_sub(1);
    let first = shares.first().ok_or((0, ShareError::Few { here: 0, need: 2 }))?;
    for (at, share) in shares.iter().enumerate() {
        if share.country != country {
            return Err((at, ShareError::Country(share.country)));
        }
        if share.heading() != first.heading() {
            return Err((at, ShareError::Mixed));
        }
        if shares[..at].iter().any(|before| before.number() == share.number()) {
            return Err((at, ShareError::Twice(share.number())));
        }
    }
    let here = u8::try_from(shares.len()).unwrap_or(u8::MAX);
    if here < first.need {
        return Err((last, ShareError::Few { here, need: first.need }));
    }
    let wrong = (last, ShareError::Root(first.root));
    // copies that are wiped, too
    let data: Zeroizing<Vec<Vec<u8>>> =
        Zeroizing::new(shares.iter().map(|share| share.data.to_vec()).collect());
    let root = Gf256::combine_bytes(&*data).map_err(|_| wrong)?;
    Root::of(Zeroizing::new(root)).filter(|root| root.id() == first.root).ok_or(wrong)
}

impl Share {
    /// Its number in the set, from 1.
    pub(crate) fn number(&self) -> u8 {
        self.data[0]
    }

    /// How many there are of its set.
    pub(crate) fn of(&self) -> u8 {
        self.of
    }

    fn heading(&self) -> (RootId, [u8; 8], u8, u8) {
        (self.root, self.set, self.of, self.need)
    }

    /// The text of its file: short lines that can be printed, and typed again.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT));
        text.push_str(TITLE);
        let (number, of, need) = (self.number(), self.of, self.need);
        let data = Zeroizing::new(hex::encode(&self.data[1..]));
        text.push_str(&format!(
            "\ncountry {}\nroot {}\nset {}\nshare {number} of {of}, any {need} make the root key\n",
            self.country,
            self.root,
            hex::encode(self.set)
        ));
        text.push_str("data");
        for group in data.as_bytes().chunks(8) {
            text.push(' ');
            text.extend(group.iter().map(|digit| char::from(*digit)));
        }
        text.push('\n');
        let check = check(&text);
        text.push_str(&format!("check {check}\n"));
        text
    }

    /// Reads [`Share::text`]; spaces at the ends of lines and empty lines do not count.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, ShareError> {
        let malformed = ShareError::Malformed;
        if text.len() > MAX_TEXT {
            return Err(malformed);
        }
        let text = std::str::from_utf8(text).map_err(|_| malformed)?;
        let mut plain = Zeroizing::new(String::with_capacity(MAX_TEXT));
        for line in text.lines().map(str::trim_ascii).filter(|line| !line.is_empty()) {
            plain.push_str(line);
            plain.push('\n');
        }
        let (body, said) = plain.rsplit_once("check ").ok_or(malformed)?;
        if !body.starts_with(TITLE) {
            return Err(malformed);
        }
        if said.trim_ascii_end() != check(body) {
            return Err(ShareError::Damaged);
        }
        Self::read(body).filter(|share| share.text().as_str() == plain.as_str()).ok_or(malformed)
    }

    fn read(body: &str) -> Option<Self> {
        let mut lines = body.lines().skip(1);
        let mut next = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let country = Country::parse(next("country")?).ok()?;
        let (mut root, mut set) = ([0; 8], [0; 8]);
        hex::decode_to_slice(next("root")?, &mut root).ok()?;
        hex::decode_to_slice(next("set")?, &mut set).ok()?;
        let (number, rest) = next("share")?.split_once(" of ")?;
        let (of, need) = rest.split_once(", any ")?;
        let (number, of): (u8, u8) = (number.parse().ok()?, of.parse().ok()?);
        let need: u8 = need.split(' ').next()?.parse().ok()?;
        let mut digits = Zeroizing::new(String::with_capacity(MAX_TEXT));
        digits.extend(next("data")?.split(' '));
        let mut data = Zeroizing::new(vec![0; 1 + LENGTH]);
        hex::decode_to_slice(digits.as_bytes(), &mut data[1..]).ok()?;
        data[0] = number;
        let sound = (1..=of).contains(&number) && (2..=of).contains(&need) && of <= MOST;
        sound.then_some(Self { country, root: RootId(root), set, of, need, data })
    }
}

/// First half of the SHA-256 of what stands above it.
fn check(body: &str) -> String {
    hex::encode(&digest(&SHA256, body.as_bytes()).as_ref()[..16])
}

const TITLE: &str = "KONFIDO vault recovery share 1";
/// Shares of one set at most.
const MOST: u8 = 16;
/// A share has 300 bytes.
pub(crate) const MAX_TEXT: usize = 1024;

#[cfg(test)]
mod tests {
    use exchange::SystemEntropy;

    use super::*;

    fn country() -> Country {
        Country::parse("DK").unwrap()
    }

    fn made(root: &Root, of: u8, need: u8) -> Vec<Share> {
        split(root, country(), (of, need), &SystemEntropy).unwrap()
    }

    fn copy(share: &Share) -> Share {
        Share::parse(share.text().as_bytes()).unwrap()
    }

    #[test]
    fn any_two_of_three_make_the_root_key_again_and_one_says_nothing_of_it() {
        let root = Root::make(&SystemEntropy);
        let shares = made(&root, 3, 2);
        for pair in [[0, 1], [0, 2], [2, 1]] {
            let pair = pair.map(|at| copy(&shares[at]));
            assert_eq!(combine(&pair, country()).ok().unwrap().bytes(), root.bytes());
        }
        let all: Vec<Share> = shares.iter().map(copy).collect();
        assert_eq!(combine(&all, country()).ok().unwrap().bytes(), root.bytes());
        for share in &shares {
            assert!(!share.text().contains(&hex::encode(&root.bytes()[..4])), "it is in the clear");
        }
        let again = made(&root, 3, 2);
        assert!(again[0].data != shares[0].data && again[0].set != shares[0].set);
    }

    #[test]
    fn a_larger_quorum_needs_all_of_its_members() {
        let root = Root::make(&SystemEntropy);
        let mut shares = made(&root, 16, 5);
        assert_eq!(combine(&shares[3..8], country()).ok().unwrap().bytes(), root.bytes());
        shares.truncate(4);
        let error = combine(&shares, country()).err().unwrap();
        assert_eq!(error, (3, ShareError::Few { here: 4, need: 5 }));
        for (of, need) in [(3, 1), (2, 3), (17, 2), (0, 0)] {
            let error = split(&root, country(), (of, need), &SystemEntropy).err();
            assert_eq!(error, Some(ShareError::Numbers), "{of} {need}");
        }
    }

    #[test]
    fn each_mistake_with_shares_is_refused_by_its_name() {
        let (root, other) = (Root::make(&SystemEntropy), Root::make(&SystemEntropy));
        let (ours, second, others) = (made(&root, 3, 2), made(&root, 3, 2), made(&other, 3, 2));
        let refused = |shares: &[Share]| combine(shares, country()).err().unwrap();
        assert_eq!(refused(&[]).1, ShareError::Few { here: 0, need: 2 });
        assert_eq!(refused(&ours[..1]), (0, ShareError::Few { here: 1, need: 2 }));
        assert_eq!(refused(&[copy(&ours[1]), copy(&ours[1])]), (1, ShareError::Twice(2)));
        assert_eq!(refused(&[copy(&ours[0]), copy(&second[1])]), (1, ShareError::Mixed));
        assert_eq!(refused(&[copy(&ours[0]), copy(&others[1])]), (1, ShareError::Mixed));
        let elsewhere = combine(&ours[..2], Country::parse("ES").unwrap()).err().unwrap();
        assert_eq!(elsewhere, (0, ShareError::Country(country())));
        // a check that fits over data that does not
        let mut forged = copy(&ours[1]);
        forged.data[5] ^= 1;
        let forged = [copy(&ours[0]), copy(&forged)];
        assert_eq!(refused(&forged), (1, ShareError::Root(root.id())));
    }

    #[test]
    fn a_share_that_was_copied_badly_is_damaged_and_spaces_do_not_matter() {
        let share = &made(&Root::make(&SystemEntropy), 3, 2)[2];
        let text = share.text();
        let spaced = format!("\r\n  {}\r\n\r\n", text.replace('\n', "  \r\n\r\n"));
        assert!(Share::parse(spaced.as_bytes()).is_ok_and(|read| read.data == share.data));
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] ^= 1;
            // the last line's end may be anything, or missing
            let last = at == text.len() - 1;
            assert!(last || Share::parse(&changed).is_err(), "byte {at}");
            assert!(last || Share::parse(&text.as_bytes()[..at]).is_err(), "{at}");
        }
        let digit = text.find("data ").unwrap() + 5;
        let mut changed = text.as_bytes().to_vec();
        changed[digit] = if changed[digit] == b'0' { b'1' } else { b'0' };
        assert_eq!(Share::parse(&changed).err(), Some(ShareError::Damaged));
        assert_eq!(Share::parse(b"-----BEGIN").err(), Some(ShareError::Malformed));
        assert_eq!(Share::parse(&vec![b' '; MAX_TEXT + 1]).err(), Some(ShareError::Malformed));
    }
}
