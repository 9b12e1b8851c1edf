//! The compute sidecar of Iris: words of an intermediate representation to machine code.
//!
//! `jitshim.h` is the contract with the Python side, `iris/jit/ir.py` says what the words mean. A
//! program goes through the files in this order: `abi` (the door), `guard` (no panic leaves),
//! `ir` with the table of `ops` (words to a valid program, or a refusal), `compile`, `emit`,
//! `loops`, `arith` and `buffers` (program to machine code), `arena` under `process` (where code lies). `tick` is what a
//! call has while it runs.

mod abi;
mod arena;
mod arith;
mod buffers;
mod compile;
mod emit;
mod guard;
mod ir;
mod loops;
mod ops;
mod process;
mod tick;

pub use abi::{
    JitCode, JitMemory, jit_abi_version, jit_call, jit_compile, jit_free, jit_memory_stats,
};
