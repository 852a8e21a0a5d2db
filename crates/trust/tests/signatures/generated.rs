//! Texts that nobody would write.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*") {
        let _ = Xml::parse(&text, &Limits::ASSERTION).map(|xml| xml.root().standalone());
    }

    #[test]
    fn no_markup_makes_the_reader_panic(
        text in "(<[a-c:]{0,3}( (xmlns(:a)?|ID|a:b)=['\"][a-z:#&;]{0,6}['\"])?/?>|</[a-c]>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?|&#?[x0-9a-z]{0,5};|['\"<>=/]|[a-c ]){0,40}"
    ) {
        if let Ok(xml) = Xml::parse(&text, &Limits::ASSERTION) {
            let _ = verify_enveloped(xml.root(), Profile::Ehdsi).map(|_| ());
            for element in xml.root().descendants() {
                let _ = (element.content_range(), element.standalone());
            }
        }
    }

    #[test]
    fn a_changed_byte_never_changes_what_is_read(at in any::<prop::sample::Index>(), to in 0x20u8..0x7f) {
        let mut bytes = WORLD.signed.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to;
        let text = String::from_utf8(bytes).unwrap();
        if let Ok(name) = read(&text, Profile::Ehdsi) {
            prop_assert_eq!(name, "GOOD");
        }
    }
}
