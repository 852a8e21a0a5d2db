use identity::eidas::request::SpType;
use identity::eidas::response::Levels;

use super::*;

const GOOD: &str = include_str!("../../../../konfido.example.toml");

fn messages(text: &str) -> Vec<String> {
    let error = Config::parse(Path::new("/etc/konfido/konfido.toml"), text)
        .expect_err("because it has faults");
    error.faults().iter().map(|fault| fault.message.clone()).collect()
}

#[test]
fn the_example_holds_and_paths_are_relative_to_it() {
    let config = Config::parse(Path::new("/etc/konfido/konfido.toml"), GOOD).unwrap();
    assert_eq!(config.country.as_str(), "DK");
    assert_eq!(config.tls.roots.value, Path::new("/etc/konfido/tls/roots.pem"));
    assert_eq!(config.data_dir, Path::new("/var/lib/konfido"));
    let peers: Vec<_> =
        config.peers.iter().map(|p| (p.country.to_string(), p.konfido, p.allow_plain)).collect();
    assert_eq!(peers, [("ES".to_owned(), true, false), ("IT".to_owned(), false, true)]);
    assert!(config.openncp.is_none() && !config.json_log);
}

/// What an integrator copies from docs/identity.md.
fn guide() -> String {
    let guide = include_str!("../../../../docs/identity.md");
    let blocks = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    format!("{GOOD}\n{}", blocks.collect::<String>())
}

#[test]
fn the_steps_of_the_identity_guide_hold_together() {
    let config = Config::parse(Path::new("konfido.toml"), &guide()).unwrap();
    let eid = config.eid.unwrap();
    assert_eq!((eid.providers.len(), eid.connectors.len(), eid.applications.len()), (1, 1, 2));
    let [portal, pharmacy] = eid.applications.as_slice() else { panic!("two") };
    assert_eq!((portal.sector, portal.requester.as_deref()), (SpType::Public, None));
    let id = Some("https://pharmacy.example.es/id");
    assert_eq!((pharmacy.sector, pharmacy.requester.as_deref()), (SpType::Private, id));
    let light = eid.light.unwrap();
    assert_eq!((light.client.as_str(), light.token_seconds), ("eidas-node.example.dk", 300));
    let asked: Vec<_> = light.ends[0].countries.iter().map(Country::as_str).collect();
    assert_eq!((asked, light.ends[1].countries.len()), (vec!["SE", "FI"], 0));
    assert_eq!((eid.matching.len(), eid.wallet.unwrap().issuers.len()), (1, 1));
}

#[test]
fn a_tpm_is_named_by_what_libtss2_and_the_chip_know() {
    let sections = |more: &str| GOOD.replace("[node]", &format!("{more}\n[node]"));
    let table = [
        ("[vault]\nroot = \"disk\"", "disk is not known here"),
        ("[vault]\nlast_hop = \"openncp\"", "openncp is not known here"),
        ("[vault]\nhome = \"here\"\nlast_hop = \"vault\"", "does not go with home"),
        ("[vault.tpm]\npcrs = [7]", "[vault.tpm] goes with root"),
        ("[vault]\nroot = \"tpm\"\n[vault.tpm]\npcrs = [24]", "pcrs is not a list of registers"),
        ("[vault]\nroot = \"tpm\"\n[vault.tpm]\ncounter = 7", "counter is not an NV index"),
        ("[vault]\nroot = \"tpm\"\n[vault.tpm]\npath = \"x\"", "no setting path"),
    ];
    for (more, why) in table {
        let said = messages(&sections(more)).join("; ");
        assert!(said.contains(why), "{more}: {said}");
    }
    let sound = "[vault]\nroot = \"tpm\"\n[vault.tpm]\npcrs = [0, 7]\ncounter = 0x01500020";
    let parsed = Config::parse(Path::new("konfido.toml"), &sections(sound));
    if cfg!(feature = "tpm") {
        let (tcti, pcrs) = ("device:/dev/tpmrm0".to_owned(), vec![0, 7]);
        let tpm = vault::Tpm { tcti, pcrs, counter: Some(0x0150_0020) };
        assert_eq!(parsed.unwrap().vault.root, Root::Tpm(tpm));
    } else {
        let said = messages(&sections(sound)).join("; ");
        assert!(said.contains("built without TPMs"), "{said}");
    }
}

