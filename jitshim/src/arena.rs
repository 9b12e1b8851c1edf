//! Executable memory: where code lies, and when its place may be used again.
//!
//! A chunk is one piece of memory seen twice: where it is written it cannot be executed, where it
//! is executed it cannot be written. So no page ever changes its protection, which another thread
//! could be executing in. Where a host forbids that, each program gets pages of its own, which are
//! made executable once they are written; where that is forbidden too, there is no code.
//!
//! A chunk is shared with the children of a fork, so that neither may write where the other
//! has code. A child starts with an arena of its own (`process.rs`). In the parent a fork closes
//! all chunks: what is freed in them later is not used again, and a closed chunk goes as a whole
//! once nothing in it is live.

use std::collections::{BTreeMap, HashMap};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

const CHUNK_BYTES: usize = 1 << 20;
const PAGE_BYTES: usize = 4096;
/// What places are multiples of: a line of the cache, which holds the smallest function.
const GRAIN_BYTES: usize = 64;
/// What freed code is filled with. Executing it traps.
#[cfg(target_arch = "x86_64")]
const TRAP: u8 = 0xCC;
#[cfg(not(target_arch = "x86_64"))]
const TRAP: u8 = 0;

/// How many forks there were. It counts before a fork and after it, so that whatever is placed in
/// between belongs to neither side's open chunks.
static FORKS: AtomicU64 = AtomicU64::new(0);
/// Never given twice, also not by a child: a handle of the parent must mean nothing there.
static HANDLES: AtomicU64 = AtomicU64::new(1);

pub extern "C" fn fork_happens() {
    FORKS.fetch_add(1, Ordering::SeqCst);
}

struct Chunk {
    written: usize,
    executed: usize,
    bytes: usize,
    /// Free places by offset. Invariant: no two touch.
    free: BTreeMap<usize, usize>,
    live: usize,
    /// `FORKS` when it was made; the chunk is open as long as that is still the number.
    forks: u64,
}

enum Piece {
    InChunk { executed: usize, offset: usize, bytes: usize },
    Pages { address: usize, bytes: usize },
}

/// A place with code in it.
pub struct Placed {
    pub address: u64,
    pub handle: u64,
}

#[derive(Default)]
pub struct Arena {
    chunks: Vec<Chunk>,
    live: HashMap<u64, (Piece, Box<[u64]>)>,
    used: usize,
    pages: usize,
    /// Do not try chunks.
    pages_only: bool,
}

impl Arena {
    /// Copies code to where it can be executed; None if there is no such memory. `table` is kept
    /// as long as the code.
    pub fn place(&mut self, code: &[u8], table: Box<[u64]>) -> Option<Placed> {
        let bytes = code.len().next_multiple_of(GRAIN_BYTES);
        let piece = match self.place_in_chunk(code, bytes) {
            Some(piece) => piece,
            None => place_in_pages(code)?,
        };
        let address = match piece {
            Piece::InChunk { executed, offset, .. } => executed + offset,
            Piece::Pages { address, .. } => address,
        };
        match piece {
            Piece::InChunk { bytes, .. } => self.used += bytes,
            Piece::Pages { bytes, .. } => {
                self.used += bytes;
                self.pages += bytes;
            }
        }
        synchronize(address, code.len());
        let handle = HANDLES.fetch_add(1, Ordering::Relaxed);
        self.live.insert(handle, (piece, table));
        Some(Placed { address: address as u64, handle })
    }

    /// The table of a live piece, to be filled.
    pub fn table(&mut self, handle: u64) -> Option<&mut [u64]> {
        self.live.get_mut(&handle).map(|(_, table)| &mut **table)
    }

    /// Gives a place back; false if there is no such handle (any more).
    pub fn free(&mut self, handle: u64) -> bool {
        let Some((piece, _)) = self.live.remove(&handle) else { return false };
        match piece {
            Piece::Pages { address, bytes } => {
                self.used -= bytes;
                self.pages -= bytes;
                // SAFETY: the pages are this arena's own, and nobody executes in them.
                unsafe { libc::munmap(address as *mut libc::c_void, bytes) };
            }
            Piece::InChunk { executed, offset, bytes } => {
                self.used -= bytes;
                let found = self.chunks.iter().position(|one| one.executed == executed);
                let at = found.expect("a chunk stays as long as a piece in it");
                self.chunks[at].give_back(offset, bytes);
                if self.chunks[at].live == 0
                    && (self.chunks.len() > 1 || !self.chunks[at].is_open())
                {
                    self.chunks.swap_remove(at).unmap();
                }
            }
        }
        true
    }

