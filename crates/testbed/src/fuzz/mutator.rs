//! Damage that can be repeated: flips, cuts, repetitions, splices and the words that parsers trip over.

/// Makes damaged inputs out of sound ones; the same seed makes the same damage.
#[derive(Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// Starts with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of `inputs`, damaged once or a few times; at most `longest` bytes.
    pub fn next(&mut self, inputs: &[Vec<u8>], longest: usize) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        // mostly once: what is broken in many places is refused at the first
        let times = 1 + [0, 0, 0, 1, 2, 5][self.below(6)];
        for _ in 0..times {
            self.damage(&mut bytes, inputs);
            bytes.truncate(longest);
        }
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = at + self.below((bytes.len() - at).min(64) + 1);
        match self.below(11) {
            0 => self.flip(bytes),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].repeat(1 + self.below(40));
                drop(bytes.splice(at..at, again));
            }
            4 => {
                let word = WORDS[self.below(WORDS.len())];
                drop(bytes.splice(at..end, word.iter().copied()));
            }
            5 => {
                let word = WORDS[self.below(WORDS.len())];
                drop(bytes.splice(at..at, word.iter().copied()));
            }
            6 => {
                let other = &inputs[self.below(inputs.len())];
                let from = self.below(other.len() + 1);
                let to = from + self.below(other.len() - from + 1);
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            7 => self.length(bytes),
            8 | 9 => self.value(bytes),
            _ => self.digits(bytes),
        }
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let at = self.below(bytes.len());
            bytes[at] ^= 1 << self.below(8);
        }
    }

    /// Overwrites what may be a big-endian length or count.
    fn length(&mut self, bytes: &mut [u8]) {
        let width = [1, 2, 4, 8][self.below(4)];
        if bytes.len() >= width {
            let at = self.below(bytes.len() - width + 1);
            let lengths = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
            let value = lengths[self.below(lengths.len())].to_be_bytes();
            bytes[at..at + width].copy_from_slice(&value[8 - width..]);
        }
    }

    /// Replaces an attribute's value or an element's text, so that the message stays well-formed.
    fn value(&mut self, bytes: &mut Vec<u8>) {
        let from = self.below(bytes.len() + 1);
        let Some(open) = bytes[from..].iter().position(|b| b"\">".contains(b)) else { return };
        let start = from + open + 1;
        let close = if bytes[start - 1] == b'"' { b'"' } else { b'<' };
        let Some(length) = bytes[start..].iter().position(|b| *b == close) else { return };
        let value = VALUES[self.below(VALUES.len())].repeat(1 + self.below(3));
        drop(bytes.splice(start..start + length, value.bytes()));
    }

    /// Replaces a run of digits by another number.
    fn digits(&mut self, bytes: &mut Vec<u8>) {
        let from = self.below(bytes.len() + 1);
        let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit) else { return };
        let start = from + start;
        let length = bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
        let number = NUMBERS[self.below(NUMBERS.len())];
        drop(bytes.splice(start..start + length, number.bytes()));
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound.max(1) as u64) as usize
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

static WORDS: [&[u8]; 36] = [
    b"<",
    b">",
    b"/>",
    b"</a>",
    b"<a>",
    b"<a b='c'>",
    b"&",
    b"&amp;",
    b"&#0;",
    b"&#10;",
    b"&#x1F600;",
    b"&#xFFFFFFFFF;",
    b"&lt;![CDATA[",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?x y?>",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b" xmlns=''",
    b" xmlns:a='urn:hl7-org:v3'",
    b" xml:lang='en'",
    b"\"",
    b"'",
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n--b",
    b"--b--",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98\x80",
    b"^^^&amp;1.2&amp;ISO",
    b"%%%41%",
    b"\x9f\xff\x5f\x1b",
    b"\x30\x84\xff\xff\xff\xff",
];

static VALUES: [&str; 24] = [
    "",
    " ",
    "\t",
    "\r\n",
    "&#10;",
    "&#13;",
    "&#9;",
    "&#x85;",
    "&#xA0;",
    "&#x2028;",
    "&lt;",
    "&quot;",
    "&apos;",
    "&amp;amp;",
    "'",
    ">",
    "]]&gt;",
    "\u{1f600}",
    "1^^^&amp;1.2&amp;ISO",
    "^^^&amp;&amp;ISO",
    "1.2.3",
    "urn:oid:1.2",
    "20261332256199",
    "b25l",
];

static NUMBERS: [&str; 9] = [
    "0",
    "-1",
    "00",
    "1e9",
    "255",
    "99999999999999999999",
    "18446744073709551615",
    "9223372036854775808",
    "20261399999999",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_damage_and_it_is_damage() {
        let inputs = vec![b"<a b=\"1\">1</a>".repeat(20), b"\0\0\0\x05hello".repeat(20)];
        let run = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..200).map(|_| mutator.next(&inputs, 4096)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let different: std::collections::BTreeSet<_> = run(1).into_iter().collect();
        assert!(different.len() > 150, "{}", different.len());
    }
}
