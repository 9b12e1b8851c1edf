//! The exported functions, as `jitshim.h` declares them. Each is behind the boundary of guard.rs
//! but `jit_call`, whose code may end the thread by unwinding it: a `catch_unwind` would abort the
//! process then, and there is nothing in it that can panic.

use std::ffi::c_char;

use crate::guard;
use crate::ir::Program;
use crate::ops::STATUS_RERUN;
use crate::process;
use crate::tick::{self, Tick};

const ABI_VERSION: u32 = 1;

const DONE: i32 = 0;
const NO_PROGRAM: i32 = 1;
const NOT_COMPILED: i32 = 2;
const RELOCATIONS: i32 = 3;
const NO_MEMORY: i32 = 4;
const DEFECT: i32 = -1;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct JitCode {
    pub entry: u64,
    pub handle: u64,
    pub code_bytes: u32,
    pub functions: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct JitMemory {
    pub used_bytes: u64,
    pub reserved_bytes: u64,
    pub live: u64,
}

#[unsafe(no_mangle)]
pub extern "C" fn jit_abi_version() -> u32 {
    ABI_VERSION
}

/// # Safety
/// `words` has `count` words; `code` is writable; `message` has `message_bytes` bytes or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jit_compile(
    words: *const u32,
    count: usize,
    code: *mut JitCode,
    message: *mut c_char,
    message_bytes: usize,
) -> i32 {
    let words = match count {
        0 => &[],
        _ if words.is_null() => &[],
        // SAFETY: by the contract.
        _ => unsafe { std::slice::from_raw_parts(words, count) },
    };
    let result = guard::run(|| compile(words));
    let (status, text) = match result {
        Ok(Ok(compiled)) if !code.is_null() => {
            // SAFETY: by the contract.
            unsafe { code.write(compiled) };
            (DONE, String::new())
        }
        Ok(Ok(_)) => (NO_PROGRAM, "there is no place for the result".to_owned()),
        Ok(Err(failure)) => failure,
        Err(text) => (DEFECT, text),
    };
    if !message.is_null() && message_bytes > 0 {
        let length = text.len().min(message_bytes - 1);
        // SAFETY: by the contract; the closing zero is the last that fits.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), message.cast(), length);
            message.add(length).write(0);
        }
    }
    status
}

