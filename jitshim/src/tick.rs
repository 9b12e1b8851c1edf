//! What a call has while it runs, and what happens when a loop has used up its fuel.
//!
//! Reading a clock in a loop would cost more than most loops, so a loop counts down instead: fuel
//! is handed out for a time that is estimated from how long the last lot has taken. Here, and
//! nowhere else, `tick` is called; it may take the interpreter's lock, switch greenlets, or end
//! the thread by unwinding it. So there is no lock, no `Drop` and no `catch_unwind` around it, and
//! everything about a call lies in the call's own frame: nobody else may keep a pointer to it.

use std::cell::Cell;

use crate::ops::{CALLS_OPEN_MAX, STATUS_INTERRUPTED};

pub type Tick = extern "C" fn() -> i32;
type Entry = unsafe extern "C" fn(*mut Frame, *const u64, *mut u64) -> i32;

/// About a microsecond, so that a short call never reads the clock.
const FUEL_FIRST: i64 = 2048;
/// A lot is never larger than this many times the one before: that one may have been a fluke.
const FUEL_GROWTH_MOST: i64 = 8;
const FUEL_LEAST: i64 = 64;
/// A tick waits for the interpreter's lock, and whoever holds it is slowed down as well. So it
/// comes after ten times as long as the last one has taken, but not more seldom than this.
const PERIOD_MOST_NS: u64 = 50_000_000;
/// Without a tick. No loop counts this down in a lifetime.
const FUEL_ENDLESS: i64 = i64::MAX / 2;
/// Below this much stack nothing is called any more. It is room for a function of the C library.
const STACK_RESERVE_BYTES: usize = 16 << 10;

/// What the machine code of one call shares with this file. Invariant: it reads and writes
/// only the first three fields, whose offsets stand below.
#[repr(C)]
pub struct Frame {
    /// What is left; negative after a tick: end the call.
    fuel: i64,
    /// The stack pointer must not be below this.
    stack_least: u64,
    calls_open: i64,
    tick: Option<Tick>,
    period_ns: u64,
    /// The size of the current lot.
    given: i64,
    /// When it was handed out; 0 before the first tick.
    given_at_ns: u64,
    /// How long the loops have run, without the ticks.
    ran_ns: u64,
    /// The next tick is due when they have run for so long.
    due_ns: u64,
}

pub const FRAME_FUEL: i32 = std::mem::offset_of!(Frame, fuel) as i32;
pub const FRAME_STACK_LEAST: i32 = std::mem::offset_of!(Frame, stack_least) as i32;
pub const FRAME_CALLS_OPEN: i32 = std::mem::offset_of!(Frame, calls_open) as i32;
const _: () = assert!(CALLS_OPEN_MAX > 0 && STATUS_INTERRUPTED > 0);

/// Calls an entry, with a frame of its own.
///
/// # Safety
/// `entry` comes from a program that is not freed; `args` and `results` are as long as it needs.
pub unsafe fn call(
    entry: u64,
    args: *const u64,
    results: *mut u64,
    tick: Option<Tick>,
    first_ns: u64,
    period_ns: u64,
) -> i32 {
    let fuel = if tick.is_some() { FUEL_FIRST } else { FUEL_ENDLESS };
    let mut frame = Frame {
        fuel,
        stack_least: stack_least(),
        calls_open: 0,
        tick,
        period_ns,
        given: fuel,
        given_at_ns: 0,
        ran_ns: 0,
        due_ns: first_ns,
    };
    // SAFETY: the address is that of a function of this type.
    let entry: Entry = unsafe { std::mem::transmute(entry as usize) };
    unsafe { entry(&raw mut frame, args, results) }
}

/// The address that machine code calls, by the convention of `emit::TICK_CONVENTION`, when fuel has
/// run out.
pub fn address() -> usize {
    entry_of_tick as *const () as usize
}

/// Hands out the next lot of fuel, and calls the tick when it is due.
unsafe extern "C" fn refuel(frame: *mut Frame) {
    // SAFETY: the frame is that of `call`, further down this very stack.
    let frame = unsafe { &mut *frame };
    let now_ns = clock_ns();
    if frame.given_at_ns == 0 {
        // How long the first lot has taken is not known, since nobody has read the clock.
        frame.given_at_ns = now_ns;
        frame.fuel = FUEL_FIRST;
        return;
    }
    let took_ns = now_ns.saturating_sub(frame.given_at_ns).max(1);
    frame.ran_ns = frame.ran_ns.saturating_add(took_ns);
    // A tenth early is better than another lot for the rest.
    if frame.ran_ns.saturating_add(took_ns / 10) >= frame.due_ns
        && let Some(tick) = frame.tick
    {
        if tick() != 0 {
            frame.fuel = -1;
            return;
        }
        let waited_ns = clock_ns().saturating_sub(now_ns);
        let least_ns = frame.period_ns.max(1);
        let wait_ns = waited_ns.saturating_mul(10).min(PERIOD_MOST_NS).max(least_ns);
        frame.due_ns = frame.ran_ns.saturating_add(wait_ns);
    }
    // At most four times of what has run so far, for the same reason as above.
    let wanted_ns = frame.due_ns.saturating_sub(frame.ran_ns).min(frame.ran_ns.saturating_mul(4));
    let fuel = frame.given as f64 / took_ns as f64 * wanted_ns as f64;
    let most = frame.given.saturating_mul(FUEL_GROWTH_MOST).min(1 << 40);
    frame.given = (fuel as i64).clamp(FUEL_LEAST, most.max(FUEL_LEAST));
    frame.fuel = frame.given;
    frame.given_at_ns = clock_ns();
}