#[test]
fn every_contradiction_is_told() {
    let table: &[(&str, &str, &str)] = &[
        ("country = \"DK\"", "country = \"DNK\"", "country is not two letters"),
        ("country = \"DK\"", "", "[node] has no country"),
        ("country = \"DK\"", "country = 7", "country is not two letters"),
        ("[node]", "[node]\ncuntry = 1", "[node] has no setting cuntry"),
        ("[node]", "[noode]\n[node]", "the file has no setting noode"),
        ("admin = \"127.0.0.1:9090\"", "admin = \"0.0.0.0:9090\"", "open to the network"),
        ("admin = \"127.0.0.1:9090\"", "admin = \"127.0.0.1:8443\"", "the same address"),
        ("admin = \"127.0.0.1:9090\"", "admin = \"localhost\"", "admin is not an address"),
        ("log = \"text\"", "log = \"xml\"", "xml is not known here"),
        ("connector = \"store\"", "connector = \"openncp\"", "[national] has no url"),
        ("connector = \"store\"", "connector = \"store\"\nurl = \"https://a:1\"", "has no url"),
        ("allow_plain = true", "allow_plain = false", "can only be spoken to plainly"),
        ("allow_plain = true", "", "can only be spoken to plainly"),
        ("audit.example.dk:6514", "audit.example.dk", "not of the form host:port"),
        ("extra_submitters = []", "extra_submitters = [\"17\"]", "17 is no role of eHDSI"),
        ("konfido = false", "konfido = false\npin = \"ab\"", "pin is not 64 hexadecimal digits"),
        ("country = \"IT\"", "country = \"ES\"", "ES is a peer already"),
        ("country = \"IT\"", "country = \"DK\"", "not its own peer"),
        ("https://ncp.example.es:8443", "http://ncp.example.es:8443", "https://host:port"),
        ("https://ncp.example.es:8443", "https://ncp.example.es", "https://host:port"),
        ("https://ncp.example.es:8443", "https://ncp.example.es:8443/x", "https://host:port"),
        ("connections = 2048", "connections = 0", "connections is not a whole number"),
        ("[ledger]", "[ledger]\norigin = \"two words\"", "origin is empty"),
        (
            "[limits]",
            "[limits]\nrequest_seconds = 900",
            "request_seconds is not below the deadline",
        ),
        ("[ledger]", "[ledger]\nreceipt_deadline_seconds = 90", "not above request_seconds"),
        ("[seal]", "[seal", ""),
        ("[seal]", "[seal]\npkcs11 = { token = \"t\" }", "[seal] has a key and a pkcs11"),
        ("key = \"seal/seal.key\"", "pkcs11 = { token = \"t\" }", "[seal.pkcs11] has no module"),
        ("key = \"seal/seal.key\"", "pkcs11 = \"t\"", "pkcs11 is not a table"),
    ];
    for (from, to, expected) in table {
        assert!(GOOD.contains(from), "{from}");
        let found = messages(&GOOD.replacen(from, to, 1));
        assert!(found.iter().any(|message| message.contains(expected)), "{to}: {found:?}");
    }
}

#[test]
fn every_contradiction_of_logins_is_told() {
    let good = guide();
    let table: &[(&str, &str, &str)] = &[
        ("sector = \"private\"", "sector = \"third\"", "third is not known here"),
        ("sector = \"private\"", "", "a public application states no requester"),
        ("requester = \"https://pharmacy", "#", "a private application has no requester"),
        ("requester = \"https://pharmacy.example.es/id\"", "requester = \"us\"", "is no URI"),
        ("levels = \"eidas\"", "levels = \"ours\"", "ours is not known here"),
        ("country = \"DK\"\nmetadata", "country = \"FR\"\nmetadata", "nobody identifies our own"),
        ("client = \"eidas-node.example.dk\"", "", "[eid.light] has no client"),
        ("client = \"eidas-node.example.dk\"", "client = \"c\"\ntoken_seconds = 901", "above 900"),
        ("part = \"specific\"", "part = \"whole\"", "whole is not known here"),
        ("part = \"specific\"", "", "[eid.light.connector] has no part"),
        ("part = \"specific\"", "part = \"generic\"", "has no setting countries"),
        ("countries = [\"SE\", \"FI\"]", "", "[eid.light.connector] has no countries"),
        ("countries = [\"SE\", \"FI\"]", "countries = []", "at least one"),
        ("countries = [\"SE\", \"FI\"]", "countries = [\"SWE\"]", "two letters each"),
        ("countries = [\"SE\", \"FI\"]", "countries = [\"DK\"]", "has an [[eid.provider]] already"),
        ("url = \"https://eidas-node", "url = \"http://eidas-node", "not an https address"),
        ("issuer = \"specificCommunicationDefinitionConnectorRequest\", ", "", "has no issuer"),
        ("DefinitionConnectorResponse\"", "DefinitionConnectorRequest\"", "have the same issuer"),
        ("DefinitionConnectorRequest\"", "Definition|Request\"", "or has a |"),
        (", secret_file = \"eid/light-connector-request.secret\"", "", "has no secret_file"),
        ("[eid.light.connector]", "[eid.light.conector]", "has no setting conector"),
    ];
    for (from, to, expected) in table {
        assert!(good.contains(from), "{from}");
        let found = messages(&good.replacen(from, to, 1));
        assert!(found.iter().any(|message| message.contains(expected)), "{to}: {found:?}");
    }
    let foreign = good.replacen("country = \"DK\"\nmetadata", "country = \"FR\"\nmetadata", 1);
    let foreign = foreign.replacen("levels = \"eidas\"", "levels = \"stork\"", 1);
    let found = messages(&foreign);
    assert!(found.iter().any(|m| m.contains("levels of STORK are for our own")), "{found:?}");
    let own = good.replacen("levels = \"eidas\"", "levels = \"stork\"", 1);
    let config = Config::parse(Path::new("konfido.toml"), &own).unwrap();
    assert_eq!(config.eid.unwrap().providers[0].levels, Levels::Stork);
}