fn compile(words: &[u32]) -> Result<JitCode, (i32, String)> {
    let program = Program::read(words)
        .map_err(|refused| (NO_PROGRAM, format!("word {}: {}", refused.word, refused.reason)))?;
    let entries = if program.has_calls() { program.functions.len() } else { 0 };
    let table = vec![0u64; entries].into_boxed_slice();
    let process = process::current();
    let code = process
        .with_compiler(|compiler| compiler.compile(&program, table.as_ptr() as u64))
        .map_err(|text| (NOT_COMPILED, text))?;
    if code.relocations > 0 {
        return Err((RELOCATIONS, format!("{} relocations are left", code.relocations)));
    }
    let mut arena = process.arena();
    let Some(placed) = arena.place(&code.bytes, table) else {
        return Err((NO_MEMORY, "the host gives no memory for code".to_owned()));
    };
    if let Some(table) = arena.table(placed.handle) {
        for (entry, start) in table.iter_mut().zip(&code.starts) {
            *entry = placed.address + *start as u64;
        }
    }
    Ok(JitCode {
        entry: placed.address + code.starts[0] as u64,
        handle: placed.handle,
        code_bytes: code.bytes.len() as u32,
        functions: code.starts.len() as u32,
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn jit_free(handle: u64) -> i32 {
    match guard::run(|| process::current().arena().free(handle)) {
        Ok(freed) => i32::from(!freed),
        Err(_) => DEFECT,
    }
}

/// # Safety
/// `entry` is of a program that is not freed; `args` and `results` have the slots that it needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jit_call(
    entry: u64,
    args: *const u64,
    results: *mut u64,
    tick: Option<Tick>,
    first_ns: u64,
    period_ns: u64,
) -> i32 {
    if entry == 0 {
        return STATUS_RERUN;
    }
    // SAFETY: by the contract.
    unsafe { tick::call(entry, args, results, tick, first_ns, period_ns) }
}

/// # Safety
/// `stats` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jit_memory_stats(stats: *mut JitMemory) {
    let (used_bytes, reserved_bytes, live) =
        guard::run(|| process::current().arena().stats()).unwrap_or_default();
    if !stats.is_null() {
        // SAFETY: by the contract.
        unsafe { stats.write(JitMemory { used_bytes, reserved_bytes, live }) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, STATUS_DONE};

    const HEADER: &str = include_str!("../jitshim.h");
    const SOURCE: &str = include_str!("abi.rs");

    /// The words of a program of one function without parameters.
    fn words(outs: u32, code: &[[u32; 4]]) -> Vec<u32> {
        let mut words = vec![crate::ir::MAGIC, crate::ir::VERSION, 1, 0, 0, outs];
        words.push(code.len() as u32);
        words.extend(code.iter().flatten());
        words
    }

    fn seven() -> Vec<u32> {
        words(
            1,
            &[[Op::CONST_I as u32, 0, 7, 0], [Op::OUT as u32, 0, 0, 0], [Op::RET as u32, 0, 0, 0]],
        )
    }

    fn compiled(words: &[u32]) -> (i32, JitCode, String) {
        let (mut code, mut message) = (JitCode::default(), [0u8; 100]);
        // SAFETY: all of it is there.
        let status = unsafe {
            let text = message.as_mut_ptr().cast();
            jit_compile(words.as_ptr(), words.len(), &raw mut code, text, message.len())
        };
        let end = message.iter().position(|&byte| byte == 0).expect("a closing zero");
        (status, code, String::from_utf8_lossy(&message[..end]).into_owned())
    }

    fn result(code: &JitCode) -> (i32, u64) {
        let mut results = [0];
        // SAFETY: the program has no arguments and one result.
        let status =
            unsafe { jit_call(code.entry, std::ptr::null(), results.as_mut_ptr(), None, 0, 0) };
        (status, results[0])
    }

    #[test]
    fn a_program_is_compiled_called_and_freed_once() {
        let (status, code, message) = compiled(&seven());
        assert_eq!((status, message.as_str(), code.functions), (DONE, "", 1));
        assert_eq!(result(&code), (STATUS_DONE, 7));
        assert_eq!(jit_free(code.handle), 0);
        assert_eq!(jit_free(code.handle), 1);
        assert_eq!(result(&JitCode::default()).0, STATUS_RERUN);
    }

    #[test]
    fn a_refusal_names_the_word_and_fits_into_the_room_for_it() {
        let mut bad = seven();
        bad[7] = 255;
        let (status, _, message) = compiled(&bad);
        assert_eq!((status, message.as_str()), (NO_PROGRAM, "word 7: there is no such operation"));
        let mut room = [1u8; 4];
        let mut code = JitCode::default();
        // SAFETY: all of it is there, or null as the contract allows.
        unsafe {
            let (words, count) = (bad.as_ptr(), bad.len());
            jit_compile(words, count, &raw mut code, room.as_mut_ptr().cast(), room.len());
            assert_eq!(&room, b"wor\0");
            let none = std::ptr::null_mut();
            assert_eq!(jit_compile(words, count, &raw mut code, none, 0), NO_PROGRAM);
            let good = seven();
            let status = jit_compile(good.as_ptr(), good.len(), std::ptr::null_mut(), none, 0);
            assert_eq!(status, NO_PROGRAM);
            jit_memory_stats(std::ptr::null_mut());
        }
    }

    #[test]
    fn a_child_of_a_fork_starts_anew_and_touches_nothing_of_its_parent() {
        let _turn = crate::arena::tests::turn();
        let (_, code, _) = compiled(&seven());
        // SAFETY: the child does nothing but what the sidecar has to be able to do there.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut stats = JitMemory::default();
            unsafe { jit_memory_stats(&raw mut stats) };
            let empty = stats.live == 0 && jit_free(code.handle) == 1;
            let inherited = result(&code) == (STATUS_DONE, 7);
            let (status, own, _) = compiled(&seven());
            let good = status == DONE && own.handle != code.handle && result(&own).1 == 7;
            unsafe { libc::_exit(i32::from(!(empty && inherited && good))) };
        }
        let mut status = -1;
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!(result(&code), (STATUS_DONE, 7));
        assert_eq!(jit_free(code.handle), 0);
    }

    /// Names with their numbers of arguments, from `name(arguments)` at each place that `starts`.
    fn functions(text: &str, starts: &[&str]) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        for start in starts {
            for (at, _) in text.match_indices(start) {
                let rest = &text[at + start.len()..];
                let (name, rest) = rest.split_once('(').expect("an argument list");
                let (args, _) = rest.split_once(')').expect("its end");
                let args = args.trim().trim_end_matches(',');
                let count = if args.is_empty() || args == "void" { 0 } else { 1 };
                found.push((name.to_owned(), count + args.matches(',').count()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn the_header_declares_what_is_exported() {
        let from = HEADER.find("/* cffi: begin */").expect("a mark");
        let to = HEADER.find("/* cffi: end */").expect("a mark");
        let declared = functions(&HEADER[from..to], &["\nuint32_t ", "\nint32_t ", "\nvoid "]);
        let exported = functions(
            SOURCE.split("#[cfg(test)]").next().expect("the sources"),
            &[
                "#[unsafe(no_mangle)]\npub extern \"C\" fn ",
                "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn ",
            ],
        );
        assert_eq!(declared, exported);
        assert_eq!(declared.len(), 5);
    }
}
