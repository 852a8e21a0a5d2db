//! Who asks: public or private, and which private asker (`eidas:SPType`, `eidas:RequesterID`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use identity::Assurance;
use identity::eidas::request::{Request, SpType};
use jiff::Timestamp;
use testbed::browser::Page;

use crate::CLIENT;
use crate::peer::Stage;

const PHARMACY: &str = "https://pharmacy.example.es/id";
pub const CONNECTOR: &str = "[[eid.connector]]\ncountry = \"DK\"\nmetadata = \"{peer}/connector\"\nsigners = \"peer.pem\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn while_all_portals_are_public_the_metadata_says_so_and_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "eidas", "").await;
    stage.sign_in("/return").await;
    let (request, text, _) = stage.asked();
    assert!(!text.contains("SPType") && !text.contains("RequesterID"));
    assert_eq!(request.requester, None);
    assert!(stage.metadata().await.contains("<eidas:SPType>public</eidas:SPType>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_portal_says_who_it_is_in_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let pharmacy = format!(
        "[[eid.application]]\nname = \"pharmacy\"\nreturn = \"{{peer}}/pharmacy\"\nclient = \"{CLIENT}\"\n\
         sector = \"private\"\nrequester = \"{PHARMACY}\"\n"
    );
    let mut stage = Stage::start(folder.path(), "eidas", &pharmacy).await;
    stage.sign_in("/pharmacy").await;
    let (request, ..) = stage.asked();
    assert_eq!(request.sector, Some(SpType::Private));
    assert_eq!(request.requester.as_deref(), Some(PHARMACY));
    // the public portal beside it says public, and no name
    stage.sign_in("/return").await;
    let (request, text, _) = stage.asked();
    assert_eq!((request.sector, request.requester), (Some(SpType::Public), None));
    assert!(text.contains("<eidas:SPType>public</eidas:SPType>"));
    assert!(!stage.metadata().await.contains("SPType"), "not in both");
}

impl Stage {
    /// A Danish connector sends somebody to our proxy service.
    async fn of_a_connector(&mut self, sector: SpType, requester: Option<&str>) -> Page {
        let id = identity::eidas::response::id(&exchange::SystemEntropy);
        self.of_a_request(&id, sector, requester).await
    }

    /// The same with this `ID`.
    pub async fn of_a_request(
        &mut self,
        id: &str,
        sector: SpType,
        requester: Option<&str>,
    ) -> Page {
        let sso = format!("{}/eid/proxy/sso", self.node.url);
        let request = Request {
            id: id.to_owned(),
            issued: Timestamp::now(),
            destination: sso.clone(),
            issuer: self.peer.connector(),
            provider: "Apotek".into(),
            sector: Some(sector),
            requester: requester.map(str::to_owned),
            assurance: Assurance::Low,
            optional: vec![],
        };
        let message = STANDARD.encode(request.sign(&self.peer.key).unwrap());
        self.browser.post(&sso, &[("SAMLRequest", &message)]).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_service_passes_on_which_private_asker_wants_to_know() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "eidas", CONNECTOR).await;
    let id = "https://apotek.example.dk/id";
    let page = stage.of_a_connector(SpType::Private, Some(id)).await;
    assert_eq!(page.url, format!("{}/sso", stage.peer.base), "{}", stage.node.log());
    let (request, ..) = stage.asked();
    assert_eq!((request.sector, request.requester.as_deref()), (Some(SpType::Private), Some(id)));

    let page = stage.of_a_connector(SpType::Public, Some(id)).await;
    assert_eq!(page.url, format!("{}/sso", stage.peer.base), "{}", stage.node.log());
    let (request, text, _) = stage.asked();
    assert_eq!((request.sector, request.requester), (Some(SpType::Public), None));
    assert!(!text.contains("RequesterID"), "of a public asker nobody needs to know it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_asker_without_a_name_is_refused_with_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "eidas", CONNECTOR).await;
    let page = stage.of_a_connector(SpType::Private, None).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(stage.node.refusals("request.requester"), 1, "{}", stage.node.log());
    let url = format!("{}/eid/proxy/metadata", stage.node.url);
    let told = stage.browser.open(&url).await.unwrap().html;
    assert!(told.contains("termsofaccess/requesterid"), "our metadata says that we want it");
}
