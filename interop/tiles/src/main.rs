//! `tiles DIR`: what `crates/ledger/examples/proofs.rs` wrote, judged by `signed_note` and `tlog_tiles`
//! (Cloudflare, ported from golang.org/x/mod/sumdb). Prints how many judgements passed and failed.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, HashReader as _, Tile, TileHashReader, TileReader, check_record,
    prove_record, record_hash, stored_hash_index,
};

struct Folder(PathBuf);

impl TileReader for Folder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile| std::fs::read(self.0.join(c2sp_path(tile)));
        tiles.iter().map(|tile| read(tile).map_err(|_| Error::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// `tile/<L>/<N>[.p/<W>]`: Go's layout says the height, too, which C2SP leaves out.
fn c2sp_path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

struct Tally(u32, u32);

impl Tally {
    fn judge(&mut self, what: &str, holds: bool) {
        if holds {
            self.0 += 1;
        } else {
            self.1 += 1;
            println!("FAIL tiles: {what}");
        }
    }
}

/// The log's keys in a policy: `signed_note` knows plain Ed25519 only.
fn logs(policy: &str) -> VerifierList {
    let keys = policy.lines().filter_map(|line| line.strip_prefix("log "));
    let keys = keys
        .map(|key| Box::new(StandardVerifier::new(key).unwrap()) as Box<dyn signed_note::Verifier>);
    VerifierList::new(keys.collect())
}

fn opens(note: &[u8], known: &VerifierList) -> bool {
    Note::from_bytes(note).is_ok_and(|note| note.verify(known).is_ok())
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("which folder?"));
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let mut tally = Tally(0, 0);
    let known = logs(&String::from_utf8(read("lasting.policy")).unwrap());
    let note = read("tiles/checkpoint");
    tally.judge("the checkpoint is signed by a log of the policy", opens(&note, &known));
    for at in [3, 30, 60] {
        let mut changed = note.clone();
        changed[at] ^= 1;
        tally.judge("a changed checkpoint is refused", !opens(&changed, &known));
    }
    let text = Note::from_bytes(&note).unwrap().text().to_vec();
    let checkpoint = Checkpoint::from_bytes(&text).unwrap();
    tally.judge(
        "origin and size",
        (checkpoint.origin(), checkpoint.size()) == ("ledger.example/konfido", 600),
    );
    tally.judge("the extension names a block", checkpoint.extension().starts_with("height 4711 "));
    let tiles = Folder(folder.join("tiles"));
    // reading authenticates each tile against the root
    let hashes = TileHashReader::new(checkpoint.size(), *checkpoint.hash(), &tiles);
    for index in [0, 255, 256, 537, 599] {
        let leaf = record_hash(&read(&format!("{index}.entry")));
        let stored = hashes.read_hashes(&[stored_hash_index(0, index)]);
        tally.judge("a tile has the entry's hash", stored.is_ok_and(|stored| stored == [leaf]));
        let ours = path(&folder, index);
        let theirs = prove_record(checkpoint.size(), index, &hashes).unwrap();
        tally.judge("the proof is the one that they make", ours == theirs);
        let holds =
            |leaf| check_record(&ours, checkpoint.size(), *checkpoint.hash(), index, leaf).is_ok();
        tally.judge("the proof holds", holds(leaf));
        tally.judge("and for no other entry", !holds(record_hash(b"other")));
    }
    let other = TileHashReader::new(checkpoint.size(), Hash([1; 32]), &tiles);
    tally.judge("under another root no tile is believed", other.read_hashes(&[0]).is_err());
    println!("tiles: {} passed, {} failed", tally.0, tally.1);
    std::process::exit(i32::from(tally.1 != 0));
}

/// The hashes of our `.tlog-proof`.
fn path(folder: &Path, index: u64) -> Vec<Hash> {
    let proof = std::fs::read_to_string(folder.join(format!("{index}.tlog-proof"))).unwrap();
    let (head, _) = proof.split_once("\n\n").unwrap();
    let hashes = head.lines().skip(2);
    hashes.map(|line| Hash(STANDARD.decode(line).unwrap().try_into().unwrap())).collect()
}
