//! The tools that read other processes: `/proc/PID/mem`, `process_vm_readv`, ptrace.

#![expect(unsafe_code, reason = "the calls that a debugger makes")]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Eight bytes by each of the three ways.
pub fn three_ways(pid: u32, at: u64) -> [(&'static str, Result<(), io::Error>); 3] {
    [
        ("/proc/PID/mem", by_mem(pid, at)),
        ("process_vm_readv", by_vm(pid, at)),
        ("ptrace", by_trace(pid, at)),
    ]
}

fn by_mem(pid: u32, at: u64) -> io::Result<()> {
    File::open(format!("/proc/{pid}/mem"))?.read_exact_at(&mut [0; 8], at)
}

fn by_vm(pid: u32, at: u64) -> io::Result<()> {
    let mut bytes = [0_u8; 8];
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: 8 };
    let there = libc::iovec { iov_base: at as *mut _, iov_len: 8 };
    // SAFETY: the local buffer has its length; the other one is in another process.
    let read = unsafe {
        libc::process_vm_readv(pid.cast_signed(), &raw const here, 1, &raw const there, 1, 0)
    };
    if read == 8 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn by_trace(pid: u32, at: u64) -> io::Result<()> {
    let pid = pid.cast_signed();
    let failed = || Err(io::Error::last_os_error());
    // SAFETY: plain calls of the kernel with numbers; the process goes on afterwards.
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) == -1 {
            return failed();
        }
        libc::ptrace(libc::PTRACE_INTERRUPT, pid, 0, 0);
        libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL);
        *libc::__errno_location() = 0;
        libc::ptrace(libc::PTRACE_PEEKDATA, pid, at, 0);
        let said = io::Error::last_os_error();
        libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0);
        if said.raw_os_error() == Some(0) { Ok(()) } else { Err(said) }
    }
}
