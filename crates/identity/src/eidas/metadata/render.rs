//! Our own metadata, signed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::Entropy;
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::Writer;

use super::{ALG, CERTIFIED, MD, MDATTR, Metadata, REQUESTER, Role, VERSION};
use crate::assertion::SAML;
use crate::eidas::attributes::NAME_FORMAT;
use crate::eidas::request::PERSISTENT;
use crate::eidas::response::id;
use crate::eidas::{EIDAS, EidasError, SAMLP};

/// Who runs a node, for people.
#[derive(Debug, Clone)]
pub struct Contact<'a> {
    /// Organisation.
    pub organisation: &'a str,
    /// Its page.
    pub url: &'a str,
    /// Mail address for technical questions and support.
    pub email: &'a str,
}

impl Metadata {
    /// Renders and signs.
    pub fn sign(
        &self,
        contact: &Contact<'_>,
        key: &Arc<SealKey>,
        entropy: &dyn Entropy,
    ) -> Result<String, EidasError> {
        let id = id(entropy);
        let mut w = Writer::new();
        let until = format!("{:.3}", self.valid_until);
        w.open(
            "md:EntityDescriptor",
            &[
                ("xmlns:md", MD),
                ("xmlns:saml2", SAML),
                ("xmlns:eidas", EIDAS),
                ("ID", &id),
                ("entityID", &self.entity),
                ("validUntil", &until),
            ],
        );
        self.extensions(&mut w);
        self.descriptor(&mut w);
        contact.write(&mut w);
        w.close();
        Ok(sign_enveloped_as(&w.finish(), &id, key, Profile::Eidas)?)
    }

    fn extensions(&self, w: &mut Writer) {
        w.open("md:Extensions", &[]);
        w.open("mdattr:EntityAttributes", &[("xmlns:mdattr", MDATTR)]);
        let certified = self.certified.map(|level| level.uri().to_owned());
        let requester = self.requester_needed.then(|| "true".to_owned());
        for (name, values) in [
            (CERTIFIED, certified.as_slice()),
            (VERSION, self.versions.as_slice()),
            (REQUESTER, requester.as_slice()),
        ] {
            if values.is_empty() {
                continue;
            }
            w.open("saml2:Attribute", &[("Name", name), ("NameFormat", NAME_FORMAT)]);
            values.iter().for_each(|value| w.leaf("saml2:AttributeValue", &[], value));
            w.close();
        }
        w.close();
        if let Some(sector) = self.sector {
            w.leaf("eidas:SPType", &[], sector.word());
        }
        let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
        w.empty("alg:DigestMethod", &[("xmlns:alg", ALG), ("Algorithm", sha256)]);
        for (uri, least) in &self.methods {
            let least = least.to_string();
            w.empty(
                "alg:SigningMethod",
                &[("xmlns:alg", ALG), ("Algorithm", uri), ("MinKeySize", &least)],
            );
        }
        w.close();
    }

    fn descriptor(&self, w: &mut Writer) {
        let (name, wants, endpoint) = match self.role {
            Role::Connector => {
                ("md:SPSSODescriptor", "WantAssertionsSigned", "md:AssertionConsumerService")
            }
            Role::ProxyService => {
                ("md:IDPSSODescriptor", "WantAuthnRequestsSigned", "md:SingleSignOnService")
            }
        };
        let signed = if self.wants_signed { "true" } else { "false" };
        w.open(name, &[(wants, signed), ("protocolSupportEnumeration", SAMLP)]);
        if let Some(country) = self.country {
            w.open("md:Extensions", &[]);
            w.leaf("eidas:NodeCountry", &[], country.as_str());
            w.close();
        }
        for (usage, certificates) in [("signing", &self.signing), ("encryption", &self.encryption)]
        {
            for certificate in certificates {
                w.open("md:KeyDescriptor", &[("use", usage)]);
                w.open("ds:KeyInfo", &[("xmlns:ds", "http://www.w3.org/2000/09/xmldsig#")]);
                w.open("ds:X509Data", &[]);
                w.leaf("ds:X509Certificate", &[], &STANDARD.encode(certificate.der()));
                w.close();
                w.close();
                if usage == "encryption" {
                    let gcm = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
                    w.empty("md:EncryptionMethod", &[("Algorithm", gcm)]);
                }
                w.close();
            }
        }
        w.leaf("md:NameIDFormat", &[], PERSISTENT);
        for (number, (binding, url)) in self.endpoints.iter().enumerate() {
            let index = number.to_string();
            let mut attributes = vec![("Binding", binding.uri()), ("Location", url)];
            if self.role == Role::Connector {
                attributes.push(("index", &index));
                attributes.push(("isDefault", if number == 0 { "true" } else { "false" }));
            }
            w.empty(endpoint, &attributes);
        }
        for uri in &self.attributes {
            w.empty("saml2:Attribute", &[("Name", uri), ("NameFormat", NAME_FORMAT)]);
        }
        w.close();
    }
}

impl Contact<'_> {
    fn write(&self, w: &mut Writer) {
        let english = [("xml:lang", "en")];
        w.open("md:Organization", &[]);
        w.leaf("md:OrganizationName", &english, self.organisation);
        w.leaf("md:OrganizationDisplayName", &english, self.organisation);
        w.leaf("md:OrganizationURL", &english, self.url);
        w.close();
        for kind in ["technical", "support"] {
            w.open("md:ContactPerson", &[("contactType", kind)]);
            w.leaf("md:Company", &[], self.organisation);
            w.leaf("md:EmailAddress", &[], self.email);
            w.close();
        }
    }
}
