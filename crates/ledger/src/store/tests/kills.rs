//! A process that is killed (SIGKILL) at each moment of [`crate::crash::STORE_POINTS`].

use std::process::Command;

use super::*;
use crate::crash::{CRASH_AT, STORE_POINTS};

const FOLDER: &str = "KONFIDO_STORE_VICTIM";

/// Run by the test below in a process of its own; alone it does nothing.
#[test]
fn victim() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mut store = open(folder);
    let publisher = store.publisher();
    for block in blocks(&COUNTS) {
        let tip = store.take(&block).unwrap();
        // what was acknowledged, told to somebody outside
        std::fs::write(folder.join("told"), tip.height.to_string()).unwrap();
        std::fs::rename(folder.join("told"), folder.join("acknowledged")).unwrap();
        publisher.publish(tip.size, &format!("ledger.example\n{}\n\n", tip.size)).unwrap();
        // the threads behind have their turn, so that the passage is reached
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_process_is_killed() {
    let all = blocks(&COUNTS);
    for point in STORE_POINTS {
        for passage in [1, 3] {
            let folder = tempfile::tempdir().unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "store::tests::kills::victim", "--nocapture"]);
            child.env(FOLDER, folder.path()).env(CRASH_AT, format!("{point}:{passage}"));
            let died = !child.output().unwrap().status.success();
            assert!(died || passage > 1, "{point} is never passed");
            let acknowledged = std::fs::read_to_string(folder.path().join("acknowledged"));
            let acknowledged = acknowledged.map_or(0, |text| text.parse().unwrap());
            let mut store = open(folder.path());
            let tip = store.tip();
            assert!(tip.height >= acknowledged, "{point}:{passage}");
            assert_holds(&store, &all[..usize::try_from(tip.height).unwrap()]);
            all.iter().for_each(|block| _ = store.take(block).unwrap());
            assert_holds(&store, &all);
            assert_eq!(store.tip().digest, all[all.len() - 1].digest());
        }
    }
}

const COUNTS: [usize; 30] = [167; 30];
