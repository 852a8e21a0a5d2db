//! An identity provider of our own that states quality levels of STORK (`levels = "stork"`).

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::SystemEntropy;
use identity::Assurance;
use identity::eidas::person::{Person, PersonIdentifier};
use identity::eidas::response::Answer;
use jiff::Timestamp;
use testbed::browser::Page;
use trust::certificate::Certificate;
use trust::encryption::{DecryptionKey, Recipient, decrypt, encrypt};
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::{Limits, Xml};

use crate::peer::Stage;

impl Stage {
    /// Signs in, answered with this authentication context in place of level high.
    async fn answered_with(&mut self, context: &str) -> Page {
        self.sign_in("/return").await;
        let (request, _, relay) = self.asked();
        let acs = format!("{}/eid/connector/acs", self.node.url);
        let identifier = PersonIdentifier::parse("ES/ES/02635542Y").unwrap();
        let person = Person::new(identifier, "Inventada", "Pilar", "1980-05-17".parse().unwrap());
        let answer = Answer {
            request: &request,
            endpoint: &acs,
            issuer: &format!("{}/idp", self.peer.base),
            person: &person,
            assurance: Assurance::High,
            address: "",
            now: Timestamp::now(),
        };
        let file = |name: &str| fs::read(self.node.site.dir.join(name)).unwrap();
        let certificate = Certificate::from_pem(&file("encryption.pem")).unwrap().remove(0);
        let recipient = Recipient::new(certificate);
        let text = answer.sign(&self.peer.key, &recipient, &SystemEntropy).unwrap();
        let key = DecryptionKey::from_pem(&file("encryption.key")).unwrap();
        let text = restated(&text, &key, context, &recipient, &self.peer.key);
        let form = [("SAMLResponse", STANDARD.encode(text)), ("RelayState", relay)];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.browser.post(&acs, &form).await.unwrap()
    }
}

/// The answer with another level inside, sealed and signed again.
fn restated(
    text: &str,
    key: &DecryptionKey,
    context: &str,
    recipient: &Recipient,
    signer: &std::sync::Arc<trust::seal::SealKey>,
) -> String {
    let xml = Xml::parse(text, &Limits::MESSAGE).unwrap();
    let find = |name: &str| xml.root().descendants().find(|e| e.name() == name).unwrap();
    let inside = decrypt(find("EncryptedData"), key).unwrap();
    let inside = std::str::from_utf8(&inside).unwrap().replace(Assurance::High.uri(), context);
    let sealed = encrypt(inside.as_bytes(), recipient, &SystemEntropy).unwrap();
    let unsigned = text
        .replace(find("EncryptedData").source(), &sealed)
        .replace(find("Signature").source(), "");
    let id = xml.root().attribute("ID").unwrap();
    sign_enveloped_as(&unsigned, id, signer, Profile::Eidas).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_of_stork_sign_people_in_where_they_are_configured() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "stork", "").await;
    let page = stage.answered_with("http://www.stork.gov.eu/1.0/citizenQAALevel/3").await;
    let log = stage.node.log();
    assert!(page.url.starts_with(&format!("{}/return?code=", stage.peer.base)), "{log}");
    // substantial was asked
    for (context, why) in [
        ("http://www.stork.gov.eu/1.0/citizenQAALevel/2", "response.level"),
        ("http://www.stork.gov.eu/1.0/citizenQAALevel/9", "response.level-known"),
        (Assurance::High.uri(), "response.level-known"),
    ] {
        let before = stage.node.refusals(why);
        let page = stage.answered_with(context).await;
        assert!(page.url.ends_with("/return?error=server_error&state=s"), "{context}");
        assert_eq!(stage.node.refusals(why), before + 1, "{context}\n{}", stage.node.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_of_stork_sign_nobody_in_where_they_are_not_configured() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "eidas", "").await;
    let page = stage.answered_with("http://www.stork.gov.eu/1.0/citizenQAALevel/4").await;
    assert!(page.url.ends_with("/return?error=server_error&state=s"), "{}", page.url);
    assert_eq!(stage.node.refusals("response.level-known"), 1);
    let page = stage.answered_with(Assurance::High.uri()).await;
    assert!(page.url.contains("/return?code="), "{}", stage.node.log());
}
