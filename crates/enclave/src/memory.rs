//! The memory of a vault process: everything small that it allocates, and with it every key, lies in
//! `memfd_secret` pages between guard pages. The kernel itself has no mapping of them, so that
//! `/proc/PID/mem`, `process_vm_readv`, ptrace and core dumps read nothing, not even for root. What it
//! does not stop: whoever makes the process itself run other code (docs/threat-model.md).
//!
//! Large buffers (documents on their way) and stacks are ordinary memory.

#![expect(unsafe_code, reason = "an allocator, and pages that no library maps")]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use rustix::process::{Resource, getrlimit};
use talc::TalcLock;
use talc::lock_api::{GuardSend, RawMutex};
use talc::source::Manual;

use crate::Memory;

static ARENA: TalcLock<Spin, Manual> = TalcLock::new(Manual);
static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);

/// The global allocator of a program that can become a vault process; `A` is that of all others.
pub struct Heap<A>(pub A);

impl<A> std::fmt::Debug for Heap<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Heap")
    }
}

/// Whether the address lies in the arena.
fn ours(at: *const u8) -> bool {
    let at = at as usize;
    at >= START.load(Ordering::Relaxed) && at < END.load(Ordering::Relaxed)
}

/// Bytes of secret memory that there are; 0 without.
pub(crate) fn secret() -> usize {
    END.load(Ordering::Relaxed) - START.load(Ordering::Relaxed)
}

/// Whether an allocation of this size belongs into the arena.
fn small(size: usize) -> bool {
    size <= SMALL && END.load(Ordering::Relaxed) != 0
}

// SAFETY: every pointer goes back to the allocator that gave it, by its address.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heap<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if small(layout.size()) {
            // SAFETY: as the caller's. A full arena gives null: a key goes nowhere else.
            unsafe { ARENA.alloc(layout) }
        } else {
            // SAFETY: as the caller's.
            unsafe { self.0.alloc(layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if small(layout.size()) {
            // SAFETY: as the caller's.
            unsafe { ARENA.alloc_zeroed(layout) }
        } else {
            // SAFETY: as the caller's.
            unsafe { self.0.alloc_zeroed(layout) }
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if ours(at) {
            // SAFETY: the arena gave it.
            unsafe { ARENA.dealloc(at, layout) }
        } else {
            // SAFETY: the other allocator gave it.
            unsafe { self.0.dealloc(at, layout) }
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (ours(at), small(size)) {
            // SAFETY: the arena gave it and keeps it.
            (true, true) => unsafe { ARENA.realloc(at, layout, size) },
            // SAFETY: the other allocator gave it and keeps it.
            (false, false) => unsafe { self.0.realloc(at, layout, size) },
            _ => {
                // SAFETY: the new layout has the old alignment and the size that the caller vouches for.
                let made =
                    unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
                if !made.is_null() {
                    // SAFETY: both are that long and of different allocators; the old one is given back.
                    unsafe {
                        ptr::copy_nonoverlapping(at, made, layout.size().min(size));
                        ptr::write_bytes(at, 0, layout.size());
                        self.dealloc(at, layout);
                    }
                }
                made
            }
        }
    }
}

/// Makes the arena. First thing in a vault process, before there is a second thread or a key.
pub(crate) fn enter() -> Memory {
    settle();
    let Some((start, size)) = map() else { return Memory::Ordinary };
    // SAFETY: the pages are mapped for this and used by nobody else.
    if unsafe { ARENA.lock().claim(start, size) }.is_none() {
        return Memory::Ordinary;
    }
    START.store(start as usize, Ordering::Relaxed);
    END.store(start as usize + size, Ordering::Relaxed);
    // SAFETY: these three functions fit each other, and aws-lc has allocated nothing yet.
    unsafe {
        aws_lc_sys::CRYPTO_set_mem_functions(Some(lc_malloc), Some(lc_realloc), Some(lc_free));
    }
    Memory::Secret
}

/// glibc reads a file (`vm.overcommit_memory`) before it gives the end of a thread's heap back, which would be
/// the end of a vault that may open nothing: it never gives any back. What is longer than a document usually is
/// has pages of its own, and gives them back.
fn settle() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the calls take two numbers, and there is one thread.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, c_int::MAX);
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_PAGES);
    }
}

