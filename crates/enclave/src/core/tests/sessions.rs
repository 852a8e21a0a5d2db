//! Sessions: their window, their end, and what they leave.

use super::*;
use crate::sessions::MAX_SESSIONS;

#[test]
fn requests_may_overtake_each_other_within_the_window() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let seal = || ask(&es, &to, &[0; 32], b"", now).unwrap().0;
    let early: Vec<Bytes> = (0..3).map(|_| seal()).collect();
    for at in [2, 0] {
        dk.open_request(&early[at], &[0; 32]).unwrap();
    }
    for _ in 3..4096 {
        drop(seal());
    }
    let newest = seal();
    assert!(dk.open_request(&newest, &[0; 32]).is_ok(), "number 4096");
    assert_eq!(
        dk.open_request(&early[0], &[0; 32]).err(),
        Some(VaultError::Replay),
        "left the window"
    );
    assert!(dk.open_request(&early[1], &[0; 32]).is_ok(), "number 1 is the oldest in the window");
    assert_eq!(dk.open_request(&newest, &[0; 32]).err(), Some(VaultError::Replay));
}

#[test]
fn threads_share_a_session_and_each_message_opens_once() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let sealed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let message = ask(&es, &to, &[0; 32], b"x", now).unwrap().0;
                    sealed.lock().unwrap().push(message);
                }
            });
        }
    });
    let sealed = sealed.into_inner().unwrap();
    let opened = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for message in &sealed {
                    match dk.open_request(message, &[0; 32]) {
                        Ok(_) => opened.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            assert_eq!(error, VaultError::Replay);
                            0
                        }
                    };
                }
            });
        }
    });
    assert_eq!(opened.into_inner(), 800, "the first messages race for one window");
    assert_eq!(dk.core().receiving().count(), 1);
}

#[test]
fn a_session_ends_by_age_by_count_and_with_the_key() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let session = |to: &Recipient, now| {
        let sealed = ask(&es, to, &[0; 32], b"", now).unwrap().0;
        Header::decode(&sealed).unwrap().0.session
    };
    let first = session(&to, now);
    assert_eq!(first, session(&to, now + MAX_AGE - SignedDuration::from_secs(1)));
    let second = session(&to, now + MAX_AGE);
    assert_ne!(first, second, "age");
    es.core().sending()[&country("DK")].last().unwrap().next.store(MAX_MESSAGES, Ordering::Relaxed);
    let third = session(&to, now + MAX_AGE);
    assert_ne!(second, third, "count");
    let renewed = recipient(&Vault::new(country("DK")), now);
    assert_ne!(third, session(&renewed, now + MAX_AGE), "key");
    for _ in 0..KEPT {
        session(&recipient(&Vault::new(country("DK")), now), now);
    }
    assert_eq!(es.core().sending()[&country("DK")].len(), KEPT, "bounded");
    let late = ask(&es, &to, &[0; 32], b"", now + SignedDuration::from_hours(24));
    assert_eq!(late.err(), Some(VaultError::Key("statement has expired")));
}

#[test]
fn a_forgotten_session_never_answers_twice_under_one_key() {
    let now = Timestamp::now();
    let dk = Vault::new(country("DK"));
    let to = recipient(&dk, now);
    let send = |es: &Vault| ask(es, &to, &[0; 32], b"", now).unwrap().0;
    let es = Vault::new(country("ES"));
    let first = send(&es);
    let reply = dk.open_request(&first, &[0; 32]).unwrap().reply;
    for _ in 0..MAX_SESSIONS {
        dk.open_request(&send(&Vault::new(country("ES"))), &[0; 32]).unwrap();
    }
    assert_eq!(dk.core().receiving().count(), MAX_SESSIONS, "bounded");
    let again = dk.open_request(&first, &[0; 32]).unwrap().reply;
    let back = recipient(&es, now);
    let answer = |reply| {
        let sealed = answer(&dk, reply, &back, &[0; 32], &[0; 64]).unwrap();
        let (header, at) = Header::decode(&sealed).unwrap();
        (header.sequence, sealed[at..].to_vec())
    };
    let (one, two) = (answer(reply), answer(again));
    assert_eq!(one.0, two.0);
    assert_ne!(one.1, two.1, "the same key stream would show");
}

#[test]
fn a_hundred_thousand_messages_leave_nothing_behind() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: Vec<u64> = pages.split(' ').filter_map(|pages| pages.parse().ok()).collect();
        // without what is shared: regions of lanes, in tests beside this one
        (pages[1] - pages[2]) * 4096
    };
    let back = recipient(&es, now);
    let mut before = 0;
    for count in 0..100_000 {
        if count == 10_000 {
            before = resident();
        }
        let (sealed, pending) = ask(&es, &to, &[0; 32], &[0; 64], now).unwrap();
        let opened = dk.open_request(&sealed, &[0; 32]).unwrap();
        let answer = answer(&dk, opened.reply, &back, &[0; 32], &opened.pieces[0]).unwrap();
        es.open_response(pending, &answer, &[0; 32], Addressee::Node).unwrap();
    }
    // a kilobyte a message would be ninety megabytes; what other tests of this process hold, they give back
    let began = std::time::Instant::now();
    while resident() >= before + (64 << 20) {
        assert!(began.elapsed().as_secs() < 60, "{before} grew to {}", resident());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!((dk.core().receiving().count(), es.core().sending()[&country("DK")].len()), (1, 1));
}
