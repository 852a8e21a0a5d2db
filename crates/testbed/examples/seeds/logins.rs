//! eIDAS messages, unsigned where the targets sign them anew.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use exchange::SystemEntropy;
use identity::Assurance;
use identity::eidas::attributes::{Attribute, mandatory};
use identity::eidas::binding::{Field, redirect_url};
use identity::eidas::light::{LightRequest, LightResponse, LightStatus};
use identity::eidas::metadata::{self, Contact, Metadata};
use identity::eidas::person::{Person, PersonIdentifier};
use identity::eidas::request::{Request, SpType};
use identity::eidas::response::{Answer, refuse};
use testbed::attacks::forgery;
use testbed::fuzz::eid;
use testbed::pki::Role;
use testbed::world::AGNETE;

use super::World;

impl World {
    pub(super) fn logins(&self) -> Result<()> {
        let key = Arc::new(self.pki.identity(self.denmark, Role::Seal).seal_key());
        let request = Request {
            id: eid::REQUEST.into(),
            issued: self.now,
            destination: eid::SSO.into(),
            issuer: eid::CONNECTOR.into(),
            provider: "Hospital".into(),
            sector: Some(SpType::Private),
            requester: Some("https://hospital.example".into()),
            assurance: Assurance::Substantial,
            optional: vec![Attribute::of("PlaceOfBirth").context("it has a row")?],
        };
        let signed = request.sign(&key)?;
        self.put("login", "request", forgery::unsigned(&signed))?;
        let identifier = PersonIdentifier::parse("DK/ES/7402539902")?;
        let mut person =
            Person::new(identifier, AGNETE.family, AGNETE.given, "1953-02-14".parse()?);
        person.given.original = Some("Агнете".into());
        person.representative = Some(Box::new(person.clone()));
        let answer = Answer {
            request: &request,
            endpoint: eid::CONSUMER,
            issuer: eid::PROXY,
            person: &person,
            assurance: Assurance::High,
            address: "192.0.2.7",
            now: self.now,
        };
        self.put("login", "assertion", answer.assertion(&SystemEntropy))?;
        let refusal = refuse(
            &request,
            eid::CONSUMER,
            eid::PROXY,
            "AuthnFailed",
            self.now,
            &key,
            &SystemEntropy,
        )?;
        self.put("login", "1", forgery::unsigned(&refusal))?;
        let url = redirect_url("", Field::Request, &signed, Some("state"), &key)?;
        self.put("redirect", "url", url.trim_start_matches('?'))?;
        self.put("redirect", "1", "SAMLResponse=AwA%3D")?;
        for (name, metadata) in [
            ("proxy", self.metadata(metadata::Role::ProxyService)),
            ("connector", self.metadata(metadata::Role::Connector)),
        ] {
            let contact =
                Contact { organisation: "O", url: "https://o.example", email: "o@o.example" };
            let signed = metadata.sign(&contact, &key, &SystemEntropy)?;
            self.put("metadata", name, forgery::unsigned(&signed))?;
        }
        self.light(&request)
    }

    fn metadata(&self, role: metadata::Role) -> Metadata {
        let certificate = self.pki.identity(self.denmark, Role::Seal).certificate().clone();
        let proxy = role == metadata::Role::ProxyService;
        Metadata {
            entity: if proxy { eid::PROXY } else { eid::CONNECTOR }.into(),
            role,
            valid_until: self.now + eid::LIFE,
            country: Some(self.denmark),
            certified: proxy.then_some(Assurance::High),
            versions: vec!["1.2".into()],
            sector: (!proxy).then_some(SpType::Public),
            requester_needed: proxy,
            wants_signed: true,
            signing: vec![certificate.clone()],
            encryption: vec![certificate],
            endpoints: vec![(metadata::Binding::Post, eid::SSO.into())],
            methods: vec![("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256".into(), 256)],
            attributes: mandatory().map(Attribute::uri).collect(),
        }
    }

    fn light(&self, request: &Request) -> Result<()> {
        let asked = LightRequest {
            citizen: self.denmark,
            id: request.id.clone(),
            issuer: "specificConnector".into(),
            levels: vec![(request.assurance.uri().into(), true)],
            name_id_format: None,
            provider: Some("Hospital".into()),
            sector: Some("public".into()),
            asker: None,
            requester: None,
            relay_state: Some("state".into()),
            attributes: mandatory().map(Attribute::uri).collect(),
        };
        self.put("light", "request", asked.render())?;
        let answered = LightResponse {
            id: "_2".into(),
            in_response_to: request.id.clone(),
            issuer: "specificProxyService".into(),
            address: Some("192.0.2.7".into()),
            relay_state: None,
            subject: Some("DK/ES/7402539902".into()),
            subject_format: Some("persistent".into()),
            level: Some(Assurance::High.uri().into()),
            status: LightStatus { failure: false, code: None, sub_code: None, message: None },
            attributes: mandatory().map(|row| (row.uri(), vec!["value".into()])).collect(),
        };
        self.put("light", "response", answered.render())
    }
}
