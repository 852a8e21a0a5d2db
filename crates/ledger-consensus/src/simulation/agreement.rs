//! Members that all do what they should.

use std::collections::HashSet;

use commonware_runtime::deterministic::Context;
use ledger::block::MAX_ENTRY;
use ledger::order::Taken;

use super::{ALL, World, link, tell};
use crate::evidence;
use crate::view::bytes;

#[test]
fn four_members_make_the_same_chain_and_the_same_seed_the_same_run() {
    let story = |context: Context| async move {
        let world = World::four(context).await;
        for at in 0..40 {
            world.submit(at % 4, &format!("entry {at}"));
        }
        world.until_size(ALL, 40).await;
        assert!(world.assert_no_fork(ALL) >= 1);
        for at in 0..4 {
            let entries = world.entries(at);
            assert_eq!(entries.len(), 40, "none twice");
            assert_eq!(entries.iter().collect::<HashSet<_>>().len(), 40);
        }
    };
    let first = tell(7, story);
    assert_eq!(first, tell(7, story));
    assert_ne!(first, tell(8, story));
}

#[test]
fn an_idle_ledger_makes_about_one_block_a_second() {
    tell(1, |context| async move {
        let world = World::four(context).await;
        world.until_height(ALL, 2).await;
        let before = world.height(0);
        world.pass(20_000).await;
        let made = world.height(0) - before;
        assert!((15..=25).contains(&made), "{made} blocks in 20 s");
    });
}

#[test]
fn an_entry_waits_neither_for_its_members_turn_nor_for_the_idle_time() {
    tell(2, |context| async move {
        let world = World::four(context).await;
        world.until_height(ALL, 2).await;
        let mut worst = 0;
        for at in 0..12 {
            world.pass(1_700).await;
            world.submit(at % 4, &format!("entry {at}"));
            let mut waited = 0;
            while world.nodes[0].chain.tip().size <= at as u64 {
                world.pass(5).await;
                waited += 5;
            }
            worst = worst.max(waited);
        }
        // three hops of 10 ms, one to the leader, and at worst a view that had just been cut
        assert!(worst <= 150, "{worst} ms");
    });
}

#[test]
fn the_same_entry_from_all_members_is_final_once() {
    tell(3, |context| async move {
        let world = World::four(context).await;
        for at in 0..4 {
            world.submit(at, "the same");
            world.submit(at, "the same");
        }
        world.until_size(ALL, 1).await;
        world.pass(5_000).await;
        assert_eq!(world.entries(0), ["the same"]);
    });
}

#[test]
fn an_entry_that_is_too_long_is_refused_before_it_is_sent() {
    tell(4, |context| async move {
        let world = World::four(context).await;
        assert_eq!(world.submit_bytes(0, vec![1; MAX_ENTRY + 1]), Taken::Refused);
        assert_eq!(world.submit_bytes(0, Vec::new()), Taken::Refused);
        assert_eq!(world.submit_bytes(0, evidence::entry("long", MAX_ENTRY)), Taken::Waits);
        world.until_size(ALL, 1).await;
    });
}

/// The proposer leaves it out, and nobody carries it on.
#[test]
fn what_is_no_entry_stops_nothing() {
    tell(9, |context| async move {
        let world = World::four(context).await;
        world.submit_bytes(0, b"no entry".to_vec());
        let mut forged = evidence::entry("forged", 0);
        let last = forged.len() - 1;
        forged[last] ^= 1;
        world.submit_bytes(1, forged);
        world.submit(0, "good");
        world.until_size(ALL, 1).await;
        world.pass(30_000).await;
        assert_eq!(world.entries(2), ["good"]);
        for node in &world.nodes {
            assert_eq!(node.process.as_ref().unwrap().pool.waiting(), 0);
        }
    });
}

#[test]
fn more_than_a_block_holds_becomes_several_blocks() {
    tell(5, |context| async move {
        let world = World::four(context).await;
        for at in 0..400 {
            let entry = evidence::entry(&format!("entry {at}"), MAX_ENTRY);
            assert_eq!(world.submit_bytes(at % 4, entry), Taken::Waits);
        }
        world.until_size(ALL, 400).await;
        world.assert_no_fork(ALL);
        let longest = (1..=world.height(0))
            .map(|height| world.nodes[0].chain.block(height).unwrap().unwrap().encoded().len());
        assert!(longest.max().unwrap() <= (1 << 20) + 4096);
    });
}

#[test]
fn what_one_tells_all_hear_with_its_name() {
    tell(6, |context| async move {
        let world = World::four(context).await;
        world.until_height(ALL, 1).await;
        let process = world.nodes[1].process.as_ref().unwrap();
        process.told.try_send(b"my cosignature".to_vec()).unwrap();
        world.pass(1_000).await;
        for node in &world.nodes {
            let heard = node.heard.0.lock().unwrap();
            assert_eq!(*heard, [(bytes(&world.public(1)), b"my cosignature".to_vec())]);
        }
    });
}

#[test]
fn an_observer_follows_and_votes_on_nothing() {
    tell(7, |context| async move {
        let mut world = World::new(context, 5);
        world.registry.change(0, |members| members[4].voting = false);
        world.link(&[0, 1, 2, 3, 4], link(10)).await;
        world.start_all().await;
        world.submit(4, "an observer's entry");
        world.until_size(&[0, 1, 2, 3, 4], 1).await;
        world.kill(4).await;
        world.kill(3).await;
        let before = world.height(0);
        world.until_height(&[0, 1, 2], before + 5).await;
        world.start(4).await;
        world.until_height(&[4], before + 5).await;
        world.assert_no_fork(&[0, 1, 2, 3, 4]);
    });
}
