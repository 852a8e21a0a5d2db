//! A portal's side of the doctor's pouch (docs/pouch.md): a question that names a key, and an answer
//! whose attachments only that key opens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use enclave::VaultError;
use enclave::pouch::{ELEMENT, Expected, MEDIA_TYPE, NAMESPACE, PouchKey, PouchOpener};
use exchange::{Country, Transaction};
use ihe::MessageError;
use ihe::mtom::{Package, Part};
use ihe::soap::SOAP12;
use trust::xml::{Limits, Writer, Xml};

/// Why an answer's attachments cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PouchError {
    /// Not a SOAP message.
    #[error("message: {0}")]
    Message(#[from] MessageError),
    /// An attachment is not what was asked for, or does not open.
    #[error("attachment {0}: {1}")]
    Closed(usize, #[source] VaultError),
    /// An attachment came as everybody on the way could read it.
    #[error("attachment {0} is not in a pouch")]
    Open(usize),
}

/// Who was asked, by whom, for what: with the key, all that an opener needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The country that was asked.
    pub from: Country,
    /// Our own.
    pub to: Country,
    /// What was asked.
    pub transaction: Transaction,
}

/// Names a key in a question: one more block at the end of the SOAP header.
pub fn name(question: &mut Package, key: &PouchKey) -> Result<(), PouchError> {
    let mut block = Writer::new();
    block.leaf("kp:Pouch", &[("xmlns:kp", NAMESPACE)], &STANDARD.encode(key.encode()));
    let (block, root) = (block.finish(), question.root.clone());
    let xml = Xml::parse_bytes(&root, &Limits::MESSAGE).map_err(MessageError::from)?;
    let header = xml.root().only_child(SOAP12, "Header").map_err(MessageError::from)?;
    let (before, behind) = xml.text().split_at(header.content_range().end);
    question.root = Bytes::from([before, &block, behind].concat());
    Ok(())
}

/// The key that a question names, if it does: what the node of the country of treatment reads.
pub fn named(question: &Package) -> Result<Option<PouchKey>, PouchError> {
    let xml = Xml::parse_bytes(&question.root, &Limits::MESSAGE).map_err(MessageError::from)?;
    let header = xml.root().only_child(SOAP12, "Header").map_err(MessageError::from)?;
    let Some(block) = header.child(NAMESPACE, ELEMENT) else { return Ok(None) };
    let text = block.demand_text(ELEMENT).map_err(MessageError::from)?;
    let bytes = STANDARD.decode(text).map_err(|_| MessageError::Content("key is not base64"))?;
    let key = PouchKey::decode(&bytes);
    key.map(Some).map_err(|_| MessageError::Content("key is not one").into())
}

