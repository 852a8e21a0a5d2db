//! Hostile and broken messages over real mutual TLS and HTTP against running nodes.
//!
//! Each case gets the right answer, a correlation id and exactly one event in the node's store;
//! nothing is released, nothing personal comes back that was not sent, nothing panics, and the
//! node goes on answering good requests.

mod case;
mod cases;
mod circle;
mod judge;
mod stage;
mod wire;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use case::{Case, First, Made};
use circle::{Circle, Place};
use siem::{Event, Kind};
use stage::{DENMARK, HOME, ITALY, Stage, key_request};
use tokio::runtime::Runtime;
use wire::{Answer, fire};

#[test]
fn hostile_messages_get_an_answer_and_one_event_and_nothing_else() {
    let started = Instant::now();
    let runtime = Runtime::new().unwrap();
    let circle = Circle::start();
    let key = runtime.block_on(fire(&circle, circle.address(DENMARK), &key_request()));
    let mut range = Range::new(Stage::new(circle, &key.body), runtime);
    println!("{:>5.1} s  the nodes are ready", started.elapsed().as_secs_f64());
    for (number, case) in cases::all().iter().enumerate() {
        range.try_case(case);
        if number % 5 == 4 {
            range.still_answers(case.at);
        }
    }
    range.try_together(&cases::slow());
    for at in [ITALY, HOME] {
        range.still_answers(at);
    }
    range.nothing_else_happened();
    println!("{:>5.1} s  {} cases", started.elapsed().as_secs_f64(), range.tried);
    for line in range.stage.circle.log().lines().filter(|line| line.contains(" ERROR ")) {
        println!("log: {line}");
    }
    assert!(range.faults.is_empty(), "\n{}", range.faults.join("\n"));
}

/// Where the cases are tried; counts every event that must be there.
struct Range {
    stage: Stage,
    runtime: Runtime,
    expected: BTreeMap<&'static str, usize>,
    tried: usize,
    faults: Vec<String>,
}

impl Range {
    fn new(stage: Stage, runtime: Runtime) -> Self {
        let expected = ["DK", "ES", "IT"].map(|cc| (cc, stage.circle.events(cc).len())).into();
        Self { stage, runtime, expected, tried: 0, faults: Vec::new() }
    }

    fn try_case(&mut self, case: &Case) {
        let Made { first, shot } = (case.make)(&self.stage);
        let at = self.stage.circle.address(case.at);
        if let Some(first) = first {
            let (first, answered, events) = match first {
                First::Answered(first) => (first, true, 1),
                First::Refused(first, events) => (first, false, events),
            };
            let answer = self.runtime.block_on(fire(&self.stage.circle, at, &first));
            let verdict = judge::answered(&answer);
            let right = verdict.is_ok() == answered;
            self.expect(
                &case.name,
                if right { Ok(()) } else { verdict.and(Err("answered".into())) },
            );
            let event = self.events(case.at, events).ok_or("not its events before it".to_owned());
            self.expect(&case.name, event.map(drop));
        }
        let started = Instant::now();
        let answer = self.runtime.block_on(fire(&self.stage.circle, at, &shot));
        let took = started.elapsed();
        self.judge(case, &shot.bytes, &answer, took);
    }

    /// Cases that wait for a limit of the node's, each at another node.
    fn try_together(&mut self, cases: &[Case]) {
        let shots: Vec<_> = cases.iter().map(|case| (case.make)(&self.stage).shot).collect();
        let circle = &self.stage.circle;
        let started = Instant::now();
        let [a, b, c] = [0, 1, 2].map(|n| fire(circle, circle.address(cases[n].at), &shots[n]));
        let answers = self.runtime.block_on(async { tokio::join!(a, b, c) });
        let took = started.elapsed();
        for (n, answer) in <[Answer; 3]>::from(answers).iter().enumerate() {
            self.judge(&cases[n], &shots[n].bytes, answer, took);
        }
    }

    fn judge(&mut self, case: &Case, sent: &[u8], answer: &Answer, took: Duration) {
        self.tried += 1;
        let event = self.events(case.at, case.events);
        let verdict = match &event {
            Some(event) => judge::judge(case, sent, answer, event),
            None => Err("not exactly its events".to_owned()),
        };
        let (mark, kind) = match &verdict {
            Ok(()) => ("ok  ", case.kind.name()),
            Err(_) => ("FAIL", event.map_or("", |event| event.kind.name())),
        };
        let (name, millis) = (&case.name, took.as_millis());
        println!("{mark} {millis:>6} ms  {name:<64} {:<52} {kind}", judge::seen(answer));
        self.expect(&case.name, verdict);
    }

    fn one_event(&mut self, at: Place) -> Option<Event> {
        self.events(at, 1)
    }

    /// Waits for the events that must come, and a moment for one that must not; gives the newest.
    fn events(&mut self, (cc, _): Place, count: usize) -> Option<Event> {
        let expected = self.expected[cc] + count;
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut events = self.stage.circle.events(cc);
        while events.len() < expected && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            events = self.stage.circle.events(cc);
        }
        std::thread::sleep(Duration::from_millis(15));
        let events = self.stage.circle.events(cc);
        self.expected.insert(cc, events.len());
        (events.len() == expected).then(|| events.into_iter().next())?
    }

    fn still_answers(&mut self, at: Place) {
        // Denmark takes what was sealed in Spain's own vault
        let at = if at.0 == "IT" { at } else { HOME };
        let shot = self.stage.good(at);
        let address = self.stage.circle.address(at);
        let answer = self.runtime.block_on(fire(&self.stage.circle, address, &shot));
        let mut verdict = judge::answered(&answer);
        if self.one_event(at).is_none_or(|event| event.kind != Kind::ExchangeAnswered) {
            verdict = Err("not one exchange.answered".to_owned());
        }
        if at == HOME && self.one_event(DENMARK).is_none() {
            let newest = self.stage.circle.events("DK").into_iter().take(4);
            let kinds: Vec<_> = newest.map(|event| event.kind.name()).collect();
            verdict = Err(format!("not one event in Denmark; the newest are {kinds:?}"));
        }
        self.expect("a good request afterwards", verdict);
    }

    fn nothing_else_happened(&mut self) {
        std::thread::sleep(Duration::from_millis(500));
        for (cc, expected) in self.expected.clone() {
            let found = self.stage.circle.events(cc).len();
            self.expect(cc, (found == expected).then_some(()).ok_or("more events later".into()));
        }
        let log = self.stage.circle.log();
        let panicked = log.lines().find(|line| line.contains("panicked"));
        self.expect("log", panicked.map_or(Ok(()), |line| Err(line.to_owned())));
        self.expect("log", judge::impersonal(&log, &[]));
        let runs = self.stage.circle.runs();
        self.expect("process", runs.then_some(()).ok_or("the nodes ended".into()));
        let left = self.stage.circle.kill();
        self.expect("kill", left.is_empty().then_some(()).ok_or(format!("left: {left:?}")));
    }

    fn expect(&mut self, name: &str, verdict: Result<(), String>) {
        self.faults.extend(verdict.err().map(|fault| format!("{name}: {fault}")));
    }
}
