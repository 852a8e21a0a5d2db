//! 27 members where the capitals are, with the delays that lie between them.

use std::time::Duration;

use commonware_p2p::simulated::Link;
use commonware_utils::probability;

use super::{World, tell};

/// Latitude and longitude.
const CAPITALS: [(f64, f64); 27] = [
    (48.2, 16.4),
    (50.8, 4.4),
    (42.7, 23.3),
    (45.8, 16.0),
    (35.2, 33.4),
    (50.1, 14.4),
    (55.7, 12.6),
    (59.4, 24.8),
    (60.2, 24.9),
    (48.9, 2.4),
    (52.5, 13.4),
    (38.0, 23.7),
    (47.5, 19.0),
    (53.3, -6.3),
    (41.9, 12.5),
    (56.9, 24.1),
    (54.7, 25.3),
    (49.6, 6.1),
    (35.9, 14.5),
    (52.4, 4.9),
    (52.2, 21.0),
    (38.7, -9.1),
    (44.4, 26.1),
    (48.1, 17.1),
    (46.1, 14.5),
    (40.4, -3.7),
    (59.3, 18.1),
];

/// One way: light in glass over one and a half times the distance, and 3 ms in routers.
fn delay(from: (f64, f64), to: (f64, f64)) -> Duration {
    let (a, b) = (from.0.to_radians(), to.0.to_radians());
    let across = (to.1 - from.1).to_radians();
    let angle = (a.sin() * b.sin() + a.cos() * b.cos() * across.cos()).clamp(-1.0, 1.0).acos();
    Duration::from_secs_f64((3.0 + angle * 6371.0 * 1.5 / 200.0) / 1000.0)
}

#[test]
fn twenty_seven_capitals_agree_within_half_a_second() {
    tell(1, |context| async move {
        let mut world = World::new(context, 27);
        for (from, here) in CAPITALS.into_iter().enumerate() {
            for (to, there) in CAPITALS.into_iter().enumerate().filter(|(to, _)| *to != from) {
                let latency = delay(here, there);
                let link = Link { latency, jitter: latency / 10, success_rate: probability!(1.0) };
                let (from, to) = (world.public(from), world.public(to));
                world.oracle.add_link(from, to, link).await.unwrap();
            }
        }
        world.start_all().await;
        let all: Vec<usize> = (0..27).collect();
        world.until_height(&all, 2).await;
        let mut took = Vec::new();
        for round in 0..14 {
            // one entry each at three members, at no fixed distance from a view's beginning
            let at: Vec<usize> = (0..3).map(|nth| (round * 3 + nth) % 27).collect();
            for at in &at {
                world.submit(*at, &format!("round {round} at {at}"));
            }
            let size = 3 * (round as u64 + 1);
            let mut waited = 0;
            let mut open = at.clone();
            while !open.is_empty() {
                world.pass(5).await;
                waited += 5;
                open.retain(|at| {
                    let done = world.nodes[*at].chain.tip().size >= size;
                    if done {
                        took.push(waited);
                    }
                    !done
                });
            }
            world.pass(37 * (round as u64 % 7)).await;
        }
        world.assert_no_fork(&all);
        took.sort_unstable();
        let at = |q: usize| took[(took.len() * q / 100).min(took.len() - 1)];
        println!("27 capitals: finality p50 {} ms, p99 {} ms", at(50), at(99));
        assert!(at(99) <= 500, "{took:?}");
    });
}
