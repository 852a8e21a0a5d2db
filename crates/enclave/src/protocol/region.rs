//! Memory that a node and its vault process share: one region beside each lane, for frames that are
//! too long to go through a socket twice. Nobody works on it: bytes are copied in by one end, copied out
//! by the other, and only the copy is looked at, because the other end may change the region at any time.

#![expect(unsafe_code, reason = "pages that no library maps, and copies of what others may change")]

use std::hint::black_box;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapped region. It is not `Sync`: a lane is one thread's at a time.
pub(crate) struct Region {
    start: NonNull<u8>,
}

// SAFETY: the mapping belongs to the value, and nothing of it to a thread.
unsafe impl Send for Region {}

impl Region {
    /// A new one, and what the other end maps it by.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let made = |flags| memfd_create("konfido-lane", MemfdFlags::CLOEXEC | flags);
        // kernels before 6.3 know no NOEXEC_SEAL
        let fd = made(MemfdFlags::NOEXEC_SEAL).or_else(|_| made(MemfdFlags::ALLOW_SEALING))?;
        ftruncate(&fd, SIZE as u64)?;
        fcntl_add_seals(&fd, SEALS)?;
        Ok((Self::map(fd.as_fd())?, fd))
    }

    /// The one that the other end made. A region that could become shorter would end whoever reads it.
    pub(crate) fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let sealed = fcntl_get_seals(fd).is_ok_and(|seals| seals.contains(SEALS));
        if !sealed || u64::try_from(fstat(fd)?.st_size) != Ok(SIZE as u64) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a region of a lane"));
        }
        Self::map(fd)
    }

    fn map(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; the seals keep its file as long as it is.
        let start = unsafe { mmap(ptr::null_mut(), SIZE, protection, MapFlags::SHARED, fd, 0)? };
        NonNull::new(start.cast()).map(|start| Self { start }).ok_or(io::ErrorKind::Other.into())
    }

    /// Copies the parts in, one behind the other. Only what is not longer than [`SIZE`] altogether.
    pub(crate) fn put(&mut self, parts: &[&[u8]]) {
        let mut at = 0;
        for part in parts {
            assert!(part.len() <= SIZE - at, "because callers look at the length");
            // SAFETY: the region is that long, and no reference leads into it, so that they do not overlap.
            unsafe {
                ptr::copy_nonoverlapping(part.as_ptr(), self.start.as_ptr().add(at), part.len());
            };
            at += part.len();
        }
    }

    /// Copies the first bytes out, behind what `into` holds.
    pub(crate) fn take(&self, length: usize, into: &mut Vec<u8>) {
        assert!(length <= SIZE, "because callers look at the length");
        into.reserve_exact(length);
        let end = into.len();
        // SAFETY: the vector has that much room, and the region is that long. Whatever the other end
        // writes meanwhile, bytes are bytes; the compiler cannot know whence they came, so that it
        // never looks at the region again in their stead.
        unsafe {
            let copy = black_box(into.as_mut_ptr().add(end));
            ptr::copy_nonoverlapping(black_box(self.start.as_ptr()), copy, length);
            into.set_len(end + length);
        }
        black_box(into);
    }

    /// Writes zeros over the first bytes.
    pub(crate) fn wipe(&mut self, length: usize) {
        assert!(length <= SIZE, "because callers look at the length");
        // SAFETY: the region is that long. Nothing drops the writes: the other end may read them.
        unsafe { ptr::write_bytes(black_box(self.start.as_ptr()), 0, length) };
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing leads into it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), SIZE) };
    }
}

/// Bytes of a region. Pages are taken when they are first used.
pub(crate) const SIZE: usize = 1 << 20;
/// Neither end can make it shorter or longer any more, or take this back.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
