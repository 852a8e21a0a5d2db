use super::*;
use commonware_cryptography::Digestible as _;
use commonware_runtime::deterministic::{Context, Runner};
use commonware_runtime::{Runner as _, Supervisor as _};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::evidence;

/// Blocks 1 to `count`, made by a chain of their own.
fn made(count: u64) -> Vec<Arc<Sealed>> {
    let disk = tempfile::tempdir().unwrap();
    let chain = evidence::chain(disk.path());
    (1..=count)
        .map(|height| {
            let entry = evidence::entry(&format!("made {height}"), 0);
            let (block, _) =
                chain.propose(chain.tip().digest, &[entry.into()], 1 << 20, height).unwrap();
            chain.finalise(&block).unwrap();
            Arc::new(Sealed(block))
        })
        .collect()
}

fn store(context: &Context, chain: &Arc<Chain>, told: &Arc<AtomicU64>) -> ChainBlocks<Context> {
    let genesis = Sealed::genesis(evidence::genesis());
    let told = Arc::clone(told);
    let durable = Box::new(move |tip: &Tip| {
        assert_eq!(told.swap(tip.height, Ordering::SeqCst) + 1, tip.height, "each, in order");
        Ok(())
    });
    ChainBlocks::new(context.child("chain"), Arc::clone(chain), genesis, durable).unwrap()
}

fn heights(found: (Option<Height>, Option<Height>)) -> (Option<u64>, Option<u64>) {
    (found.0.map(Height::get), found.1.map(Height::get))
}

#[test]
fn what_lies_behind_a_gap_waits_and_what_continues_the_chain_is_durable() {
    Runner::seeded(1).start(|context| async move {
        let (disk, made) = (tempfile::tempdir().unwrap(), made(6));
        let (chain, told) = (Arc::new(evidence::chain(disk.path())), Arc::new(AtomicU64::new(0)));
        let mut store = store(&context, &chain, &told);
        for height in [1, 4, 5] {
            let block = &made[height - 1];
            store = store.put(block.digest(), block).await.unwrap();
        }
        store = store.sync().await.unwrap();
        assert_eq!(chain.tip().height, 1);
        assert_eq!(store.last_index(), Some(Height::new(5)));
        assert_eq!(heights(store.next_gap(Height::new(0))), (Some(1), Some(4)));
        assert_eq!(heights(store.next_gap(Height::new(2))), (None, Some(4)));
        assert_eq!(heights(store.next_gap(Height::new(4))), (Some(5), None));
        assert_eq!(heights(store.next_gap(Height::new(6))), (None, None));
        assert_eq!(store.missing_items(Height::new(1), 9), [Height::new(2), Height::new(3)]);
        assert_eq!(store.missing_items(Height::new(1), 1), [Height::new(2)]);
        // the gap is filled from its end, and all of it is durable at once
        for height in [3, 2] {
            let block = &made[height - 1];
            store = store.put(block.digest(), block).await.unwrap();
        }
        let (store, synced) = store.start_sync().await.unwrap();
        synced.await.unwrap();
        assert_eq!((chain.tip().height, told.load(Ordering::SeqCst)), (5, 5));
        assert_eq!(heights(store.next_gap(Height::new(1))), (Some(5), None));
        for height in 1..=5 {
            let block = &made[height - 1];
            let by_height = store.get(Identifier::Index(height as u64)).await.unwrap();
            assert_eq!(by_height.as_ref(), Some(block));
            assert_eq!(store.get(Identifier::Key(&block.digest())).await.unwrap(), by_height);
        }
        assert!(store.get(Identifier::Index(6)).await.unwrap().is_none());
    });
}

#[test]
fn a_restart_goes_on_where_the_chain_ends_and_takes_nothing_twice() {
    Runner::seeded(2).start(|context| async move {
        let (disk, made) = (tempfile::tempdir().unwrap(), made(3));
        let told = Arc::new(AtomicU64::new(0));
        for _ in 0..2 {
            let chain = Arc::new(evidence::chain(disk.path()));
            let mut store = store(&context, &chain, &told);
            for block in &made {
                store = store.put(block.digest(), block).await.unwrap();
            }
            let store = store.sync().await.unwrap();
            assert_eq!(chain.tip().height, 3);
            let genesis = store.get(Identifier::Index(0)).await.unwrap().unwrap();
            assert_eq!(genesis.digest().0, evidence::genesis());
            let known = store.get(Identifier::Key(&made[0].digest())).await.unwrap();
            assert_eq!(known.as_ref(), Some(&made[0]));
        }
    });
}

#[test]
fn a_final_block_that_the_chain_refuses_stops_the_engine() {
    Runner::seeded(3).start(|context| async move {
        let (disk, made) = (tempfile::tempdir().unwrap(), made(1));
        let (chain, told) = (Arc::new(evidence::chain(disk.path())), Arc::default());
        let store = store(&context, &chain, &told);
        let (mut header, entries) = made[0].0.parts();
        header.root[0] ^= 1;
        let wrong = Arc::new(Sealed(ledger::block::Block::new(header, &entries)));
        let store = store.put(wrong.digest(), &wrong).await.unwrap();
        let Err(refused) = store.sync().await else { panic!("it was taken") };
        assert!(refused.to_string().contains("root"), "{refused}");
        assert_eq!(chain.tip().height, 0);
    });
}
