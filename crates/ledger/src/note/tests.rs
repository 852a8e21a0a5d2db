//! Notes as C2SP writes them, and as nobody does.

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
        assert!(cut.is_none_or(|note| Checkpoint::verify(note, public).is_none()), "cut at {at}");
    }
}

#[test]
fn a_note_is_read_as_it_is_written_and_in_no_other_form() {
    let line = |name: &str, id: u8| format!("\u{2014} {name} {}\n", STANDARD.encode([id; 8]));
    let note = format!("a\nb\n\n{}{}", line("w", 1), line("w", 2));
    let read = SignedNote::read(&note).unwrap();
    assert_eq!((read.text.as_str(), read.lines.len()), ("a\nb\n", 2));
    assert_eq!(read.to_string(), note);
    let empty_line = format!("a\n\nb\n\n{}", line("w", 1));
    assert_eq!(SignedNote::read(&empty_line).unwrap().text, "a\n\nb\n", "the last one counts");
    let many: String = (0..=SignedNote::MOST_LINES).map(|n| line(&format!("w{n}"), 1)).collect();
    for (bad, why) in [
        (String::new(), "nothing"),
        (format!("a\n\n{}{}", line("w", 1), line("w", 1)), "one key twice"),
        (format!("a\n\n{many}"), "too many"),
        (note.replace("\u{2014} w", "- w"), "another dash"),
        (note.replace("\u{2014} w", "\u{2014} w+x"), "plus sign"),
        (note.replace("\u{2014} w", "\u{2014} w\u{a0}x"), "space"),
        (note.trim_end().to_owned(), "no end"),
        (note.replace("a\n", "a\r\n"), "control character"),
        (note.replacen("QE=\n", "QF=\n", 1), "bits beyond the last byte"),
        ("a\n\n\u{2014} w AAA=\n".to_owned(), "shorter than a key id"),
        (format!("{}\n\n{}", "a".repeat(SignedNote::LARGEST), line("w", 1)), "too large"),
    ] {
        assert!(bad != note && SignedNote::read(&bad).is_err(), "{why}");
    }
}
