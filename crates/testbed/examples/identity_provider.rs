//! The Danish identity provider and a node that asks it, for browsers of other makers:
//! `interop/browser` drives them. Prints one line of JSON and runs until its input ends.

#[path = "../tests/idp/node.rs"]
#[expect(dead_code, reason = "tests use the rest of it")]
mod node;

use std::io::{Read as _, stdin};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::Assurance;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let land = node::Land::start("DK").await;
    let resident = &land.idp.residents()[0];
    let told = serde_json::json!({
        "begin": land.node.begin(Assurance::Substantial, "post"),
        "redirect": land.node.begin(Assurance::Substantial, "redirect"),
        "end": format!("{}/done", land.node.base),
        "servers": [land.node.base, land.idp.base_url()],
        "ways": ["code", "code-redirect", "passkey"],
        "passkey": {
            "id": resident.passkey().id(),
            "key": URL_SAFE_NO_PAD.encode(resident.passkey().pkcs8()),
        },
        "login": resident.login,
        "pin": resident.pin(),
        "otpauth": resident.authenticator().uri("testbed", &resident.login),
    });
    println!("{told}");
    let ended = tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new()));
    ended.await??;
    let identified = land.node.identified(&land.idp).map(|person| person.assurance());
    println!("{}", identified.map_or("nobody", Assurance::name));
    land.stop().await;
    Ok(())
}
