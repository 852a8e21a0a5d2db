//! C2SP signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), Ed25519.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::log::{LogError, LogKey};
use crate::tree::Hash;

/// A checkpoint: whose log, how many leaves, which root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

impl Checkpoint {
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    pub(crate) fn sign(&self, key: &LogKey) -> Result<String, LogError> {
        let body = self.body();
        let mut signature = key_id(&self.origin, key.public()).to_vec();
        signature.extend(key.sign(body.as_bytes())?);
        Ok(format!("{body}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(signature)))
    }

    /// Verifies a signed note by this key; other signatures are ignored, as C2SP says.
    pub(crate) fn verify(note: &str, public: &[u8]) -> Option<Self> {
        let (origin, _) = note.split_once('\n')?;
        let text = open(note, origin, public)?;
        let mut lines = text.lines().skip(1);
        let (size, root) = (lines.next()?, lines.next()?);
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        let checkpoint = Self { origin: origin.to_owned(), size: size.parse().ok()?, root };
        (checkpoint.body() == text).then_some(checkpoint)
    }
}

/// The text of a note that `name` signed with this key (c2sp.org/signed-note).
fn open<'n>(note: &'n str, name: &str, public: &[u8]) -> Option<&'n str> {
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
fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    digest.update(name.as_bytes());
    digest.update(b"\n\x01");
    digest.update(public);
    digest.finish().as_ref()[..4].try_into().expect("because SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use trust::seal::SigningKey;

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
    fn a_checkpoint_has_the_form_of_c2sp_and_no_byte_can_change() {
        let signing = SigningKey::new_ed25519().unwrap();
        let signing = SigningKey::from_ed25519(&signing).unwrap();
        let public = signing.public().to_vec();
        let key = LogKey::new(std::sync::Arc::new(signing), public.clone());
        let public = &*public;
        let checkpoint =
            Checkpoint { origin: "konfido.example/dk".into(), size: 42, root: [1; 32] };
        let note = checkpoint.sign(&key).unwrap();
        let text = "konfido.example/dk\n42\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n\n\u{2014} konfido.example/dk ";
        assert!(note.starts_with(text), "{note}");
        // SHA-256("konfido.example/dk" LF 01 key)[..4] and the signature, in one base64 text
        let mut message = b"konfido.example/dk\n\x01".to_vec();
        message.extend_from_slice(public);
        let blob = STANDARD.decode(note[text.len()..].trim_end()).unwrap();
        assert_eq!(blob[..4], crate::evidence::sha256(&message)[..4]);
        assert_eq!(blob.len(), 4 + 64);
        assert_eq!(Checkpoint::verify(&note, public), Some(checkpoint));
        for at in 0..note.len() {
            for change in [1, 0x20, 0x80] {
                let mut bytes = note.clone().into_bytes();
                bytes[at] ^= change;
                let changed = String::from_utf8(bytes).ok();
                assert!(
                    changed.is_none_or(|note| Checkpoint::verify(&note, public).is_none()),
                    "byte {at}"
                );
            }
            let cut = note.is_char_boundary(at).then(|| &note[..at]);
            assert!(
                cut.is_none_or(|note| Checkpoint::verify(note, public).is_none()),
                "cut at {at}"
            );
        }
    }
}
