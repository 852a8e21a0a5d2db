//! Sessions: what a ticket opens, and what a session may be used for.

use std::sync::Arc;

use exchange::{Country, SystemEntropy};
use identity::Assurance;
use identity::eidas::person::{Person, PersonIdentifier, Scripted};
use identity::session::{
    Action, Drawer, Keeper, Lives, Memory, OwnSecret, RULES, SessionRefused, Sessions as _,
    SignedIn, Subject, Ticket, conformance,
};
use jiff::{SignedDuration, Timestamp};

fn now() -> Timestamp {
    "2026-11-21T12:00:00.123Z".parse().unwrap()
}

fn keeper(store: &Arc<Memory>, key: u8) -> Keeper {
    Keeper::new(store.clone(), Arc::new(OwnSecret::new(&[key; 32])), Arc::new(SystemEntropy))
}

fn session() -> SignedIn {
    let identifier = PersonIdentifier::parse("GR/ES/12345").unwrap();
    let mut person = Person::new(identifier, "Onasis", "Sarah", "1964-12-31".parse().unwrap());
    person.family.original = Some("Ωνάσης".into());
    person.more.insert("Gender", Scripted::latin("Female"));
    let other = PersonIdentifier::parse("GR/ES/6789").unwrap();
    let representative = Person::new(other, "Onasis", "Maria", "1990-01-01".parse().unwrap());
    person.representative = Some(Box::new(representative));
    SignedIn {
        subject: Subject::Professional,
        person,
        country: Country::parse("GR").unwrap(),
        assurance: Assurance::High,
        authenticated: now(),
        used: now(),
        application: "ab12".into(),
        login: "7".into(),
    }
}

#[tokio::test]
async fn the_store_in_memory_keeps_the_promises_of_its_port() {
    conformance::run(&Memory::default()).await.unwrap();
}

#[tokio::test]
async fn a_ticket_opens_its_value_in_its_drawer_with_the_nodes_key_and_in_time() {
    let store = Arc::new(Memory::default());
    let keeper = keeper(&store, 1);
    let until = now() + SignedDuration::from_mins(5);
    let ticket = keeper.keep(Drawer::Session, b"value", until).await.unwrap();
    let find = |drawer, ticket: Ticket, at| {
        let keeper = keeper.clone();
        async move { keeper.find(drawer, &ticket, at).await.unwrap().map(|v| v.to_vec()) }
    };
    assert_eq!(find(Drawer::Session, ticket.clone(), now()).await, Some(b"value".to_vec()));
    assert_eq!(find(Drawer::Code, ticket.clone(), now()).await, None, "another drawer");
    assert_eq!(find(Drawer::Session, ticket.clone(), until).await, None, "too late");
    assert_eq!(find(Drawer::Session, Ticket::of("guess"), now()).await, None);
    let stranger = self::keeper(&store, 2);
    let found = stranger.find(Drawer::Session, &ticket, now()).await.unwrap();
    assert!(found.is_none(), "another node's key");
    let later = until + SignedDuration::from_mins(5);
    assert!(keeper.replace(Drawer::Session, &ticket, b"newer", later).await.unwrap());
    assert_eq!(find(Drawer::Session, ticket.clone(), until).await, Some(b"newer".to_vec()));
    assert!(keeper.take(Drawer::Session, &ticket, now()).await.unwrap().is_some());
    assert!(keeper.take(Drawer::Session, &ticket, now()).await.unwrap().is_none(), "once");
    assert!(!keeper.replace(Drawer::Session, &ticket, b"again", later).await.unwrap());
    assert!(find(Drawer::Session, ticket, now()).await.is_none(), "what was ended stays ended");
}

/// An administrator who prolongs a row, or moves one value into another's place.
#[tokio::test]
async fn a_row_that_was_changed_opens_nothing() {
    for change in 0..3 {
        let store = Arc::new(Memory::default());
        let keeper = keeper(&store, 1);
        let until = now() + SignedDuration::from_mins(5);
        let one = keeper.first_seen("one", now(), SignedDuration::from_mins(1)).await.unwrap();
        let again = keeper.first_seen("one", now(), SignedDuration::from_mins(1)).await.unwrap();
        assert!(one && !again, "a message is new once");
        let ticket = keeper.keep(Drawer::Session, b"value", until).await.unwrap();
        let mut rows = store.rows();
        let row = rows.iter_mut().find(|row| row.expires == until).unwrap();
        match change {
            0 => row.expires = until + SignedDuration::from_hours(1),
            1 => row.sealed[13] ^= 1,
            _ => row.sealed.truncate(5),
        }
        store.replace(row.clone()).await.unwrap();
        assert!(keeper.find(Drawer::Session, &ticket, now()).await.unwrap().is_none(), "{change}");
    }
}

#[test]
fn a_session_comes_back_whole_from_the_store() {
    let session = session();
    assert!(SignedIn::decode(&session.encode()).is_some_and(|found| found == session));
    assert!(SignedIn::decode(b"{}").is_none());
    assert!(SignedIn::decode(&[0xff; 10]).is_none());
}

#[test]
fn each_rule_refuses_what_breaks_it_and_nothing_else() {
    let lives = Lives::default();
    let may = |session: &SignedIn, action, at| session.may(action, "ab12", at, &lives);
    let minutes = SignedDuration::from_mins;
    let good = session();
    let patient = SignedIn { subject: Subject::Patient, assurance: Assurance::Low, ..good.clone() };
    for (session, action) in
        [(&good, Action::Look), (&good, Action::Assert), (&patient, Action::Identify)]
    {
        assert_eq!(may(session, action, now()), Ok(()));
    }
    let used = |at| SignedIn { used: at, ..good.clone() };
    let (five, nine) = (now() + minutes(5 * 60), now() + minutes(9 * 60));
    let stolen = SignedIn { application: "cd34".into(), ..good.clone() };
    let unbound = SignedIn { application: String::new(), ..good.clone() };
    let low = SignedIn { assurance: Assurance::Low, ..good.clone() };
    let cases = [
        (&stolen, Action::Look, now(), "session.application"),
        (&unbound, Action::Look, now(), "session.application"),
        (&good, Action::Look, now() + minutes(15), "session.idle"),
        (&used(nine), Action::Look, nine, "session.absolute"),
        (&good, Action::Identify, now(), "session.subject"),
        (&patient, Action::Assert, now(), "session.subject"),
        (&low, Action::Assert, now(), "session.level"),
        (&used(five), Action::Assert, five, "session.fresh"),
    ];
    for (session, action, at, rule) in cases {
        assert_eq!(may(session, action, at), Err(SessionRefused(rule)));
    }
    for rule in &RULES {
        assert!(cases.iter().any(|case| case.3 == rule.name), "{} has a case", rule.name);
    }
    assert_eq!(unbound.may(Action::Look, "", now(), &lives).unwrap_err().0, "session.application");
    assert_eq!(good.until(&lives), now() + lives.idle);
    assert_eq!(used(nine).until(&lives), now() + lives.absolute);
}
