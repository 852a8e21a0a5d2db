//! Checkpoints of our log (c2sp.org/tlog-checkpoint), signed by its key.

pub(crate) use trust::note::Checkpoint;

use crate::log::{LogError, LogKey};

/// The signed note.
pub(crate) fn sign(checkpoint: &Checkpoint, key: &LogKey) -> Result<String, LogError> {
    let signature = key.sign(checkpoint.body().as_bytes())?;
    Ok(checkpoint.note(key.public(), &signature))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use trust::seal::SigningKey;

    use super::*;

    #[test]
    fn a_checkpoint_has_the_form_of_c2sp_and_no_byte_can_change() {
        let signing = SigningKey::new_ed25519().unwrap();
        let signing = SigningKey::from_ed25519(&signing).unwrap();
        let public = signing.public().to_vec();
        let key = LogKey::new(std::sync::Arc::new(signing), public.clone());
        let public = &*public;
        let checkpoint = Checkpoint {
            origin: "konfido.example/dk".into(),
            size: 42,
            root: [1; 32],
            lines: Vec::new(),
        };
        let note = sign(&checkpoint, &key).unwrap();
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
