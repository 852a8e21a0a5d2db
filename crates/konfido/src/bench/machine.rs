//! What the numbers were measured on.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

/// Prints machine, command and time, in one paragraph.
pub fn print(dir: &Path) {
    let command: Vec<String> = std::env::args().skip(1).collect();
    println!(
        "`konfido {}`, {}. {}\n",
        command.join(" "),
        Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
        description(dir)
    );
}

fn description(dir: &Path) -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = field(&cpu, "model name").unwrap_or("unknown CPU");
    let memory: u64 =
        field(&memory, "MemTotal").and_then(|m| m.split(' ').next()?.parse().ok()).unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    format!(
        "{model}, {cores} cores, {} GB, Linux {}, data on {}; load average before: {}.",
        memory >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
        filesystem(&read("/proc/mounts"), dir),
        load.split(' ').next().unwrap_or("unknown"),
    )
}

/// `name : value`, as /proc writes it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// The type of the file system that a folder is on.
fn filesystem(mounts: &str, dir: &Path) -> String {
    let rows = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let inside = rows.filter(|(at, _)| dir.starts_with(at));
    let nearest = inside.max_by_key(|(at, _)| at.len());
    nearest.map_or("an unknown file system", |(_, kind)| kind).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_names_the_file_system() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n";
        assert_eq!(filesystem(mounts, Path::new("/tmp/bench")), "tmpfs");
        assert_eq!(filesystem(mounts, Path::new("/tmpx")), "ext4");
    }
}
