//! Writing REM evidence, in the order of `etsirem.xsd`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trust::xml::Writer;

use super::{DS, Evidence, Message, OWN, Party, REM, Record, SHA256, TSL, Verdict};

impl Evidence {
    /// Writes it, without a signature.
    pub fn render(&self) -> String {
        let mut w = Writer::new();
        let (id, row) = (self.xml_id(), self.kind.row());
        w.open(row.root, &[("xmlns", REM), ("version", VERSION), ("Id", &id)]);
        let [yes, no] = row.events;
        w.leaf("EventCode", &[], if self.verdict == Verdict::Accepted { yes } else { no });
        self.write_reasons(&mut w);
        w.leaf("EvidenceIdentifier", &[], &self.id);
        if !self.policies.is_empty() {
            w.open("EvidenceIssuerPolicyID", &[]);
            self.policies.iter().for_each(|policy| w.leaf("PolicyID", &[], policy));
            w.close();
        }
        write_party(&mut w, "EvidenceIssuerDetails", &self.issuer);
        if let Some(how) = &self.authentication {
            w.open("SenderAuthenticationDetails", &[]);
            w.leaf("AuthenticationTime", &[], &how.time.to_string());
            w.leaf("AuthenticationMethod", &[], &how.method);
            w.close();
        }
        w.leaf("EventTime", &[], &self.event_time.to_string());
        if let Some(time) = &self.submission_time {
            w.leaf("SubmissionTime", &[], &time.to_string());
        }
        write_party(&mut w, "SenderDetails", &self.sender);
        w.open("RecipientsDetails", &[]);
        self.recipients.iter().for_each(|party| write_party(&mut w, "EntityDetails", party));
        w.close();
        if let Some(message) = &self.message {
            write_message(&mut w, message);
        }
        if let Some(record) = &self.record {
            write_record(&mut w, record);
        }
        w.close();
        w.finish()
    }

    fn write_reasons(&self, w: &mut Writer) {
        let Verdict::Rejected(reasons) = &self.verdict else { return };
        if reasons.is_empty() {
            return;
        }
        w.open("EventReasons", &[]);
        for reason in reasons {
            w.open("EventReason", &[]);
            w.leaf("Code", &[], &reason.code);
            if !reason.details.is_empty() {
                w.leaf("Details", &[], &reason.details);
            }
            w.close();
        }
        w.close();
    }
}

fn write_party(w: &mut Writer, name: &'static str, party: &Party) {
    w.open(name, &[]);
    if !party.names.is_empty() {
        w.open("NamesPostalAddresses", &[]);
        w.open("NamePostalAddress", &[]);
        w.open("EntityName", &[]);
        party.names.iter().for_each(|name| w.leaf("Name", &[], name));
        w.close();
        w.close();
        w.close();
    }
    if !party.addresses.is_empty() {
        w.open("ElectronicAddress", &[("xmlns", TSL)]);
        party.addresses.iter().for_each(|uri| w.leaf("URI", &[], uri));
        w.close();
    }
    if let Some(der) = &party.certificate {
        w.open("CertificateDetails", &[]);
        w.leaf("X509Certificate", &[], &STANDARD.encode(der));
        w.close();
    }
    w.close();
}

fn write_message(w: &mut Writer, message: &Message) {
    w.open("SenderMessageDetails", &[("isNotification", "false")]);
    w.leaf("MessageSubject", &[], &message.subject);
    if let Some(id) = &message.sender_id {
        w.leaf("UAMessageIdentifier", &[], id);
    }
    w.leaf("MessageIdentifierByREMMD", &[], &message.number);
    if let Some(digest) = &message.digest {
        w.empty("DigestMethod", &[("xmlns", DS), ("Algorithm", SHA256)]);
        w.leaf("DigestValue", &[("xmlns", DS)], &STANDARD.encode(digest.0));
    }
    w.close();
}

fn write_record(w: &mut Writer, record: &Record) {
    let (index, digest) = (record.index.to_string(), record.digest.to_string());
    w.open("Extensions", &[]);
    w.open("Extension", &[("isCritical", "false")]);
    let place = [("xmlns", OWN), ("log", &record.log), ("index", &index), ("sha256", &digest)];
    w.empty("LedgerRecord", &place);
    w.close();
    w.close();
}

/// What OpenNCP's sample policy gives.
const VERSION: &str = "2";
