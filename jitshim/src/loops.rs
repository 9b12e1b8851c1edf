//! From a valid program to Cranelift's: how loops go round, and what they pay.
//!
//! Most loops begin with a few operations that decide whether there is another round:
//!
//! ```text
//! loop  header: a = ...; brif a, out        becomes   header: a = ...; brif a, out
//!       body                                          loop  body
//!       br header                                           header again; brif not a, body
//! ```
//!
//! so that a round has one branch that is taken and not two.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{AbiParam, Block, BlockArg, InstBuilder, Signature, Value};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::Variable;

use crate::emit::{Construct, Emitter, memory};
use crate::ops::*;
use crate::tick;

/// Cranelift's name for "changes no register", which is what the entry of tick.rs does.
const TICK_CONVENTION: CallConv =
    if cfg!(target_arch = "x86_64") { CallConv::PreserveAll } else { CallConv::SystemV };

/// More operations than this are not worth having twice.
const GUARD_OPERATIONS_MAX: usize = 24;

/// The operations at the start of a loop up to the BRIF that leaves it.
#[derive(Clone)]
pub struct Guard {
    first: usize,
    branch: usize,
    /// Where the branch goes; the loop's own body until it is met.
    target: Option<Block>,
    /// Values that the body uses, too: different ones in each round.
    carried: Vec<(usize, Variable)>,
}

impl Emitter<'_> {
    /// The guard of the loop at an index, if it has one.
    pub fn guard(&self, at: usize) -> Option<Guard> {
        let first = at + 1;
        for (distance, one) in self.function.code[first..].iter().enumerate() {
            match one.op {
                // A branch to the loop's own start is none.
                Op::BRIF if one.operands[1] > 0 => {
                    let branch = first + distance;
                    return Some(Guard { first, branch, target: None, carried: Vec::new() });
                }
                Op::RESULT => return None,
                op if op.gives() == Gives::Nothing => return None,
                _ if distance == GUARD_OPERATIONS_MAX => return None,
                _ => (),
            }
        }
        None
    }

    /// At the branch of the innermost loop's guard: begins the body, and says so.
    pub fn pass_guard(&mut self, index: usize, condition: u32, target: Block) -> bool {
        let Some(construct) = self.open.last() else { return false };
        let Some(guard) = construct.guard.as_ref().filter(|one| one.branch == index) else {
            return false;
        };
        let (mut guard, body) = (guard.clone(), construct.header);
        guard.target = Some(target);
        for at in guard.first..index {
            if self.last_uses[at] > index && !self.is_same_in_each_round(at) {
                let value = self.value(at as u32);
                if self.function.code[at].op != Op::GET {
                    let variable = self.b.declare_var(self.b.func.dfg.value_type(value));
                    self.b.def_var(variable, value);
                    guard.carried.push((at, variable));
                }
            }
        }
        self.branch(condition, target, body);
        self.b.switch_to_block(body); // sealed at the end of the loop
        for at in guard.first..index {
            if self.is_same_in_each_round(at) {
                continue;
            }
            let one = &self.function.code[at];
            let carried = guard.carried.iter().find(|&&(which, _)| which == at);
            self.values[at] = match carried {
                Some(&(_, variable)) => Some(self.b.use_var(variable)),
                // Nothing in a guard writes a local.
                None if one.op == Op::GET && self.last_uses[at] > index => {
                    Some(self.b.use_var(self.locals[one.operands[0] as usize]))
                }
                None => None,
            };
        }
        if let Some(construct) = self.open.last_mut() {
            construct.guard = Some(guard);
        }
        true
    }

    fn is_same_in_each_round(&self, at: usize) -> bool {
        let op = self.function.code[at].op;
        matches!(op, Op::CONST_I | Op::CONST_F | Op::CONST_B | Op::ARG | Op::LEN)
    }

    /// At the end of a loop: what leads to the next round.
    pub fn close_loop(&mut self, construct: &Construct) {
        if construct.latch_used {
            self.continue_in(construct.latch);
            self.pay(construct.weight.max(1));
            match construct.guard.as_ref().and_then(|one| one.target.map(|target| (one, target))) {
                Some((guard, target)) => self.repeat_guard(guard, target, construct.header),
                None => {
                    self.b.ins().jump(construct.header, &[]);
                }
            }
        }
        self.b.seal_block(construct.header);
    }

    fn repeat_guard(&mut self, guard: &Guard, target: Block, body: Block) {
        let function = self.function;
        for at in guard.first..guard.branch {
            if !self.is_same_in_each_round(at) {
                self.values[at] = Some(self.computed(&function.code[at]));
            }
        }
        for &(at, variable) in &guard.carried {
            let value = self.value(at as u32);
            self.b.def_var(variable, value);
        }
        self.branch(function.code[guard.branch].operands[0], target, body);
    }

    /// Takes fuel from the variable of a function with loops; a tick when there is none left.
    fn pay(&mut self, weight: i64) {
        if let Some(variable) = self.fuel {
            let fuel = self.b.use_var(variable);
            let left = self.burn(fuel, weight);
            self.b.def_var(variable, left);
        }
    }

    pub fn burn(&mut self, fuel: Value, weight: i64) -> Value {
        let empty = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, fuel, weight);
        self.unless(empty, |this| this.b.ins().iadd_imm_s(fuel, -weight), Self::refuel)
    }

    fn refuel(&mut self) -> Value {
        let signature = *self.signatures.tick.get_or_insert_with(|| {
            let mut signature = Signature::new(TICK_CONVENTION);
            signature.params.push(AbiParam::new(I64));
            self.b.import_signature(signature)
        });
        let callee = self.b.ins().iconst(I64, tick::address() as i64);
        self.b.ins().call_indirect(signature, callee, &[self.pointers.frame]);
        let fuel = self.b.ins().load(I64, memory(), self.pointers.frame, tick::FRAME_FUEL);
        let stop = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, fuel, 0);
        let status = self.b.ins().iconst(I32, i64::from(STATUS_INTERRUPTED));
        let next = self.b.create_block();
        self.b.set_cold_block(next);
        self.b.ins().brif(stop, self.ended, &[BlockArg::Value(status)], next, &[]);
        self.continue_in(next);
        fuel
    }
}
