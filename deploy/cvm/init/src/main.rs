//! The first program of a confidential VM: mounts what the kernel offers, starts `/konfido run`,
//! collects children, and turns the machine off when konfido ends. There is no shell, no login and
//! no second service; what could go wrong is said on the console, which the host reads.

use std::process::{Command, ExitCode};
use std::{fs, io};

use rustix::mount::{MountFlags, mount};
use rustix::process::{WaitOptions, getpid, wait};
use rustix::system::{RebootCommand, reboot};

const QUIET: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// (source, where, kind, flags, options, what is missing without it)
type Row = (&'static str, &'static str, &'static str, MountFlags, &'static str, Need);

enum Need {
    /// Nothing starts without it.
    All,
    /// Quotes: konfido says for itself what it cannot do without them.
    Quotes,
}

static MOUNTS: &[Row] = &[
    ("proc", "/proc", "proc", QUIET, "hidepid=2", Need::All),
    ("sysfs", "/sys", "sysfs", QUIET, "", Need::All),
    ("devtmpfs", "/dev", "devtmpfs", MountFlags::NOSUID, "mode=0755", Need::All),
    ("tmpfs", "/run", "tmpfs", QUIET, "mode=0755,size=16m", Need::All),
    ("tmpfs", "/tmp", "tmpfs", QUIET, "mode=1777,size=64m", Need::All),
    ("tmpfs", "/state", "tmpfs", QUIET, "mode=0700,size=50%", Need::All),
    ("configfs", "/sys/kernel/config", "configfs", QUIET, "", Need::Quotes),
];
/// A disk of the host's, over the tmpfs: it is read and can be put back by the host (README).
const STATE: (&str, &str) = ("/dev/vdb", "ext4");

fn main() -> ExitCode {
    if getpid().as_raw_nonzero().get() != 1 {
        eprintln!("konfido-init: only the kernel starts this");
        return ExitCode::FAILURE;
    }
    if let Err(error) = serve() {
        eprintln!("konfido-init: {error}");
    }
    rustix::fs::sync();
    let end = reboot(RebootCommand::PowerOff);
    eprintln!("konfido-init: the machine stays on: {end:?}");
    ExitCode::FAILURE
}

fn serve() -> io::Result<()> {
    for (source, target, kind, flags, options, need) in MOUNTS {
        let options = std::ffi::CString::new(*options).expect("because options hold no NUL");
        match (mount(*source, *target, *kind, *flags, options.as_c_str()), need) {
            (Ok(()), _) => {}
            (Err(error), Need::Quotes) => eprintln!("konfido-init: no quotes: {target}: {error}"),
            (Err(error), Need::All) => return Err(io::Error::other(format!("{target}: {error}"))),
        }
    }
    if fs::exists(STATE.0)? {
        mount(STATE.0, "/state", STATE.1, QUIET, c"")?;
    }
    let mut konfido = Command::new("/konfido");
    konfido.args(["run", "--config", "/etc/konfido.toml"]).env_clear().current_dir("/");
    let child = konfido.spawn()?;
    loop {
        // orphans end here too: the first process is everybody's parent in the end
        let Some((pid, status)) = wait(WaitOptions::empty())? else { continue };
        if u32::try_from(pid.as_raw_nonzero().get()) == Ok(child.id()) {
            return Err(io::Error::other(format!("konfido ended: {status:?}")));
        }
    }
}
