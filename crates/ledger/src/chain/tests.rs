use bytes::Bytes;

use super::*;
use crate::entry::Kind;
use crate::fixtures::shared::Shared;
use crate::rules::State as Standing;
use crate::tree::leaf_hash;

/// Two members of one ledger.
struct Two {
    _folders: [tempfile::TempDir; 2],
    shared: Shared,
    one: Chain,
    other: Chain,
}

impl Two {
    fn new() -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let shared = Shared::fast();
        let open = |at: usize| Chain::open(folders[at].path(), &shared.genesis).unwrap();
        let (one, other) = (open(0), open(1));
        Self { _folders: folders, shared, one, other }
    }

    fn whole(&self, number: u8) -> Vec<u8> {
        self.shared.whole([number; 16], "ES", "DK").into_bytes()
    }

    fn proposed(&self, parent: Hash, entries: &[Vec<u8>], time_ms: u64) -> (Block, Vec<usize>) {
        let entries: Vec<Bytes> = entries.iter().cloned().map(Bytes::from).collect();
        self.one.propose(parent, &entries, LIMIT, time_ms).unwrap()
    }

    /// A block that one proposes on its tip, the other checks, and both take as final.
    fn block(&self, entries: Vec<Vec<u8>>) -> Block {
        let block = self.proposed(self.one.tip().digest, &entries, 1000).0;
        self.other.check(&block).unwrap();
        assert_eq!(self.one.finalise(&block).unwrap(), self.other.finalise(&block).unwrap());
        block
    }
}

#[test]
fn members_agree_on_blocks_that_are_not_final_yet() {
    let two = Two::new();
    let (first, never) = two.proposed(two.one.tip().digest, &[two.whole(1), b"noise".to_vec()], 5);
    assert_eq!((first.entries().len(), never), (1, vec![1]));
    two.other.check(&first).unwrap();
    // on top of it, before it is final: what it has is known, what it has not is taken
    let candidates = vec![two.whole(1), two.whole(2)];
    let (second, never) = two.proposed(first.digest(), &candidates, 4);
    assert_eq!((second.parts().1, never), (vec![two.whole(2)], vec![0]));
    assert_eq!(second.header().time_ms, 5, "time does not run backwards");
    two.other.check(&second).unwrap();
    assert!(matches!(two.other.finalise(&second), Err(ChainError::Gap(2))));
    for block in [&first, &second, &first] {
        two.other.finalise(block).unwrap();
    }
    assert_eq!(two.other.tip().size, 2);
    assert_eq!(two.other.block(2).unwrap(), Some(second));
}

#[test]
fn a_lying_block_is_refused_for_what_is_wrong_with_it() {
    let two = Two::new();
    two.block(vec![two.whole(1)]);
    let (good, _) = two.proposed(two.one.tip().digest, &[two.whole(2)], 2000);
    let mut forged = two.whole(3);
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let (header, entries) = good.parts();
    let headed = |change: &dyn Fn(&mut Header)| {
        let mut header = header;
        change(&mut header);
        Block::new(header, &entries)
    };
    let lies = [
        ("root", headed(&|header| header.root[0] ^= 1)),
        ("root", headed(&|header| header.tree_size += 1)),
        ("height", headed(&|header| header.height += 1)),
        ("time", headed(&|header| header.time_ms = 1)),
        ("follow", rooted(&two, header, &[two.whole(1)])),
        ("signature", rooted(&two, header, &[forged])),
        ("malformed", rooted(&two, header, &[vec![0xff; 40]])),
    ];
    for (word, block) in lies {
        let said = two.other.check(&block).unwrap_err().to_string();
        assert!(said.contains(word), "{word}: {said}");
    }
    two.other.check(&good).unwrap();
    let unknown = headed(&|header| header.parent = [9; 32]);
    assert!(matches!(two.other.check(&unknown), Err(ChainError::Parent)));
    let rival =
        two.other.propose(two.other.tip().digest, &[two.whole(7).into()], LIMIT, 3000).unwrap().0;
    two.other.finalise(&rival).unwrap();
    assert!(matches!(two.other.finalise(&good), Err(ChainError::Fork(2))));
}

/// A block of these entries, with the root that they lead to.
fn rooted(two: &Two, header: Header, entries: &[Vec<u8>]) -> Block {
    let mut edge = two.other.state().edge.clone();
    entries.iter().for_each(|entry| edge.push(leaf_hash(entry)));
    Block::new(Header { tree_size: edge.size(), root: edge.root(), ..header }, entries)
}

#[test]
fn a_proposer_says_which_deadlines_passed() {
    let two = Two::new();
    let half = two.shared.answered([4; 16], ("ES", "DK"), 7).into_bytes();
    two.block(vec![half]);
    while two.one.tip().height < 7 {
        assert!(two.block(Vec::new()).leaves().is_empty());
    }
    let block = two.block(Vec::new());
    assert_eq!(Entry::decode(block.entries().next().unwrap()).unwrap().kind(), Kind::Open);
    assert!(two.block(Vec::new()).leaves().is_empty(), "once");
    let close = two.shared.close([4; 16], "ES", "DK").into_bytes();
    two.block(vec![close]);
    let tx = two.other.reader().tx([4; 16]).unwrap().unwrap();
    assert_eq!(tx.state(), Standing::ClosedLate);
}

#[test]
fn what_is_admitted_is_what_a_block_would_take() {
    let two = Two::new();
    two.block(vec![two.whole(1)]);
    // more than a thread's worth, so that several verify them
    let mut entries: Vec<Vec<u8>> = (2..=200).map(|number| two.whole(number)).collect();
    entries[70][80] ^= 1;
    entries.push(two.whole(1));
    entries.push(b"noise".to_vec());
    let verdicts = two.one.admit(&entries);
    let refused: Vec<usize> = (0..entries.len()).filter(|at| verdicts[*at].is_err()).collect();
    assert_eq!(refused, [70, 199, 200]);
    let good: Vec<_> =
        entries.into_iter().zip(verdicts).filter(|(_, v)| v.is_ok()).map(|(e, _)| e).collect();
    let block = two.block(good.clone());
    assert_eq!(block.parts().1, good);
}

#[test]
fn a_chain_that_was_further_is_not_gone_on_from() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shared = Shared::fast();
    let open = |folder: &Path, at_least| {
        for _ in 0..1500 {
            match Chain::open_at_least(folder, &shared.genesis, at_least) {
                // a child of another test holds our lock until it is another program
                Err(ChainError::Store(StoreError::Busy)) => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                other => return other,
            }
        }
        panic!("it stays locked")
    };
    let grow = |chain: &Chain| {
        let block = chain.propose(chain.tip().digest, &[], LIMIT, 5).unwrap().0;
        chain.finalise(&block).unwrap();
    };
    let chain = open(folder.path(), None).unwrap();
    grow(&chain);
    drop(chain);
    let mut kept = std::process::Command::new("cp");
    kept.arg("-a").arg(folder.path().join(".")).arg(copy.path());
    assert!(kept.status().unwrap().success());
    let chain = open(folder.path(), Some(1)).unwrap();
    grow(&chain);
    drop(chain);
    assert_eq!(open(folder.path(), Some(2)).unwrap().tip().height, 2);
    let refused = open(copy.path(), Some(2)).err().unwrap();
    let old = matches!(refused, ChainError::Store(StoreError::Old { tip: 1, at_least: 2 }));
    assert!(old, "{refused}");
    assert_eq!(open(copy.path(), Some(1)).unwrap().tip().height, 1, "nothing was changed");
}

const LIMIT: usize = 1 << 20;
