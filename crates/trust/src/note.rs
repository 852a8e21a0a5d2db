//! C2SP signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), Ed25519.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A checkpoint: whose log, how many leaves, which root, and what else its log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root of the tree (RFC 6962 §2.1).
    pub root: [u8; 32],
    /// Extension lines: opaque to whoever does not know them.
    pub lines: Vec<String>,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn body(&self) -> String {
        let mut body = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root));
        for line in &self.lines {
            body.push_str(line);
            body.push('\n');
        }
        body
    }

    /// Reads [`Checkpoint::body`], and nothing that is written otherwise.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        if lines.len() > MAX_LINES || lines.iter().any(String::is_empty) || origin.is_empty() {
            return None;
        }
        let read = Self { origin: origin.to_owned(), size: size.parse().ok()?, root, lines };
        (read.body() == text).then_some(read)
    }

    /// The signed note, from a signature of [`Checkpoint::body`] by the key.
    pub fn note(&self, public: &[u8], signature: &[u8]) -> String {
        let whole = [&key_id(&self.origin, public), signature].concat();
        format!("{}\n\u{2014} {} {}\n", self.body(), self.origin, STANDARD.encode(whole))
    }

    /// Verifies a signed note by this key; other signatures are ignored, as C2SP says.
    pub fn verify(note: &str, public: &[u8]) -> Option<Self> {
        let (origin, _) = note.split_once('\n')?;
        Self::parse(open(note, origin, public)?)
    }
}

/// The text of a note that `name` signed with this key (c2sp.org/signed-note).
pub fn open<'n>(note: &'n str, name: &str, public: &[u8]) -> Option<&'n str> {
    // the signatures stand behind the last empty line, and every line is ended
    let blank = note.rfind("\n\n")?;
    let (text, signatures) = (&note[..=blank], note[blank + 2..].strip_suffix('\n')?);
    let mut verified = false;
    for line in signatures.split('\n') {
        let (signer, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let signature = STANDARD.decode(signature).ok()?;
        let (id, signature) = signature.split_first_chunk::<4>()?;
        if (signer, *id) == (name, key_id(name, public)) {
            UnparsedPublicKey::new(&ED25519, public).verify(text.as_bytes(), signature).ok()?;
            verified = true;
        }
    }
    verified.then_some(text)
}

/// First four bytes of `SHA-256(name || "\n" || 0x01 || key)`.
pub fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    digest.update(name.as_bytes());
    digest.update(b"\n\x01");
    digest.update(public);
    digest.finish().as_ref()[..4].try_into().expect("because SHA-256 has 32 bytes")
}

/// Extension lines at most.
const MAX_LINES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of golang.org/x/mod/sumdb/note, made by its authors' program.
    #[test]
    fn a_note_from_elsewhere_opens() {
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let key = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        assert_eq!(key_id("PeterNeumann", &key[1..]), [0xc7, 0x4f, 0x20, 0xa3]);
        assert!(open(note, "PeterNeumann", &key[1..]).unwrap().ends_with("problem is.\n"));
        assert!(open(note, "PaulNeumann", &key[1..]).is_none());
        assert!(
            open(&note.replace("your problem,", "my problem,"), "PeterNeumann", &key[1..])
                .is_none()
        );
        let cosigned = format!("{note}\u{2014} witness AAAAAAAA\n");
        assert!(open(&cosigned, "PeterNeumann", &key[1..]).is_some(), "others may sign too");
    }

    #[test]
    fn a_checkpoint_may_say_more_than_c2sp_asks_and_has_one_form() {
        let root = STANDARD.encode([7; 32]);
        let plain = format!("log.example\n5\n{root}\n");
        let read = Checkpoint::parse(&plain).unwrap();
        assert!(read.lines.is_empty());
        assert_eq!(read.body(), plain);
        let more = format!("{plain}konfido-vault 3\nsomething else\n");
        let read = Checkpoint::parse(&more).unwrap();
        assert_eq!(read.lines, ["konfido-vault 3", "something else"]);
        assert_eq!(read.body(), more);
        let many = format!("{plain}{}", "x\n".repeat(MAX_LINES + 1));
        let empty = format!("{plain}\nx\n");
        let padded = plain.replace("\n5\n", "\n05\n");
        for bad in ["", "\n", "a\n5\n", &many, &empty, &padded, plain.trim_end()] {
            assert!(Checkpoint::parse(bad).is_none(), "{bad:?}");
        }
    }
}
