//! What the demo left of its countries, and the program over it.

mod program;

use std::path::Path;

pub use program::{konfido, printed};

/// A configuration for the files that the demo left of one of its countries.
pub fn configure(dir: &Path, country: &str, community: &str) -> String {
    let lower = country.to_lowercase();
    let peers: String = ["DK", "ES", "IT"]
        .iter()
        .filter(|peer| **peer != country)
        .map(|peer| format!("[[peer]]\ncountry = \"{peer}\"\nurl = \"https://127.0.0.1:1\"\n"))
        .collect();
    let pair = |name: &str| {
        let at = format!("pki/{lower}/{name}");
        format!("certificate = \"{at}.pem\", key = \"{at}.key\"")
    };
    let text = format!(
        "[node]\ncountry = \"{country}\"\nhome_community_id = \"{community}\"\n\
         repository_id = \"2.999.1\"\ndata_dir = \"{lower}\"\n\
         [listen]\nnational = \"127.0.0.1:0\"\nborder = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         [tls]\nroots = \"pki/ca.pem\"\nservice_consumer = {{ {} }}\nservice_provider = {{ {} }}\n\
         [seal]\n{}\nroots = \"pki/ca.pem\"\n\
         [national]\nconnector = \"store\"\n{peers}\
         [ledger]\norigin = \"konfido.example/{lower}\"\n",
        pair("service-consumer"),
        pair("service-provider"),
        pair("seal").replace(", ", "\n"),
    );
    let file = dir.join(format!("{lower}.toml"));
    std::fs::write(&file, text).expect("configuration");
    file.to_str().expect("utf-8").to_owned()
}
