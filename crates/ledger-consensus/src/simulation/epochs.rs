//! Members that come, go and change their keys, each between two epochs.

use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use commonware_runtime::deterministic::Context;

use super::{ALL, Node, World, link, member, tell};

/// Epochs of ten blocks.
fn world(context: Context, count: u64) -> World {
    let mut world = World::new(context, count);
    world.agreed.epoch = 10;
    world
}

#[test]
fn the_chain_goes_on_through_epochs() {
    tell(1, |context| async move {
        let mut world = world(context, 4);
        world.link(ALL, link(10)).await;
        world.start_all().await;
        for at in 0..60 {
            world.submit(at % 4, &format!("entry {at}"));
            world.pass(100).await;
        }
        world.until_size(ALL, 60).await;
        world.until_height(ALL, 45).await;
        world.assert_no_fork(ALL);
        assert_eq!(world.entries(0).len(), 60);
    });
}

#[test]
fn a_member_joins_and_another_leaves() {
    tell(2, |context| async move {
        let mut world = world(context, 4);
        world.link(ALL, link(10)).await;
        world.start_all().await;
        world.until_height(ALL, 3).await;
        // a fifth joins
        let key = PrivateKey::from_seed(40);
        world.registry.change(5, |members| members.push(member(&key, true)));
        world.nodes.push(Node::new(key));
        world.until_height(ALL, 12).await;
        world.join(ALL, &[4], link(10)).await;
        world.start(4).await;
        world.submit(4, "from the fifth");
        world.until_size(&[0, 1, 2, 3, 4], 1).await;
        // the first leaves; with five, four were needed, with four, three are
        world.registry.change(world.height(1), |members| drop(members.remove(0)));
        let boundary = (world.height(1) / 10 + 1) * 10;
        world.until_height(&[1, 2, 3, 4], boundary + 2).await;
        world.kill(0).await;
        world.kill(1).await;
        let before = world.height(2);
        world.until_height(&[2, 3, 4], before + 3).await;
        world.assert_no_fork(&[0, 1, 2, 3, 4]);
    });
}

#[test]
fn a_voter_becomes_an_observer_and_votes_again() {
    tell(6, |context| async move {
        let mut world = world(context, 5);
        let five = &[0, 1, 2, 3, 4];
        world.link(five, link(10)).await;
        world.start_all().await;
        world.until_height(five, 3).await;
        world.registry.change(5, |members| members[4].voting = false);
        world.until_height(five, 12).await;
        // of five, four were needed: of the four that vote now, three, and the observer is none of them
        world.kill(0).await;
        world.submit(4, "from the observer");
        world.until_size(&[1, 2, 3, 4], 1).await;
        world.kill(1).await;
        let before = world.height(2);
        world.pass(20_000).await;
        let now = world.height(2).max(world.height(3)).max(world.height(4));
        assert!(now <= before + 1, "two voters and an observer decided {now} after {before}");
        // one comes back; the observer gets its vote again, and then two may be away no longer
        world.start(1).await;
        world.until_height(&[1, 2, 3, 4], before + 3).await;
        world.registry.change(world.height(2) + 1, |members| members[4].voting = true);
        let boundary = (world.height(2) / 10 + 2) * 10;
        world.until_height(&[1, 2, 3, 4], boundary + 2).await;
        let before = world.height(4);
        world.kill(4).await;
        world.pass(20_000).await;
        assert!(world.height(2) <= before + 1, "three of five decided");
        world.start(4).await;
        world.until_height(&[1, 2, 3, 4], before + 12).await;
        world.assert_no_fork(five);
    });
}

#[test]
fn a_key_changes_between_epochs() {
    tell(3, |context| async move {
        let mut world = world(context, 4);
        world.link(ALL, link(10)).await;
        world.start_all().await;
        world.until_height(ALL, 3).await;
        let key = PrivateKey::from_seed(50);
        world.registry.change(5, |members| members[3] = member(&key, true));
        world.until_height(ALL, 10).await;
        // the same member with its chain, a new key and new journals
        world.kill(3).await;
        let renewed = world.nodes[3].with_key(key);
        world.nodes.push(renewed);
        world.join(&[0, 1, 2], &[4], link(10)).await;
        world.pass(1_000).await;
        world.start(4).await;
        world.kill(0).await;
        let before = world.height(1);
        world.until_height(&[1, 2, 4], before + 15).await;
        world.assert_no_fork(ALL);
    });
}

#[test]
fn a_member_that_slept_through_epochs_catches_up() {
    tell(4, |context| async move {
        let mut world = world(context, 4);
        world.link(ALL, link(10)).await;
        world.start_all().await;
        world.until_height(ALL, 3).await;
        world.kill(3).await;
        world.until_height(&[0, 1, 2], 47).await;
        world.start(3).await;
        world.until_height(&[3], 47).await;
        let before = world.height(0);
        world.kill(0).await;
        world.until_height(&[1, 2, 3], before + 5).await;
        world.assert_no_fork(ALL);
    });
}

#[test]
fn all_restart_around_the_end_of_an_epoch() {
    for pause in [0, 20, 60, 150] {
        tell(pause, |context| async move {
            let mut world = world(context, 4);
            world.link(ALL, link(10)).await;
            world.start_all().await;
            world.until_height(&[0], 9).await;
            world.pass(pause).await;
            for at in 0..4 {
                world.kill(at).await;
            }
            world.start_all().await;
            world.until_height(ALL, 15).await;
            world.assert_no_fork(ALL);
        });
    }
}
