//! The fuzz targets on a stable toolchain: seeds, hostile shapes and seeded damage.
//!
//! `KONFIDO_FUZZ=200000 cargo test -p testbed --test fuzz` runs longer than the default.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use testbed::fuzz::{Mutator, TARGETS, Target};

/// Damaged inputs in all, unless `KONFIDO_FUZZ` says otherwise.
const ITERATIONS: usize = 20_000;
/// Longest damaged input, in bytes.
const LONGEST: usize = 24 << 10;
/// The longest that one input may take, in an unoptimised build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// What all damaged inputs together may add to the process's peak, in KiB.
const GROWTH: u64 = 64 << 10;
/// The peak is the whole process's.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut seeds: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn every_seed_but_the_tiny_ones_is_sound() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        for (file, bytes) in &seeds {
            let tiny = file.ends_with("/1");
            assert!(target(bytes) || tiny, "{file} is not what `--example seeds` wrote");
        }
        assert!(seeds.iter().any(|(file, _)| !file.ends_with("/1")), "{name} has only a tiny seed");
    }
}

#[test]
fn each_target_of_the_fuzz_folder_is_one_of_these() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut names = TARGETS.map(|row| row.0.to_owned());
    names.sort();
    assert_eq!(files, names);
}

/// Runs one input in time and without a panic, or says which one it was.
fn survive(name: &str, target: Target, what: &str, input: &[u8]) -> bool {
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| target(input)));
    let took = start.elapsed();
    if result.is_err() || took > PATIENCE {
        let file = std::env::temp_dir().join(format!("konfido-fuzz-{name}"));
        std::fs::write(&file, input).unwrap();
        panic!("{name}, {what}: took {took:?}; the input is in {}", file.display());
    }
    result.unwrap_or(false)
}

/// Runs `work` on a thread, so that a hang ends the test with the target's name.
fn in_time(name: &'static str, limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    match finished.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name} hangs"),
        _ => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

#[test]
fn damaged_messages_are_read_or_refused_and_nothing_else() {
    let iterations = std::env::var("KONFIDO_FUZZ").ok().and_then(|n| n.parse().ok());
    let each = iterations.unwrap_or(ITERATIONS) / TARGETS.len() + 1;
    let _alone = ALONE.lock();
    let before = peak();
    for (number, (name, target)) in (0..).zip(TARGETS) {
        let inputs: Vec<Vec<u8>> = seeds(name).into_iter().map(|seed| seed.1).collect();
        in_time(name, Duration::from_secs(600) + PATIENCE * (each as u32 / 1000), move || {
            let start = Instant::now();
            let mut mutator = Mutator::new(number);
            let mut taken = 0;
            for n in 0..each {
                let input = mutator.next(&inputs, LONGEST);
                taken += usize::from(survive(name, target, &format!("damage {n}"), &input));
            }
            println!("{name}: {taken} of {each} were taken, {:?}", start.elapsed());
        });
    }
    match (before, peak()) {
        (Some(before), Some(after)) => {
            println!("peak memory {before} -> {after} KiB");
            assert!(after - before < GROWTH, "memory grew by {} KiB", after - before);
        }
        _ => println!("skipped: no peak memory on this system"),
    }
}

/// The peak resident memory of this process, in KiB (Linux).
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[test]
fn hostile_shapes_are_refused_in_time() {
    let _alone = ALONE.lock();
    let many = |n: usize, text: &str| text.repeat(n);
    let xml = [
        ("deep", format!("{}{}", many(50_000, "<a>"), many(50_000, "</a>"))),
        ("unclosed", many(100_000, "<a>")),
        ("wide", format!("<a>{}</a>", many(50_000, "<b/>"))),
        (
            "attributes",
            format!("<a {}/>", (0..20_000).map(|n| format!("b{n}='' ")).collect::<String>()),
        ),
        (
            "namespaces",
            format!("<a {}/>", (0..20_000).map(|n| format!("xmlns:b{n}='u' ")).collect::<String>()),
        ),
        (
            "entities",
            format!(
                "<!DOCTYPE a [<!ENTITY b \"{}\">]><a>{}</a>",
                many(1000, "x"),
                many(1000, "&b;")
            ),
        ),
        ("references", format!("<a>{}</a>", many(50_000, "&#65;"))),
        ("comments", format!("<a>{}</a>", many(50_000, "<!---->"))),
        ("long name", format!("<{0}/>", many(200_000, "a"))),
        ("long text", format!("<a>{}</a>", many(200_000, "x"))),
        ("long attribute", format!("<a b='{}'/>", many(200_000, "x"))),
    ];
    let other = [
        ("boundaries", many(20_000, "--b\r\nContent-ID: <r>\r\n\r\n\r\n")),
        ("no end", format!("--b\r\n\r\n{}", many(20_000, "\r\n--"))),
        ("frames", many(50_000, "1 x")),
        ("brackets", many(100_000, "[")),
        ("braces", many(100_000, "{\"a\":")),
        ("cbor arrays", String::from_utf8(vec![0x5f; 100_000]).unwrap()),
    ];
    let bytes = [
        ("nested cbor", vec![0x81; 200_000]),
        (
            "long cbor",
            [&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], &[0; 64]].concat(),
        ),
        ("nested der", [0x30, 0x80].repeat(50_000)),
        ("lengths", vec![0xff; 200_000]),
        ("zeros", vec![0; 200_000]),
        ("empty", Vec::new()),
    ];
    let text = xml.into_iter().chain(other).map(|(what, text)| (what, text.into_bytes()));
    let inputs: Vec<_> = text.chain(bytes).collect();
    for (name, target) in TARGETS {
        let inputs = inputs.clone();
        in_time(name, Duration::from_secs(300), move || {
            for (what, input) in &inputs {
                let start = Instant::now();
                survive(name, target, what, input);
                if start.elapsed() > Duration::from_millis(500) {
                    println!("{name}: {what} took {:?}", start.elapsed());
                }
            }
        });
    }
}