/// `refuel` without touching a register, so that the loop that calls it keeps all of its own: under
/// the usual convention every double that lives in the loop would be spilled in each round.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn entry_of_tick(_frame: *mut Frame) {
    core::arch::naked_asm!(
        "push rax",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "sub rsp, 256",
        "movups [rsp], xmm0",
        "movups [rsp + 16], xmm1",
        "movups [rsp + 32], xmm2",
        "movups [rsp + 48], xmm3",
        "movups [rsp + 64], xmm4",
        "movups [rsp + 80], xmm5",
        "movups [rsp + 96], xmm6",
        "movups [rsp + 112], xmm7",
        "movups [rsp + 128], xmm8",
        "movups [rsp + 144], xmm9",
        "movups [rsp + 160], xmm10",
        "movups [rsp + 176], xmm11",
        "movups [rsp + 192], xmm12",
        "movups [rsp + 208], xmm13",
        "movups [rsp + 224], xmm14",
        "movups [rsp + 240], xmm15",
        "call {refuel}",
        "movups xmm0, [rsp]",
        "movups xmm1, [rsp + 16]",
        "movups xmm2, [rsp + 32]",
        "movups xmm3, [rsp + 48]",
        "movups xmm4, [rsp + 64]",
        "movups xmm5, [rsp + 80]",
        "movups xmm6, [rsp + 96]",
        "movups xmm7, [rsp + 112]",
        "movups xmm8, [rsp + 128]",
        "movups xmm9, [rsp + 144]",
        "movups xmm10, [rsp + 160]",
        "movups xmm11, [rsp + 176]",
        "movups xmm12, [rsp + 192]",
        "movups xmm13, [rsp + 208]",
        "movups xmm14, [rsp + 224]",
        "movups xmm15, [rsp + 240]",
        "add rsp, 256",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rax",
        "ret",
        refuel = sym refuel,
    )
}

#[cfg(not(target_arch = "x86_64"))]
unsafe extern "C" fn entry_of_tick(frame: *mut Frame) {
    unsafe { refuel(frame) }
}

fn clock_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux and the pointer is good, so it cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

thread_local! {
    /// The lowest and the highest address of this thread's stack; 0, 0 before they are asked for.
    static STACK: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// How low the stack pointer of this thread may get.
///
/// A greenlet runs on the stack of its thread, so the thread's bounds are its own. Whoever runs on
/// another stack, of his own making, gets as much below as the reserve is: nobody knows its end.
fn stack_least() -> u64 {
    let marker = 0u8;
    let here = &raw const marker as usize;
    let mut bounds = STACK.get();
    if bounds.1 == 0 {
        bounds = stack_bounds().unwrap_or((1, 1));
        STACK.set(bounds);
    }
    let least = if (bounds.0..bounds.1).contains(&here) {
        bounds.0
    } else {
        here - 2 * STACK_RESERVE_BYTES
    };
    (least + STACK_RESERVE_BYTES) as u64
}

/// Asks the C library, which for the main thread reads a file of /proc: once a thread, then.
fn stack_bounds() -> Option<(usize, usize)> {
    // SAFETY: the attributes are filled by the first call and freed by the last.
    unsafe {
        let mut attributes = std::mem::zeroed::<libc::pthread_attr_t>();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let (mut low, mut bytes) = (std::ptr::null_mut(), 0);
        let failed =
            libc::pthread_attr_getstack(&raw const attributes, &raw mut low, &raw mut bytes);
        libc::pthread_attr_destroy(&raw mut attributes);
        (failed == 0).then(|| (low as usize, low as usize + bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    static TICKS: AtomicU64 = AtomicU64::new(0);

    extern "C" fn count() -> i32 {
        TICKS.fetch_add(1, Ordering::Relaxed);
        0
    }

    extern "C" fn stop() -> i32 {
        1
    }

    fn frame(tick: Tick, first_ns: u64, period_ns: u64) -> Frame {
        Frame {
            fuel: 0,
            stack_least: 0,
            calls_open: 0,
            tick: Some(tick),
            period_ns,
            given: FUEL_FIRST,
            given_at_ns: 0,
            ran_ns: 0,
            due_ns: first_ns,
        }
    }

    #[test]
    fn the_stack_is_the_one_that_this_runs_on() {
        for bytes in [64 << 10, 1 << 20] {
            let thread = std::thread::Builder::new().stack_size(bytes).spawn(move || {
                let marker = 0u8;
                let here = &raw const marker as u64;
                let least = stack_least();
                assert!(least < here, "there is room below");
                assert!(here - least < bytes as u64, "and less than the whole stack");
            });
            thread.expect("a thread").join().expect("its checks");
        }
    }

    #[test]
    fn lots_grow_until_a_tick_is_due_and_then_last_a_period() {
        let mut frame = frame(count, 2_000_000, 1_000_000);
        let start = clock_ns();
        while TICKS.load(Ordering::Relaxed) < 5 {
            unsafe { refuel(&raw mut frame) };
            assert!(frame.fuel >= FUEL_LEAST);
            // A loop that burns one fuel a nanosecond.
            let until = clock_ns() + frame.fuel as u64;
            while clock_ns() < until {}
        }
        let took_ns = clock_ns() - start;
        assert!(took_ns >= 5_000_000, "5 ticks after {took_ns} ns");
    }

    #[test]
    fn a_tick_that_says_so_ends_the_call() {
        let mut frame = frame(stop, 0, 1);
        unsafe {
            refuel(&raw mut frame);
            assert!(frame.fuel > 0, "the first lot is to find out how long one takes");
            refuel(&raw mut frame);
        }
        assert!(frame.fuel < 0);
    }
}