/// Secret pages between two guard pages; `None` where the kernel has none for us.
fn map() -> Option<(*mut u8, usize)> {
    let locked = getrlimit(Resource::Memlock).current.unwrap_or(u64::MAX);
    let size = usize::try_from(locked / 2).ok()?.min(LARGEST) / PAGE * PAGE;
    if size < SMALLEST {
        return None;
    }
    // SAFETY: the call takes flags and gives a descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
    let fd = c_int::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the descriptor was just made, and is owned by nobody else.
    let fd = unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) };
    rustix::fs::ftruncate(&fd, size as u64).ok()?;
    // SAFETY: new mappings; the second replaces the middle of the first.
    unsafe {
        let whole = size + 2 * PAGE;
        let reserved =
            mmap_anonymous(ptr::null_mut(), whole, ProtFlags::empty(), MapFlags::PRIVATE).ok()?;
        let start = reserved.cast::<u8>().add(PAGE);
        let flags = MapFlags::SHARED | MapFlags::FIXED;
        let mapped =
            mmap(start.cast(), size, ProtFlags::READ | ProtFlags::WRITE, flags, &fd, 0).ok()?;
        Some((mapped.cast(), size))
    }
}

/// How long an allocation of aws-lc is stands in front of it.
const LENGTH: usize = 16;

unsafe extern "C" fn lc_malloc(size: usize, _: *const c_char, _: c_int) -> *mut c_void {
    let Some(layout) = lc_layout(size) else { return ptr::null_mut() };
    // SAFETY: the layout is not empty; its first bytes are ours.
    unsafe {
        let made = std::alloc::alloc(layout);
        let Some(made) = NonNull::new(made) else { return ptr::null_mut() };
        made.cast::<usize>().write(size);
        made.add(LENGTH).as_ptr().cast()
    }
}

unsafe extern "C" fn lc_realloc(
    at: *mut c_void,
    size: usize,
    file: *const c_char,
    line: c_int,
) -> *mut c_void {
    // SAFETY: `at` is null or came from `lc_malloc`, with its length in front.
    unsafe {
        let made = lc_malloc(size, file, line);
        if !at.is_null() && !made.is_null() {
            let length = at.byte_sub(LENGTH).cast::<usize>().read();
            ptr::copy_nonoverlapping(at.cast::<u8>(), made.cast(), length.min(size));
            lc_free(at, file, line);
        }
        made
    }
}

unsafe extern "C" fn lc_free(at: *mut c_void, _: *const c_char, _: c_int) {
    if at.is_null() {
        return;
    }
    // SAFETY: `at` came from `lc_malloc`, with its length in front.
    unsafe {
        let whole = at.byte_sub(LENGTH);
        let size = whole.cast::<usize>().read();
        ptr::write_bytes(at.cast::<u8>(), 0, size);
        if let Some(layout) = lc_layout(size) {
            std::alloc::dealloc(whole.cast(), layout);
        }
    }
}

fn lc_layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(LENGTH)?, LENGTH).ok()
}

/// Held for the time of one allocation.
#[derive(Debug)]
pub struct Spin(AtomicBool);

// SAFETY: one thread at a time gets `true` out of the exchange, until it is undone.
unsafe impl RawMutex for Spin {
    const INIT: Self = Self(AtomicBool::new(false));
    type GuardMarker = GuardSend;

    fn lock(&self) {
        while !self.try_lock() {
            std::thread::yield_now();
        }
    }

    fn try_lock(&self) -> bool {
        self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    unsafe fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Longest allocation that lies in the arena, in bytes: longer than any key.
const SMALL: usize = 16 << 10;
/// Shortest allocation that does not.
pub(crate) const LARGE: usize = SMALL + 1;
const PAGE: usize = 4096;
/// From this length on an allocation has pages of its own.
#[cfg(target_env = "gnu")]
const OWN_PAGES: c_int = 2 << 20;
/// Bytes of the arena: sessions take most of it, 2 kB each, 32 for each country.
const LARGEST: usize = 16 << 20;
const SMALLEST: usize = 1 << 20;