    /// Bytes in use and reserved, and how many programs are live.
    pub fn stats(&self) -> (u64, u64, u64) {
        let reserved = self.pages + self.chunks.iter().map(|one| one.bytes).sum::<usize>();
        (self.used as u64, reserved as u64, self.live.len() as u64)
    }

    fn place_in_chunk(&mut self, code: &[u8], bytes: usize) -> Option<Piece> {
        if self.pages_only {
            return None;
        }
        let fits = |one: &&mut Chunk| one.is_open() && one.free.values().any(|&have| have >= bytes);
        if let Some(chunk) = self.chunks.iter_mut().find(fits) {
            return chunk.put(code, bytes);
        }
        let Some(mut chunk) = Chunk::new(bytes.next_multiple_of(CHUNK_BYTES)) else {
            // It is the host that forbids it, and it will not change its mind.
            self.pages_only = self.chunks.is_empty();
            return None;
        };
        let piece = chunk.put(code, bytes);
        self.chunks.push(chunk);
        piece
    }
}

impl Chunk {
    fn new(bytes: usize) -> Option<Chunk> {
        // SAFETY: fresh mappings of a fresh file; nothing that exists is touched.
        unsafe {
            let file = libc::memfd_create(c"iris-jit".as_ptr(), libc::MFD_CLOEXEC);
            if file < 0 {
                return None;
            }
            let sized = libc::ftruncate(file, bytes as libc::off_t) == 0;
            let view = |protection| {
                libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, file, 0)
            };
            let (mut written, mut executed) = (libc::MAP_FAILED, libc::MAP_FAILED);
            if sized {
                written = view(libc::PROT_READ | libc::PROT_WRITE);
                executed = view(libc::PROT_READ | libc::PROT_EXEC);
            }
            libc::close(file);
            let chunk = Chunk {
                written: written as usize,
                executed: executed as usize,
                bytes,
                free: BTreeMap::from([(0, bytes)]),
                live: 0,
                forks: FORKS.load(Ordering::SeqCst),
            };
            if written == libc::MAP_FAILED || executed == libc::MAP_FAILED {
                chunk.unmap();
                return None;
            }
            Some(chunk)
        }
    }

    fn is_open(&self) -> bool {
        self.forks == FORKS.load(Ordering::SeqCst)
    }

    fn put(&mut self, code: &[u8], bytes: usize) -> Option<Piece> {
        let (&offset, &have) = self.free.iter().find(|&(_, &have)| have >= bytes)?;
        self.free.remove(&offset);
        if have > bytes {
            self.free.insert(offset + bytes, have - bytes);
        }
        self.live += 1;
        // SAFETY: the place is inside the chunk and was free, so nobody executes in it.
        unsafe {
            let place = (self.written + offset) as *mut u8;
            ptr::write_bytes(place, TRAP, bytes);
            ptr::copy_nonoverlapping(code.as_ptr(), place, code.len());
        }
        Some(Piece::InChunk { executed: self.executed, offset, bytes })
    }

    fn give_back(&mut self, mut offset: usize, mut bytes: usize) {
        self.live -= 1;
        if !self.is_open() {
            return;
        }
        // SAFETY: as in `put`: the code there is free, nobody is inside it.
        unsafe { ptr::write_bytes((self.written + offset) as *mut u8, TRAP, bytes) };
        if let Some((&before, &have)) = self.free.range(..offset).next_back()
            && before + have == offset
        {
            self.free.remove(&before);
            (offset, bytes) = (before, have + bytes);
        }
        if let Some(have) = self.free.remove(&(offset + bytes)) {
            bytes += have;
        }
        self.free.insert(offset, bytes);
    }

    fn unmap(self) {
        for view in [self.written, self.executed] {
            if view != libc::MAP_FAILED as usize {
                // SAFETY: the view is this chunk's own and nothing in it is live.
                unsafe { libc::munmap(view as *mut libc::c_void, self.bytes) };
            }
        }
    }
}

fn place_in_pages(code: &[u8]) -> Option<Piece> {
    let bytes = code.len().next_multiple_of(PAGE_BYTES);
    // SAFETY: a fresh mapping; it is written before it is executable and never again.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let place = libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0);
        if place == libc::MAP_FAILED {
            return None;
        }
        ptr::copy_nonoverlapping(code.as_ptr(), place.cast(), code.len());
        if libc::mprotect(place, bytes, libc::PROT_READ | libc::PROT_EXEC) != 0 {
            libc::munmap(place, bytes);
            return None;
        }
        Some(Piece::Pages { address: place as usize, bytes })
    }
}

