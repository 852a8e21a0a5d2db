//! What somebody who had taken over a vault process would try next. Tests send these to a real one;
//! release builds have none of it (`.ci/run` looks).

#![expect(unsafe_code, reason = "the calls that a vault may not make")]

use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, mprotect};

/// An attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Opens a file.
    Open,
    /// Makes a socket of the network.
    Socket,
    /// Becomes another program.
    Exec,
    /// Maps memory that can be executed.
    MapExecutable,
    /// Makes memory that it has executable.
    MakeExecutable,
    /// Traces its parent.
    Trace,
    /// Makes a second process.
    Fork,
    /// Sends a signal.
    Kill,
    /// Reads the memory of its parent.
    ReadParent,
}

impl Attack {
    /// Every attempt.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Socket,
        Self::Exec,
        Self::MapExecutable,
        Self::MakeExecutable,
        Self::Trace,
        Self::Fork,
        Self::Kill,
        Self::ReadParent,
    ];
}

/// Request number of an attempt.
pub(crate) const OP: u8 = 0xa7;

/// Tries it. Whoever gets an answer knows that it was survived.
pub(crate) fn attempt(number: u8) {
    let Some(attack) = Attack::ALL.get(usize::from(number)) else { return };
    match attack {
        Attack::Open => drop(std::fs::File::open("/etc/hostname")),
        Attack::Socket => drop(std::net::UdpSocket::bind("127.0.0.1:0")),
        Attack::MapExecutable => {
            let protection = ProtFlags::READ | ProtFlags::EXEC;
            // SAFETY: a new mapping that nobody uses.
            let _ = unsafe { mmap_anonymous(ptr::null_mut(), 4096, protection, MapFlags::PRIVATE) };
        }
        Attack::MakeExecutable => {
            // SAFETY: a new mapping that nobody uses.
            unsafe {
                let flags = MapFlags::PRIVATE;
                if let Ok(page) = mmap_anonymous(ptr::null_mut(), 4096, ProtFlags::READ, flags) {
                    let protection = rustix::mm::MprotectFlags::EXEC;
                    let _ = mprotect(page, 4096, protection);
                }
            }
        }
        // SAFETY: plain calls of the kernel with numbers and constant texts.
        Attack::Exec => unsafe {
            let none = [ptr::null()];
            libc::execve(c"/bin/konfido-attack".as_ptr(), none.as_ptr(), none.as_ptr());
        },
        // SAFETY: as above.
        Attack::Trace => unsafe {
            libc::ptrace(libc::PTRACE_ATTACH, libc::getppid(), 0, 0);
        },
        // SAFETY: as above; a child would end at once.
        Attack::Fork => unsafe {
            if libc::fork() == 0 {
                libc::_exit(0);
            }
        },
        // SAFETY: as above; signal 0 only asks.
        Attack::Kill => unsafe {
            libc::kill(libc::getpid(), 0);
        },
        // SAFETY: one byte into a buffer of ours.
        Attack::ReadParent => unsafe {
            let mut byte = 0_u8;
            let here = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
            let there = libc::iovec { iov_base: 4096 as *mut _, iov_len: 1 };
            libc::process_vm_readv(1, &raw const here, 1, &raw const there, 1, 0);
        },
    }
}
