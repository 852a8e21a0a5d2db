//! What is asked, and which answer fits (DCQL, OpenID4VP 1.0 §6 and §8.1): the PID as SD-JWT VC or
//! as mdoc, either suffices. What was not asked for is not read.

use exchange::Country;
use serde_json::{Map, Value, json};

use super::Refused;

/// `vct` of the PID.
pub const VCT: &str = "urn:eudi:pid:1";
/// `vct` of the PID that a country made of it for itself: `urn:eudi:pid:de:1` (PID rulebook §5.1).
pub fn domestic_vct(country: Country) -> String {
    format!("urn:eudi:pid:{}:1", country.to_lower())
}

/// Document type and namespace of the PID as mdoc.
pub const DOC_TYPE: &str = "eu.europa.ec.eudi.pid.1";

/// The two forms of a PID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// SD-JWT VC with key binding.
    SdJwt,
    /// ISO/IEC 18013-5.
    Mdoc,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::SdJwt, Self::Mdoc];

    /// How our query names the credential.
    pub fn id(self) -> &'static str {
        match self {
            Self::SdJwt => "pid_sd_jwt",
            Self::Mdoc => "pid_mdoc",
        }
    }
}

/// One thing that we ask about a person.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// What we call it.
    pub name: &'static str,
    /// Member of the SD-JWT.
    pub member: &'static str,
    /// Element of the mdoc.
    pub element: &'static str,
    /// Every PID has it; without it nobody is identified.
    pub mandatory: bool,
}

const fn row(
    name: &'static str,
    member: &'static str,
    element: &'static str,
    mandatory: bool,
) -> Claim {
    Claim { name, member, element, mandatory }
}

/// All that we ask: enough to find a patient, and nothing more (PID rulebook 1.7 §2).
pub static CLAIMS: [Claim; 6] = [
    row("family", "family_name", "family_name", true),
    row("given", "given_name", "given_name", true),
    row("birth", "birthdate", "birth_date", true),
    row("place", "place_of_birth", "place_of_birth", true),
    row("country", "issuing_country", "issuing_country", true),
    row("number", "personal_administrative_number", "personal_administrative_number", false),
];

/// The query to wallets of these countries. A PID without an administrative number is taken, one
/// with it preferred.
pub fn query(countries: impl Iterator<Item = Country>) -> Value {
    let types: Vec<String> =
        std::iter::once(VCT.to_owned()).chain(countries.map(domestic_vct)).collect();
    let sd_jwt = |claim: &Claim| json!({"id": claim.name, "path": [claim.member]});
    let mdoc = |claim: &Claim| {
        json!({
            "id": claim.name,
            "path": [DOC_TYPE, claim.element],
            "intent_to_retain": false,
        })
    };
    let names = |keep: fn(&Claim) -> bool| -> Vec<&str> {
        CLAIMS.iter().filter(|claim| keep(claim)).map(|claim| claim.name).collect()
    };
    let sets = json!([names(|_| true), names(|claim| claim.mandatory)]);
    json!({
        "credentials": [
            {
                "id": Format::SdJwt.id(),
                "format": "dc+sd-jwt",
                "meta": {"vct_values": types},
                "claims": CLAIMS.iter().map(sd_jwt).collect::<Vec<_>>(),
                "claim_sets": sets,
            },
            {
                "id": Format::Mdoc.id(),
                "format": "mso_mdoc",
                "meta": {"doctype_value": DOC_TYPE},
                "claims": CLAIMS.iter().map(mdoc).collect::<Vec<_>>(),
                "claim_sets": sets,
            },
        ],
        "credential_sets": [{"options": [[Format::SdJwt.id()], [Format::Mdoc.id()]]}],
    })
}

/// The one presentation of a `vp_token`, and which of the two it answers.
pub fn answer(vp_token: &Map<String, Value>) -> Result<(Format, &str), Refused> {
    let asked = |id: &String| Format::ALL.into_iter().find(|format| format.id() == id);
    let mut found = None;
    for (id, presentations) in vp_token {
        let format = asked(id).ok_or(Refused::NotAsked)?;
        // `multiple` was not asked for (§6.1)
        let [only] = presentations.as_array().ok_or(Refused::NotOne)?.as_slice() else {
            return Err(Refused::NotOne);
        };
        let text = only.as_str().ok_or(Refused::NotOne)?;
        if found.replace((format, text)).is_some() {
            return Err(Refused::NotOne);
        }
    }
    found.ok_or(Refused::NotOne)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_form_answers_and_nothing_else_does() {
        let read = |text: &str| {
            let token: Map<String, Value> = serde_json::from_str(text).unwrap();
            answer(&token).map(|(format, text)| (format, text.to_owned()))
        };
        assert_eq!(read(r#"{"pid_sd_jwt":["a"]}"#), Ok((Format::SdJwt, "a".into())));
        assert_eq!(read(r#"{"pid_mdoc":["b"]}"#), Ok((Format::Mdoc, "b".into())));
        let not_one = [
            "{}",
            r#"{"pid_mdoc":[]}"#,
            r#"{"pid_mdoc":["a","b"]}"#,
            r#"{"pid_mdoc":"a"}"#,
            r#"{"pid_mdoc":[{}]}"#,
            r#"{"pid_mdoc":["a"],"pid_sd_jwt":["b"]}"#,
        ];
        for bad in not_one {
            assert_eq!(read(bad), Err(Refused::NotOne), "{bad}");
        }
        assert_eq!(read(r#"{"mdl":["a"]}"#), Err(Refused::NotAsked));
        assert_eq!(read(r#"{"pid_mdoc":["a"],"z":["b"]}"#), Err(Refused::NotAsked));
    }

    #[test]
    fn the_query_names_only_claims_that_it_lists() {
        let query = query(Country::parse("DE").into_iter());
        let types = &query["credentials"][0]["meta"]["vct_values"];
        assert_eq!(*types, json!(["urn:eudi:pid:1", "urn:eudi:pid:de:1"]));
        for credential in query["credentials"].as_array().unwrap() {
            let ids: Vec<&Value> =
                credential["claims"].as_array().unwrap().iter().map(|c| &c["id"]).collect();
            let sets = credential["claim_sets"].as_array().unwrap();
            assert_eq!(sets.len(), 2);
            assert!(sets.iter().flat_map(|s| s.as_array().unwrap()).all(|id| ids.contains(&id)));
        }
    }
}