/// Opens every attachment of an answer, which then is as if there had been no pouch. One that came
/// without is refused: somebody on the way took the key out of the question.
pub fn open(
    answer: &mut Package,
    question: &Question,
    opener: &PouchOpener,
) -> Result<(), PouchError> {
    let Question { from, to, transaction } = *question;
    for (number, attached) in answer.parts.iter_mut().enumerate() {
        if attached.mime != MEDIA_TYPE {
            return Err(PouchError::Open(number));
        }
        let closed = |error| PouchError::Closed(number, error);
        let part = u16::try_from(number).map_err(|_| closed(VaultError::Malformed))?;
        let content_id = &attached.cid;
        let expected = Expected { from, to, transaction, part, content_id, txid: None };
        let opened = opener.open(&attached.bytes, &expected).map_err(closed)?;
        let mime = opened.context.media_type.to_owned();
        *attached = Part { cid: attached.cid.clone(), mime, bytes: opened.text.into() };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use enclave::pouch::{self, PouchContext, Suite};
    use exchange::{Purpose, SystemEntropy, TransactionId};
    use ihe::soap::Envelope;
    use jiff::Timestamp;

    use super::*;
    use crate::assertions::Issuer;
    use crate::pki::{Pki, Role, SealKind};
    use crate::portal::envelope;
    use crate::world::{AGNETE, MONTSERRAT};

    fn question() -> Question {
        let [from, to] = ["DK", "ES"].map(|code| Country::parse(code).unwrap());
        Question { from, to, transaction: Transaction::Retrieve }
    }

    /// What a vault makes of an answer with these attachments.
    fn sealed(key: &PouchKey, documents: &[(&str, &str, &'static [u8])]) -> Package {
        let Question { from, to, transaction } = question();
        let address = enclave::Address { from, to, transaction, txid: TransactionId([7; 16]) };
        let parts = documents.iter().zip(0..).map(|((content_id, media_type, bytes), part)| {
            let context = PouchContext { address, part, content_id, media_type };
            let bytes = pouch::seal(key, &context, bytes).unwrap();
            Part { cid: (*content_id).to_owned(), mime: MEDIA_TYPE.into(), bytes: bytes.into() }
        });
        Package { root: Bytes::from_static(b"<e/>"), parts: parts.collect() }
    }

    const DOCUMENTS: [(&str, &str, &[u8]); 2] =
        [("0@konfido", "text/xml", b"<a/>"), ("1@konfido", "application/pdf", b"%PDF")];

    #[test]
    fn a_question_names_its_key_and_stays_the_same_otherwise() {
        let spain = question().to;
        let pki = Pki::new(&[spain], SealKind::P256, Timestamp::now());
        let seal = std::sync::Arc::new(pki.identity(spain, Role::Seal).seal_key());
        let visit = Issuer::new(spain, seal).visit(
            &MONTSERRAT,
            Some(&AGNETE.id()),
            Purpose::Treatment,
            Timestamp::now(),
            &SystemEntropy,
        );
        let plain = envelope(Transaction::Retrieve, &visit, "<b/>", Vec::new());
        assert_eq!(named(&plain).unwrap(), None);
        for suite in Suite::ALL {
            let opener = PouchOpener::generate(suite).unwrap();
            let mut asked = plain.clone();
            name(&mut asked, opener.public()).unwrap();
            assert_eq!(named(&asked).unwrap().as_ref(), Some(opener.public()));
            let xml = Xml::parse_bytes(&asked.root, &Limits::MESSAGE).unwrap();
            let envelope = Envelope::read(&xml).unwrap();
            assert_eq!(envelope.assertions().unwrap().len(), 2);
            let block = xml.root().descendants().find(|e| e.is(NAMESPACE, ELEMENT)).unwrap();
            let without = xml.text().replace(block.source(), "");
            assert_eq!(without.as_bytes(), plain.root, "nothing else was touched");
        }
        let mut none = Package::bare("<x/>");
        assert!(name(&mut none, PouchOpener::generate(Suite::P256).unwrap().public()).is_err());
    }

    #[test]
    fn the_attachments_of_an_answer_are_opened_each_as_what_it_was() {
        for suite in Suite::ALL {
            let opener = PouchOpener::generate(suite).unwrap();
            let answer = sealed(opener.public(), &DOCUMENTS);
            // as it travels
            let (content_type, body) = answer.write("urn:x");
            let mut answer = Package::parse(&content_type, body).unwrap();
            open(&mut answer, &question(), &opener).unwrap();
            for (part, (cid, mime, bytes)) in answer.parts.iter().zip(DOCUMENTS) {
                assert_eq!((part.cid.as_str(), part.mime.as_str()), (cid, mime));
                assert_eq!(part.bytes, bytes);
            }
        }
    }

    #[test]
    fn attachments_that_changed_places_or_came_without_a_pouch_are_refused() {
        let opener = PouchOpener::generate(Suite::P256).unwrap();
        let good = sealed(opener.public(), &DOCUMENTS);
        let refused = |change: &dyn Fn(&mut Package)| {
            let mut answer = good.clone();
            change(&mut answer);
            open(&mut answer, &question(), &opener).unwrap_err()
        };
        let closed = |error| matches!(error, PouchError::Closed(0, VaultError::Integrity));
        assert!(closed(refused(&|answer| answer.parts.swap(0, 1))));
        assert!(closed(refused(&|answer| {
            let (first, second) = answer.parts.split_at_mut(1);
            std::mem::swap(&mut first[0].bytes, &mut second[0].bytes);
        })));
        assert!(closed(refused(&|answer| answer.parts[0].cid = "2@konfido".into())));
        let plain = |answer: &mut Package| {
            answer.parts[1].mime = "text/xml".into();
            answer.parts[1].bytes = Bytes::from_static(b"<a/>");
        };
        assert!(matches!(refused(&plain), PouchError::Open(1)));
        let other = Question { transaction: Transaction::Query, ..question() };
        assert!(closed(open(&mut good.clone(), &other, &opener).unwrap_err()));
        let another = PouchOpener::generate(Suite::P256).unwrap();
        assert!(closed(open(&mut good.clone(), &question(), &another).unwrap_err()));
    }
}