/// Makes what was written visible to where it is executed. x86-64 does so by itself.
#[cfg(target_arch = "x86_64")]
fn synchronize(_address: usize, _bytes: usize) {}

#[cfg(target_arch = "aarch64")]
fn synchronize(address: usize, bytes: usize) {
    use std::arch::asm;
    // 16 is the smallest line there is; the addresses are readable, and cleaning changes nothing.
    let lines = || (address & !15..address + bytes).step_by(16);
    unsafe {
        lines().for_each(|line| asm!("dc cvau, {}", in(reg) line));
        asm!("dsb ish");
        lines().for_each(|line| asm!("ic ivau, {}", in(reg) line));
        asm!("dsb ish", "isb");
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::sync::{Mutex, MutexGuard};

    /// A fork is one of the whole process: tests that fork and tests that expect none take turns.
    pub fn turn() -> MutexGuard<'static, ()> {
        static FORKING: Mutex<()> = Mutex::new(());
        FORKING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn place(arena: &mut Arena, bytes: usize) -> Placed {
        arena.place(&vec![0x90; bytes], Box::new([])).expect("memory for code")
    }

    #[test]
    fn freed_places_are_used_again_and_grow_together() {
        let _turn = turn();
        let mut arena = Arena::default();
        let three = [place(&mut arena, 64), place(&mut arena, 100), place(&mut arena, 1)];
        assert_eq!(arena.stats(), (64 + 128 + 64, CHUNK_BYTES as u64, 3));
        for one in &three {
            assert!(arena.free(one.handle));
            assert!(!arena.free(one.handle));
        }
        assert_eq!(place(&mut arena, 256).address, three[0].address);
    }

    #[test]
    fn churn_of_all_sizes_does_not_grow() {
        let _turn = turn();
        let mut arena = Arena::default();
        let mut live = std::collections::VecDeque::new();
        let mut seed = 1u64;
        for _ in 0..50_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            live.push_back(place(&mut arena, 1 + (seed >> 33) as usize % 3000).handle);
            if live.len() > 300 {
                let at = (seed >> 40) as usize % live.len();
                assert!(live.swap_remove_back(at).is_some_and(|handle| arena.free(handle)));
            }
        }
        assert!(arena.stats().1 <= 2 * CHUNK_BYTES as u64, "{:?}", arena.stats());
        live.into_iter().for_each(|handle| assert!(arena.free(handle)));
        assert_eq!(arena.stats(), (0, CHUNK_BYTES as u64, 0));
    }

    #[test]
    fn a_program_larger_than_a_chunk_has_one_of_its_own() {
        let _turn = turn();
        let mut arena = Arena::default();
        let small = place(&mut arena, 64);
        let large = place(&mut arena, CHUNK_BYTES + 1);
        assert_eq!(arena.stats().1, 3 * CHUNK_BYTES as u64);
        assert!(arena.free(large.handle));
        assert_eq!(arena.stats().1, CHUNK_BYTES as u64);
        assert!(arena.free(small.handle));
    }

    #[test]
    fn after_a_fork_nothing_is_written_where_the_child_has_code() {
        let _turn = turn();
        let mut arena = Arena::default();
        let before = place(&mut arena, 64);
        let kept = place(&mut arena, 64);
        fork_happens();
        assert!(arena.free(before.handle));
        // SAFETY: the chunk is still mapped, because `kept` is in it.
        assert_eq!(unsafe { *(before.address as *const u8) }, 0x90);
        let after = place(&mut arena, 64);
        assert_eq!(arena.stats().1, 2 * CHUNK_BYTES as u64);
        assert!(arena.free(kept.handle));
        assert_eq!(arena.stats().1, CHUNK_BYTES as u64, "the closed chunk is gone");
        assert!(arena.free(after.handle));
    }

    #[test]
    fn pages_serve_where_chunks_are_forbidden() {
        let mut arena = Arena { pages_only: true, ..Arena::default() };
        let one = place(&mut arena, 5000);
        assert_eq!(arena.stats(), (8192, 8192, 1));
        assert!(arena.free(one.handle));
        assert_eq!(arena.stats(), (0, 0, 0));
    }
}
