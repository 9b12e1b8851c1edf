//! What this process owns: its executable memory and its compilers.
//!
//! A child of a fork must use neither what it has inherited, which is shared with its parent, nor
//! the locks, which another thread may have held. So all of it hangs on one pointer, and who finds
//! there the number of another process starts anew. What the child has inherited stays mapped:
//! code of the parent can still be called in the child.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, Once};

use crate::arena::{self, Arena};
use crate::compile::Compiler;

pub struct Process {
    id: i32,
    arena: Mutex<Arena>,
    /// Those that nobody uses right now; as many as there were threads compiling at once.
    compilers: Mutex<Vec<Compiler>>,
}

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());
static HANDLERS: Once = Once::new();

/// This process's own.
pub fn current() -> &'static Process {
    // SAFETY: what the pointer points to is never freed.
    let found = CURRENT.load(Ordering::Acquire);
    let id = unsafe { libc::getpid() };
    if let Some(process) = unsafe { found.as_ref() }
        && process.id == id
    {
        return process;
    }
    HANDLERS.call_once(|| {
        // SAFETY: the handler only counts. Should there be no memory for it, a place could be used
        // again while a child still has code there; forks of such a process fail anyway.
        unsafe { libc::pthread_atfork(Some(fork_happens), Some(fork_happens), None) };
    });
    let own = Box::into_raw(Box::new(Process {
        id,
        arena: Mutex::new(Arena::default()),
        compilers: Mutex::new(Vec::new()),
    }));
    match CURRENT.compare_exchange(found, own, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: as above.
        Ok(_) => unsafe { &*own },
        Err(other) => unsafe {
            drop(Box::from_raw(own));
            &*other
        },
    }
}

unsafe extern "C" fn fork_happens() {
    arena::fork_happens();
}

impl Process {
    pub fn arena(&self) -> MutexGuard<'_, Arena> {
        // A panic inside is a defect, but the maps are whole: each change of one is a single call.
        self.arena.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Lends a compiler. One that fails or panics is not taken back.
    pub fn with_compiler<T>(
        &self,
        work: impl FnOnce(&mut Compiler) -> Result<T, String>,
    ) -> Result<T, String> {
        let idle = self.idle().pop();
        let mut compiler = match idle {
            Some(compiler) => compiler,
            None => Compiler::new()?,
        };
        let result = work(&mut compiler)?;
        self.idle().push(compiler);
        Ok(result)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Compiler>> {
        self.compilers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
