//! An allocator that counts blocks by their size, once it is told to.

#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// Blocks of more bytes than this are counted together.
pub(crate) const LARGE: usize = 16 << 10;

/// How many numbers there are to read.
pub(crate) const NUMBERS: usize = 2 + 2 * (LARGE + 2);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Off, so that a server whose instructions are counted is spared.
static ON: AtomicBool = AtomicBool::new(false);

/// Bytes asked for, and bytes in use; then how many blocks of each size were asked for, and how
/// many are in use. Numbers in use may wrap below zero: what was there before counting began is
/// unknown, and only differences mean something.
static COUNTS: [AtomicU64; NUMBERS] = [const { AtomicU64::new(0) }; NUMBERS];

const ASKED: usize = 0;
const USED: usize = 1;
const ASKED_BLOCKS: usize = 2;
const USED_BLOCKS: usize = ASKED_BLOCKS + LARGE + 2;

/// Counts from now on.
pub(crate) fn start() {
    ON.store(true, Relaxed);
}

/// One of the [`NUMBERS`].
pub(crate) fn number(index: usize) -> u64 {
    COUNTS[index].load(Relaxed)
}

/// The heap at one moment, in bytes as asked for: without what the heap adds for itself.
pub(crate) struct Snapshot(pub(crate) Vec<u64>);

/// What happened between two moments.
pub(crate) struct Change {
    /// Bytes asked for.
    pub(crate) asked: i64,
    /// Bytes in use, more than before.
    pub(crate) used: i64,
    /// Blocks asked for, by size; those over [`LARGE`] come as `LARGE + 1`. To grow one counts too.
    pub(crate) asked_blocks: Vec<i64>,
    /// Blocks in use, more than before, by size.
    pub(crate) used_blocks: Vec<i64>,
}

/// Sizes that make up most, as `3×160` for three blocks of 160 bytes each per unit.
pub(crate) fn largest(blocks: &[i64], units: usize) -> String {
    let mut sizes: Vec<(usize, i64)> = blocks.iter().copied().enumerate().take(LARGE + 1).collect();
    sizes.retain(|(_, count)| 2 * count.unsigned_abs() as usize >= units);
    sizes.sort_by_key(|(size, count)| std::cmp::Reverse(*size as i64 * count));
    let named =
        sizes.iter().take(12).map(|(size, count)| match (*count as f64 / units as f64).round() {
            1. => format!("{size}"),
            count => format!("{count}×{size}"),
        });
    named.collect::<Vec<_>>().join(" ")
}

impl Snapshot {
    pub(crate) fn since(&self, before: &Self) -> Change {
        let change = |index: usize| self.0[index].wrapping_sub(before.0[index]) as i64;
        let blocks = |from: usize| (from..from + LARGE + 2).map(change).collect();
        Change {
            asked: change(ASKED),
            used: change(USED),
            asked_blocks: blocks(ASKED_BLOCKS),
            used_blocks: blocks(USED_BLOCKS),
        }
    }
}

struct Counting;

fn count_block(size: usize) {
    if ON.load(Relaxed) {
        COUNTS[ASKED].fetch_add(size as u64, Relaxed);
        COUNTS[USED].fetch_add(size as u64, Relaxed);
        COUNTS[ASKED_BLOCKS + size.min(LARGE + 1)].fetch_add(1, Relaxed);
        COUNTS[USED_BLOCKS + size.min(LARGE + 1)].fetch_add(1, Relaxed);
    }
}

fn count_release(size: usize) {
    if ON.load(Relaxed) {
        COUNTS[USED].fetch_sub(size as u64, Relaxed);
        COUNTS[USED_BLOCKS + size.min(LARGE + 1)].fetch_sub(1, Relaxed);
    }
}

// SAFETY: every call goes to `System` as it came, and so does every answer. Counting allocates
// nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_block(layout.size());
        // SAFETY: the caller keeps the contract of the same function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_block(layout.size());
        // SAFETY: the caller keeps the contract of the same function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_release(layout.size());
        // SAFETY: the caller keeps the contract of the same function.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_release(layout.size());
        count_block(size);
        // SAFETY: the caller keeps the contract of the same function.
        unsafe { System.realloc(block, layout, size) }
    }
}
