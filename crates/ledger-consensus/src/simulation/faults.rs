//! Links that fail, members that stop, clocks that differ.

use std::time::Duration;

use commonware_p2p::simulated::Link;
use commonware_runtime::deterministic::{self, Runner};
use commonware_runtime::{Runner as _, Supervisor as _};
use commonware_utils::probability;

use super::{ALL, World, link, tell};

#[test]
fn two_against_two_stop_and_go_on_when_they_meet_again() {
    for seed in 0..3 {
        tell(seed, |context| async move {
            let world = World::four(context).await;
            world.submit(0, "before");
            world.until_size(ALL, 1).await;
            world.cut(&[0, 1], &[2, 3]).await;
            world.pass(2_000).await;
            let stopped = world.assert_no_fork(ALL);
            world.submit(0, "on one side");
            world.submit(2, "on the other side");
            world.pass(30_000).await;
            assert!(world.height(0) <= stopped + 2, "nothing becomes final without a quorum");
            assert_eq!(world.entries(0), world.entries(2));
            world.join(&[0, 1], &[2, 3], link(10)).await;
            world.until_size(ALL, 3).await;
            world.assert_no_fork(ALL);
        });
    }
}

#[test]
fn three_go_on_without_the_fourth_and_it_catches_up() {
    tell(1, |context| async move {
        let world = World::four(context).await;
        world.until_height(ALL, 2).await;
        world.cut(&[0, 1, 2], &[3]).await;
        for at in 0..9 {
            world.submit(at % 3, &format!("entry {at}"));
        }
        world.until_size(&[0, 1, 2], 9).await;
        let before = world.height(3);
        world.until_height(&[0, 1, 2], before + 30).await;
        assert!(world.height(3) <= before + 1);
        world.join(&[0, 1, 2], &[3], link(10)).await;
        world.until_height(&[3], before + 30).await;
        world.assert_no_fork(ALL);
    });
}

#[test]
fn a_member_that_is_gone_is_passed_over() {
    tell(2, |context| async move {
        let mut world = World::four(context).await;
        world.until_height(ALL, 2).await;
        world.kill(2).await;
        world.pass(6_000).await;
        // from now on an entry waits for no dead leader
        for at in 0..20u64 {
            world.submit(0, &format!("entry {at}"));
            let mut waited = 0;
            while world.nodes[1].chain.tip().size <= at {
                world.pass(5).await;
                waited += 5;
            }
            assert!(waited <= 400, "entry {at}: {waited} ms");
        }
        world.start(2).await;
        world.until_size(ALL, 20).await;
        world.assert_no_fork(ALL);
    });
}

#[test]
fn a_member_that_returns_holds_nobody_up() {
    tell(0, |context| async move {
        let mut world = World::four(context).await;
        world.until_height(ALL, 2).await;
        world.kill(2).await;
        world.stream(0, 1, 200).await;
        // it needs a while for what it missed, and is to lead meanwhile
        world.oracle.limit_bandwidth(world.public(2), None, Some(150_000)).await.unwrap();
        world.start(2).await;
        let longest = world.stream(0, 1, 200).await;
        let leader = world.timing.leader.as_millis() as u64;
        assert!(longest < leader * 3 / 4, "{longest} ms: they waited for it");
        world.until_size(ALL, 400).await;
        world.assert_no_fork(ALL);
    });
}

#[test]
fn slow_links_that_lose_messages_only_slow_it_down() {
    tell(3, |context| async move {
        let mut world = World::new(context, 4);
        let slow = Link {
            latency: Duration::from_millis(150),
            jitter: Duration::from_millis(100),
            success_rate: probability!(0.9),
        };
        world.link(ALL, slow).await;
        world.start_all().await;
        for at in 0..20 {
            world.submit(at % 4, &format!("entry {at}"));
        }
        world.until_size(ALL, 20).await;
        world.assert_no_fork(ALL);
    });
}

#[test]
fn clocks_that_differ_by_an_hour_stop_nothing_and_time_never_runs_backwards() {
    tell(4, |context| async move {
        let mut world = World::new(context, 4);
        world.link(ALL, link(10)).await;
        world.nodes[1].skew = 3_600_000;
        world.nodes[2].skew = -3_600_000;
        world.start_all().await;
        world.until_height(ALL, 12).await;
        world.assert_no_fork(ALL);
        let times: Vec<u64> = (1..=12)
            .map(|height| world.nodes[0].chain.block(height).unwrap().unwrap().header().time_ms)
            .collect();
        assert!(times.is_sorted());
    });
}

#[test]
fn all_are_killed_and_start_again() {
    tell(5, |context| async move {
        let mut world = World::four(context).await;
        for round in 0..3u64 {
            for at in 0..4 {
                world.submit(at, &format!("round {round}, entry {at}"));
            }
            world.until_size(ALL, 4 * (round + 1)).await;
            let before = world.height(0);
            for at in 0..4 {
                world.kill(at).await;
            }
            world.pass(1_000).await;
            world.start_all().await;
            world.until_height(ALL, before + 2).await;
        }
        world.assert_no_fork(ALL);
        assert_eq!(world.entries(3).len(), 12);
    });
}

/// The machines lose power: what no sync had reached is gone from the journals. The chains are as
/// durable as each `finalise` made them.
#[test]
fn the_power_fails_everywhere_at_any_moment() {
    for seed in 0..4u64 {
        let config = deterministic::Config::new().with_seed(seed);
        let (kept, checkpoint) = Runner::new(config).start_and_recover(|context| async move {
            let world = World::four(context).await;
            for at in 0..8 {
                world.submit(at % 4, &format!("entry {at}"));
            }
            world.until_size(&[0], 1).await;
            world.pass(137 * seed).await;
            world.leave()
        });
        let checkpoint = Runner::from(checkpoint);
        checkpoint.start(|context| async move {
            let mut world = World::again(context.child("again"), kept);
            let before = (0..4).map(|at| world.height(at)).max().unwrap();
            world.link(ALL, link(10)).await;
            world.start_all().await;
            world.submit(1, "after the night");
            world.until_height(ALL, before + 4).await;
            world.assert_no_fork(ALL);
            assert!(world.entries(0).contains(&"after the night".to_owned()));
        });
    }
}
