//! Members that lie.

use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_p2p::simulated::{Receiver, Sender, SplitOrigin, SplitSender, SplitTarget};
use commonware_p2p::{Message, Recipients, Sender as _};
use commonware_runtime::deterministic::Context;
use commonware_runtime::{IoBuf, Supervisor as _};
use ledger::block::MAX_ENTRY;

use super::{ALL, Node, World, link, tell};
use crate::engine::Channels;
use crate::frame;

const HONEST: &[usize] = &[0, 1, 2];

/// The same key runs twice: when it leads, member 0 is sent one block and members 1 and 2 another, with
/// votes for each.
#[test]
fn a_leader_that_sends_two_blocks_forks_nothing() {
    for seed in 0..3 {
        tell(seed, |context| async move {
            let mut world = World::new(context, 4);
            world.link(ALL, link(10)).await;
            let mut twin = Node::new(world.nodes[3].key.clone());
            twin.folder.push_str("-twin");
            world.nodes.push(twin);
            let (one, other) = twins(&world).await;
            for at in HONEST {
                world.start(*at).await;
            }
            world.start_on(3, one);
            world.start_on(4, other);
            for at in 0..30 {
                world.submit(3, &format!("to the one {at}"));
                world.submit(4, &format!("to the others {at}"));
                world.submit(at % 3, &format!("honest {at}"));
                world.pass(200).await;
            }
            world.until_height(HONEST, 20).await;
            world.assert_no_fork(HONEST);
            let entries = world.entries(0);
            let honest = entries.iter().filter(|entry| entry.starts_with("honest")).count();
            assert!(honest >= 25, "{honest} of 30");
        });
    }
}

/// The proposer's own vote stands on a root that is not the tree's.
#[test]
fn a_member_that_signs_a_wrong_root_is_outvoted() {
    tell(1, |context| async move {
        let mut world = World::new(context, 4);
        world.link(ALL, link(10)).await;
        world.nodes[3].tamper = Some(|header, _| header.root[0] ^= 1);
        world.start_all().await;
        for at in 0..12 {
            world.submit(at % 4, &format!("entry {at}"));
            world.pass(500).await;
        }
        world.until_size(HONEST, 12).await;
        world.assert_no_fork(ALL);
    });
}

/// Also an entry that no rule allows, a height that does not follow and a time that runs backwards are
/// refused by the others.
#[test]
fn a_member_that_proposes_nonsense_is_outvoted() {
    let lies: [crate::application::Lie; 4] = [
        |header, _| header.height += 1,
        |header, _| header.tree_size += 1,
        |header, _| header.time_ms = 0,
        |_, entries| entries.push(crate::evidence::entry("slipped in", 0)),
    ];
    for (seed, lie) in lies.into_iter().enumerate() {
        tell(seed as u64, |context| async move {
            let mut world = World::new(context, 4);
            world.link(ALL, link(10)).await;
            world.nodes[3].tamper = Some(lie);
            world.start_all().await;
            world.until_height(HONEST, 6).await;
            world.submit(0, "honest");
            world.until_size(HONEST, 1).await;
            world.assert_no_fork(HONEST);
            assert_eq!(world.entries(0), ["honest"]);
        });
    }
}

#[test]
fn garbage_blocks_its_sender_and_nothing_else() {
    tell(2, |context| async move {
        let mut world = World::new(context, 4);
        world.link(ALL, link(10)).await;
        for at in HONEST {
            world.start(*at).await;
        }
        let mut liar = world.channels(3).await;
        world.until_height(HONEST, 2).await;
        let too_long = {
            let mut frame = 1u32.to_be_bytes().to_vec();
            frame.extend(u32::try_from(MAX_ENTRY + 1).unwrap().to_be_bytes());
            frame.extend(vec![0; MAX_ENTRY + 1]);
            frame
        };
        assert!(frame::entries(&too_long).is_none());
        let garbage: Vec<Vec<u8>> = vec![
            vec![0],
            vec![0xff; 100],
            vec![0x01; 5_000],
            [vec![0], vec![0xee; 300]].concat(),
            too_long,
            vec![0x80; 70_000],
        ];
        for bytes in garbage {
            for sender in senders(&mut liar) {
                sender.send(Recipients::All, IoBuf::from(bytes.clone()), true);
            }
            world.pass(50).await;
        }
        world.submit(0, "in spite of it");
        world.until_size(HONEST, 1).await;
        let blocked = world.oracle.blocked().await.unwrap();
        for at in HONEST {
            assert!(blocked.contains(&(world.public(*at), world.public(3))), "by {at}");
        }
        assert!(blocked.iter().all(|(_, whom)| *whom == world.public(3)));
        let before = world.height(0);
        world.until_height(HONEST, before + 5).await;
        world.assert_no_fork(HONEST);
    });
}

fn senders<S, R>(channels: &mut Channels<S, R>) -> [&mut S; 7] {
    [
        &mut channels.votes.0,
        &mut channels.certificates.0,
        &mut channels.resolver.0,
        &mut channels.blocks.0,
        &mut channels.backfill.0,
        &mut channels.entries.0,
        &mut channels.told.0,
    ]
}

type Forward = fn(SplitOrigin, &Recipients<PublicKey>, &IoBuf) -> Option<Recipients<PublicKey>>;
type Half = Channels<SplitSender<PublicKey, Context, Forward>, Receiver<PublicKey>>;

/// Each channel of member 3 divided: the first half speaks with member 0, the second with 1 and 2.
async fn twins(world: &World) -> (Half, Half) {
    let Channels { votes, certificates, resolver, blocks, backfill, entries, told } =
        world.channels(3).await;
    let split = |(to, from): (Sender<PublicKey, Context>, Receiver<PublicKey>)| {
        let (to_one, to_other) = to.split_with(forward as Forward);
        let (from_one, from_other) = from.split_with(world.context.child("split"), route);
        ((to_one, from_one), (to_other, from_other))
    };
    let (votes, votes2) = split(votes);
    let (certificates, certificates2) = split(certificates);
    let (resolver, resolver2) = split(resolver);
    let (blocks, blocks2) = split(blocks);
    let (backfill, backfill2) = split(backfill);
    let (entries, entries2) = split(entries);
    let (told, told2) = split(told);
    (
        Channels { votes, certificates, resolver, blocks, backfill, entries, told },
        Channels {
            votes: votes2,
            certificates: certificates2,
            resolver: resolver2,
            blocks: blocks2,
            backfill: backfill2,
            entries: entries2,
            told: told2,
        },
    )
}

fn side(origin: SplitOrigin) -> Vec<PublicKey> {
    let seeds: &[u64] = if origin == SplitOrigin::Primary { &[0] } else { &[1, 2] };
    seeds.iter().map(|seed| PrivateKey::from_seed(*seed).public_key()).collect()
}

fn forward(
    origin: SplitOrigin,
    recipients: &Recipients<PublicKey>,
    _: &IoBuf,
) -> Option<Recipients<PublicKey>> {
    let side = side(origin);
    let these = match recipients {
        Recipients::All => side,
        Recipients::Some(some) => some.iter().filter(|key| side.contains(key)).cloned().collect(),
        Recipients::One(one) => {
            vec![one.clone()].into_iter().filter(|key| side.contains(key)).collect()
        }
    };
    (!these.is_empty()).then_some(Recipients::Some(these))
}

fn route((from, _): &Message<PublicKey>) -> SplitTarget {
    if side(SplitOrigin::Primary).contains(from) {
        SplitTarget::Primary
    } else {
        SplitTarget::Secondary
    }
}