#[test]
fn a_seal_key_may_stay_in_its_token() {
    let token = "pkcs11 = { module = \"/lib/p.so\", token = \"t\", label = \"l\", pin_file = \"seal/pin\" }";
    let text = GOOD.replacen("key = \"seal/seal.key\"", token, 1);
    let config = Config::parse(Path::new("/etc/konfido/konfido.toml"), &text).unwrap();
    let place = config.seal.token.unwrap();
    assert_eq!(place.module, Path::new("/lib/p.so"));
    assert_eq!((place.token.as_str(), place.label.as_str()), ("t", "l"));
    assert_eq!(place.pin_file, Path::new("/etc/konfido/seal/pin"), "relative to the file");
    assert_eq!(config.seal.pair.key.value, place.pin_file);
}

#[test]
fn a_long_request_needs_a_longer_deadline_which_may_be_told() {
    let long = GOOD.replacen("[limits]", "[limits]\nrequest_seconds = 900", 1);
    assert_eq!(messages(&long).len(), 1, "once, though both settings are concerned");
    let told = long.replacen("[ledger]", "[ledger]\nreceipt_deadline_seconds = 901", 1);
    let config = Config::parse(Path::new("konfido.toml"), &told).unwrap();
    assert_eq!(config.receipt_deadline.as_secs(), 901);
    let short = GOOD.replacen("[limits]", "[limits]\nrequest_seconds = 899", 1);
    assert!(Config::parse(Path::new("konfido.toml"), &short).is_ok());
}

#[test]
fn strict_mode_needs_a_judge_and_speaks_of_documents() {
    let strict = |words: &str| {
        let row = format!("[[peer]]\nstrict = {words}");
        GOOD.replacen("[[peer]]", &row, 1)
    };
    let judged = strict("[\"11502-2\"]").replacen(
        "[ledger]",
        "[ledger]\nvalidator = \"line.sock\"\nstrict_wait_seconds = 3\noffer_deadline_blocks = 7",
        1,
    );
    let config = Config::parse(Path::new("konfido.toml"), &judged).unwrap();
    assert!(config.peers.iter().any(|peer| peer.against.is_any()));
    assert_eq!((config.strict.wait.as_secs(), config.strict.blocks), (3, 7));
    let told = |text: &str, part: &str| {
        let found = messages(text);
        assert!(found.iter().any(|message| message.contains(part)), "{part}: {found:?}");
    };
    told(&strict("[\"ITI-39\"]"), "strict goes with validator in [ledger]");
    told(&judged.replacen("11502-2", "ITI-38", 1), "ITI-38 is no document");
    let behind = "connector = \"openncp\"\nurl = \"https://127.0.0.1:9000\"";
    let behind = judged.replacen("connector = \"store\"", behind, 1);
    told(&behind, "strict by class goes with connector");
    let all = behind.replacen("11502-2", "ITI-39", 1);
    assert!(Config::parse(Path::new("konfido.toml"), &all).is_ok());
    told(&judged.replacen("strict =", "allow_plain = true\nstrict =", 1), "without allow_plain");
    told(&judged.replacen("seconds = 3", "seconds = 90", 1), "not below request_seconds");
}

#[test]
fn all_faults_are_told_at_once_with_line_and_caret() {
    let text = GOOD
        .replacen("country = \"DK\"", "country = \"DNK\"", 1)
        .replacen("connections", "conections", 1)
        .replacen("https://ncp.example.es:8443", "ftp://x", 1);
    assert_eq!(messages(&text).len(), 3);
    let error = Config::parse(Path::new("konfido.toml"), &text).unwrap_err();
    let mut shown = String::new();
    let theme = miette::GraphicalTheme::unicode_nocolor();
    miette::GraphicalReportHandler::new_themed(theme).render_report(&mut shown, &error).unwrap();
    for part in ["3 faults", "konfido.toml:", "country = \"DNK\"", "did you mean connections?"] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
}
