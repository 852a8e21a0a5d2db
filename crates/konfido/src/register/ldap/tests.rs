//! With Debian's `slapd`; without it they say so and pass. CI has it.

mod slapd;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use exchange::Country;
use identity::register::conformance::{self, doctor, pharmacist};
use identity::register::{Entry, PersonKey, Register, RegisterError};
use jiff::Timestamp;
use testbed::pki::Pki;
use zeroize::Zeroizing;

use super::{Directory, Ldap};
use slapd::{PASSWORD, Served, Slapd, person, stands};

fn pki() -> Pki {
    Pki::of_the_world(Timestamp::now())
}

fn problem(answer: Result<Option<Entry>, RegisterError>) -> String {
    answer.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_directory_keeps_the_promises_of_a_register() {
    if !stands() {
        return;
    }
    let pki = pki();
    for start_tls in [false, true] {
        conformance::run(&mut |entries| {
            let slapd = Slapd::start(&pki, entries, "");
            Box::new(Served(Ldap::new(slapd.directory(start_tls)).unwrap(), slapd))
        })
        .unwrap();
    }
}

#[test]
fn the_clinicians_of_the_world_are_found_by_their_bare_number() {
    if !stands() {
        return;
    }
    let spain = Country::parse("ES").unwrap();
    let entries = crate::demo::register(spain);
    assert!(entries.len() > 2);
    let bare = |entry: &Entry| {
        let coded = person(0, entry);
        let uid = coded.lines().find(|line| line.starts_with("uid:: ")).unwrap().to_owned();
        (uid, format!("uid: {}", entry.person.value))
    };
    let mut more = String::new();
    for (number, entry) in entries.iter().enumerate() {
        let (with, without) = bare(entry);
        more += &person(number, entry).replace(&with, &without);
    }
    let slapd = Slapd::start(&pki(), &[], &more);
    let register = Ldap::new(Directory { with_country: false, ..slapd.directory(false) }).unwrap();
    for entry in &entries {
        assert!(register.find(&entry.person) == Ok(Some(entry.clone())), "{:?}", entry.person);
        let abroad = PersonKey { country: Country::parse("DK").unwrap(), ..entry.person.clone() };
        assert!(register.find(&abroad) == Ok(None), "the same number of another country");
    }
}

#[test]
fn a_number_that_would_be_a_filter_finds_nobody() {
    if !stands() {
        return;
    }
    let slapd = Slapd::start(&pki(), &[doctor(), pharmacist()], "");
    let register = Ldap::new(slapd.directory(false)).unwrap();
    let spain = Country::parse("ES").unwrap();
    for value in
        ["*", "0263*", "02635542Y)(uid=*", "x)(|(uid=*))", "\\2a", "\0", "(", "02635542Y\0"]
    {
        let who = PersonKey { country: spain, value: value.to_owned() };
        assert!(register.find(&who) == Ok(None), "{value:?}");
    }
    let odd = Entry { person: PersonKey::parse("ES/a*(b)\\c").unwrap(), ..doctor() };
    let slapd = Slapd::start(&pki(), std::slice::from_ref(&odd), "");
    let register = Ldap::new(slapd.directory(false)).unwrap();
    assert!(register.find(&odd.person) == Ok(Some(odd.clone())), "and is compared as it stands");
}

#[test]
fn what_the_directory_says_unclearly_admits_nobody() {
    if !stands() {
        return;
    }
    let text = person(0, &doctor());
    let role = text.lines().find(|line| line.starts_with("employeeType")).unwrap();
    let family = text.lines().find(|line| line.starts_with("sn::")).unwrap();
    let table = [
        (text.clone() + &person(1, &doctor()), "register entry: person stands twice"),
        (text.replace(role, &format!("{role}\nemployeeType: 2262")), "role has two values"),
        (text.replace(role, "employeeType: doctor"), "role is not a role"),
        (text.replace(role, "title: doctor"), "role is empty"),
        (text.replace(role, "employeeType: 999"), "role is not a role"),
        (text.replace(family, &format!("sn: {}", "a".repeat(1025))), "family is too long"),
    ];
    for (more, expected) in table {
        let slapd = Slapd::start(&pki(), &[], &more);
        let found = problem(Ldap::new(slapd.directory(false)).unwrap().find(&doctor().person));
        assert!(found.contains(expected), "{expected}: {found}");
        assert!(!found.contains("Inventada") && !found.contains("02635542Y"), "{found}");
    }
    let many: String = (0..5).map(|number| person(number, &doctor())).collect();
    let slapd = Slapd::start(&pki(), &[], &many);
    let found = problem(Ldap::new(slapd.directory(false)).unwrap().find(&doctor().person));
    assert!(found.contains("person stands twice"), "{found}");
}

#[test]
fn a_directory_that_cannot_be_asked_admits_nobody() {
    if !stands() {
        return;
    }
    let (ours, other) = (pki(), pki());
    let slapd = Slapd::start(&ours, &[doctor()], "");
    let with = |change: &dyn Fn(&mut Directory)| {
        let mut directory = slapd.directory(false);
        change(&mut directory);
        problem(Ldap::new(directory).unwrap().find(&doctor().person))
    };
    assert_eq!(with(&|_| ()), "", "so far it answers");
    for start_tls in [false, true] {
        let found = with(&|directory| {
            *directory = slapd.directory(start_tls);
            directory.roots = other.ca_pem().into_bytes();
        });
        assert!(found.contains("cannot be asked"), "another root: {found}");
    }
    let found = with(&|directory| directory.password = Zeroizing::new("wrong".to_owned()));
    assert!(found.contains("result 49"), "{found}");
    let found = with(&|directory| directory.base = "ou=none,dc=register,dc=example".to_owned());
    assert!(found.contains("does not know the base"), "{found}");
    let found = with(&|directory| directory.url = directory.url.replace("127.0.0.1", "127.0.0.2"));
    assert!(found.contains("cannot be asked"), "not its address or not its name: {found}");
    slapd.freeze();
    for start_tls in [false, true] {
        let begun = Instant::now();
        let found = with(&|directory| *directory = slapd.directory(start_tls));
        assert!(found.contains("in time"), "{found}");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

/// It takes the connection and talks nonsense, refuses TLS, or is somebody in between who accepts
/// it and says at once, still in the clear, that the bind was good.
#[test]
fn what_is_no_directory_is_told_so_and_never_hears_the_password() {
    const NO_TLS: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00";
    const INJECTED: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00\
                              \x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00";
    const ANSWERS: [&[u8]; 5] =
        [b"\x30\x02\x30\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x00", NO_TLS, INJECTED];
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let talker = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for answer in ANSWERS {
            let (mut stream, _) = listener.accept().unwrap();
            let mut some = [0; 512];
            let read = stream.read(&mut some).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            heard.extend_from_slice(&some[..read]);
            stream.write_all(answer).unwrap();
            let _ = stream.read_to_end(&mut heard);
        }
        heard
    });
    for _ in ANSWERS {
        let directory = Directory {
            url: format!("ldap://127.0.0.1:{port}"),
            roots: pki().ca_pem().into_bytes(),
            bind: "cn=a".to_owned(),
            password: Zeroizing::new(PASSWORD.to_owned()),
            base: "dc=c".to_owned(),
            with_country: true,
            attributes: crate::register::Attributes(std::array::from_fn(|_| Some("uid".into()))),
            country: Country::parse("ES").unwrap(),
        };
        let found = Ldap::new(directory).unwrap().find(&doctor().person);
        assert!(matches!(found, Err(RegisterError::Unreadable(_))));
    }
    let heard = talker.join().unwrap();
    assert!(heard.windows(22).any(|w| w == b"1.3.6.1.4.1.1466.20037"), "StartTLS was asked for");
    assert!(!heard.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()));
}

#[test]
fn an_empty_password_is_no_password() {
    let directory = Directory {
        url: "ldaps://127.0.0.1:1".to_owned(),
        roots: pki().ca_pem().into_bytes(),
        bind: "cn=a".to_owned(),
        password: Zeroizing::default(),
        base: "dc=c".to_owned(),
        with_country: true,
        attributes: crate::register::Attributes(std::array::from_fn(|_| None)),
        country: Country::parse("ES").unwrap(),
    };
    assert!(Ldap::new(directory).is_err());
}
