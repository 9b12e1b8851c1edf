//! From a valid program to Cranelift's: control flow, the frame, calls and memory.
//!
//! Every function has one convention, `(frame, args, results) -> status`: the frame comes first because
//! the tick wants it there too, and loops would move it to and fro otherwise. There is nothing for a
//! linker to do: functions of the C library and the tick are called by their addresses, functions
//! of the program through a table whose address is known before they are compiled.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64, I8, I32, I64};
use cranelift_codegen::ir::{
    self, AbiParam, Block, BlockArg, InstBuilder, MemFlagsData, SigRef, Signature, StackSlot,
    StackSlotData, StackSlotKind, Value,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

use crate::ir::{Function, Instr, Program, slots_of};
use crate::loops::Guard;
use crate::ops::*;
use crate::tick;

/// A function of more instructions than this may need more stack than the reserve has, so it looks.
const STACK_FREE_OPERATIONS: usize = 256;

/// What all functions of a program have in common.
pub struct Shared<'a> {
    pub program: &'a Program,
    /// Where the addresses of the functions will stand, if any is called.
    pub table: u64,
    pub isa: &'a dyn TargetIsa,
}

/// A construct that is open.
pub struct Construct {
    op: Op,
    /// Whether its beginning can be reached; if not, nothing of it is emitted.
    entered: bool,
    /// Behind it.
    exit: Block,
    exit_used: bool,
    /// A LOOP's start.
    pub header: Block,
    /// Where all branches to a LOOP's start come together and pay.
    pub latch: Block,
    pub latch_used: bool,
    /// What a round of a LOOP pays, without the loops inside.
    pub weight: i64,
    /// The second arm of an IF; what is missing if it is still there at the end.
    otherwise: Option<Block>,
    /// What decides at the start of a LOOP whether there is another round.
    pub guard: Option<Guard>,
}

/// One function on its way.
pub struct Emitter<'a> {
    pub b: FunctionBuilder<'a>,
    pub function: &'a Function,
    pub shared: &'a Shared<'a>,
    pub pointers: Pointers,
    /// By parameter: the value or the address, and the number of items.
    pub args: Vec<(Value, Value)>,
    pub locals: Vec<Variable>,
    pub values: Vec<Option<Value>>,
    /// By value: the last instruction that uses it.
    pub last_uses: Vec<usize>,
    pub open: Vec<Construct>,
    reachable: bool,
    /// Ends the call with status 1.
    rerun: Block,
    /// Ends the call with the status that it is given.
    pub ended: Block,
    /// What is left of the fuel, in functions with a loop.
    pub fuel: Option<Variable>,
    /// Argument and result slots of the functions that this one calls.
    outgoing: Option<(StackSlot, StackSlot)>,
    pub signatures: Signatures,
}

/// The three arguments.
#[derive(Clone, Copy)]
pub struct Pointers {
    args: Value,
    results: Value,
    pub frame: Value,
}

#[derive(Default)]
pub struct Signatures {
    function: Option<SigRef>,
    pub tick: Option<SigRef>,
    math: [Option<SigRef>; 2],
}

/// Memory that is there and aligned: buffers, slots, the frame.
pub fn memory() -> MemFlagsData {
    MemFlagsData::trusted()
}

fn machine_type(kind: Type) -> ir::Type {
    match kind {
        Type::Float => F64,
        Type::Bool => I8,
        Type::Int | Type::Buffer => I64,
    }
}

fn signature_of_functions(isa: &dyn TargetIsa) -> Signature {
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params = vec![AbiParam::new(I64); 3];
    signature.returns = vec![AbiParam::new(I32)];
    signature
}

/// Writes one function of a program.
pub fn emit(
    shared: &Shared,
    at: usize,
    target: &mut ir::Function,
    context: &mut FunctionBuilderContext,
) {
    target.signature = signature_of_functions(shared.isa);
    let mut b = FunctionBuilder::new(target, context);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let (rerun, ended) = (b.create_block(), b.create_block());
    b.set_cold_block(rerun);
    b.set_cold_block(ended);
    b.append_block_param(ended, I32);
    let given = b.block_params(entry);
    let pointers = Pointers { frame: given[0], args: given[1], results: given[2] };
    let function = &shared.program.functions[at];
    let mut emitter = Emitter {
        b,
        function,
        shared,
        pointers,
        args: Vec::new(),
        locals: Vec::new(),
        values: vec![None; function.code.len()],
        last_uses: last_uses(function),
        open: Vec::new(),
        reachable: true,
        rerun,
        ended,
        fuel: None,
        outgoing: None,
        signatures: Signatures::default(),
    };
    emitter.prologue();
    for (index, one) in function.code.iter().enumerate() {
        emitter.values[index] = emitter.instruction(index, one);
    }
    emitter.epilogue();
}

/// By value: the last instruction that uses it.
fn last_uses(function: &Function) -> Vec<usize> {
    let mut last = vec![0; function.code.len()];
    for (index, one) in function.code.iter().enumerate() {
        for (&wanted, &operand) in one.op.operands().iter().zip(&one.operands) {
            if wanted.is_value() {
                last[operand as usize] = index;
            }
        }
    }
    last
}

impl<'a> Emitter<'a> {
    fn prologue(&mut self) {
        let calls = self.shared.program.has_calls();
        if calls || self.function.code.len() > STACK_FREE_OPERATIONS {
            let least =
                self.b.ins().load(I64, memory(), self.pointers.frame, tick::FRAME_STACK_LEAST);
            let here = self.b.ins().get_stack_pointer(I64);
            let low = self.b.ins().icmp(IntCC::UnsignedLessThan, here, least);
            self.rerun_if(low);
        }
        // Not marked as movable: Cranelift would move the load of an argument into the loop.
        let arguments = memory();
        for (slot, param) in
            slots_of(&self.function.params).0.into_iter().zip(&self.function.params)
        {
            let offset = 8 * slot as i32;
            let from = self.pointers.args;
            let kind = if param.kind == Type::Float { F64 } else { I64 };
            let mut first = self.b.ins().load(kind, arguments, from, offset);
            let mut second = first;
            if param.kind == Type::Bool {
                first = self.b.ins().icmp_imm_s(IntCC::NotEqual, first, 0);
            } else if param.kind == Type::Buffer {
                second = self.b.ins().load(I64, arguments, from, offset + 8);
            }
            self.args.push((first, second));
        }
        for &kind in &self.function.locals {
            let variable = self.b.declare_var(machine_type(kind));
            let zero = match kind {
                Type::Float => self.b.ins().f64const(0.0),
                _ => self.b.ins().iconst(machine_type(kind), 0),
            };
            self.b.def_var(variable, zero);
            self.locals.push(variable);
        }
        if self.function.code.iter().any(|one| one.op == Op::LOOP) {
            let variable = self.b.declare_var(I64);
            let fuel = self.b.ins().load(I64, memory(), self.pointers.frame, tick::FRAME_FUEL);
            self.b.def_var(variable, fuel);
            self.fuel = Some(variable);
        }
        if self.function.has_calls() {
            self.make_room_for_calls();
        }
    }

    fn make_room_for_calls(&mut self) {
        let (mut ins, mut outs) = (1, 1);
        for one in self.function.code.iter().filter(|one| one.op == Op::CALL) {
            let callee = &self.shared.program.functions[one.operands[0] as usize];
            ins = ins.max(callee.arg_slots());
            outs = outs.max(callee.outs);
        }
        let mut slots = |count: u32| {
            let data = StackSlotData::new(StackSlotKind::ExplicitSlot, 8 * count, 3);
            self.b.create_sized_stack_slot(data)
        };
        let (ins, results) = (slots(ins), slots(outs));
        let zero = self.b.ins().iconst(I64, 0);
        for slot in 0..outs {
            self.b.ins().stack_store(I64, zero, results, 8 * slot as i32);
        }
        self.outgoing = Some((ins, results));
    }

    fn epilogue(mut self) {
        let (rerun, ended) = (self.rerun, self.ended);
        self.b.switch_to_block(rerun);
        self.b.seal_block(rerun);
        let status = self.b.ins().iconst(I32, i64::from(STATUS_RERUN));
        self.b.ins().return_(&[status]);
        self.b.switch_to_block(ended);
        self.b.seal_block(ended);
        let status = self.b.block_params(ended)[0];
        self.b.ins().return_(&[status]);
        self.b.finalize(self.shared.isa.frontend_config());
    }

    /// Goes on in a new block, which only the current one leads to.
    pub fn continue_in(&mut self, next: Block) {
        self.b.switch_to_block(next);
        self.b.seal_block(next);
    }

    /// Goes to the one block if a condition holds, to the other if not.
    pub fn branch(&mut self, operand: u32, yes: Block, no: Block) {
        let one = &self.function.code[operand as usize];
        // Instead of computing the opposite of a condition.
        if one.op == Op::NOT
            && let Some(opposite) = self.values[one.operands[0] as usize]
        {
            self.b.ins().brif(opposite, no, &[], yes, &[]);
            return;
        }
        let condition = self.value(operand);
        self.b.ins().brif(condition, yes, &[], no, &[]);
    }

    /// Ends the call with status 1 if a truth value is true.
    pub fn rerun_if(&mut self, condition: Value) {
        let next = self.b.create_block();
        self.b.ins().brif(condition, self.rerun, &[], next, &[]);
        self.continue_in(next);
    }

    /// Takes `likely` unless the condition is true: then what `seldom` computes, out of the way.
    pub fn unless(
        &mut self,
        condition: Value,
        likely: impl FnOnce(&mut Self) -> Value,
        seldom: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let (usual, rare, join) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(rare);
        self.b.ins().brif(condition, rare, &[], usual, &[]);
        self.continue_in(usual);
        let value = likely(self);
        let kind = self.b.func.dfg.value_type(value);
        let result = self.b.append_block_param(join, kind);
        self.b.ins().jump(join, &[BlockArg::Value(value)]);
        self.continue_in(rare);
        let value = seldom(self);
        self.b.ins().jump(join, &[BlockArg::Value(value)]);
        self.continue_in(join);
        result
    }

    pub fn value(&self, operand: u32) -> Value {
        self.values[operand as usize].expect("validated: the operand's instruction was emitted")
    }

    /// The integer that an operand is, if it is a constant.
    pub fn constant(&self, operand: u32) -> Option<i64> {
        let one = &self.function.code[operand as usize];
        (one.op == Op::CONST_I).then(|| one.bits() as i64)
    }

    fn instruction(&mut self, index: usize, one: &Instr) -> Option<Value> {
        match one.op {
            Op::BLOCK | Op::LOOP | Op::IF => self.opening(index, one),
            Op::ELSE => self.otherwise(),
            Op::END => self.end(),
            _ if !self.reachable => (),
            _ => {
                if let Some(around) = self.open.iter_mut().rev().find(|one| one.op == Op::LOOP) {
                    around.weight += weight(one.op);
                }
                return match one.op {
                    Op::BR | Op::BRIF | Op::FAIL | Op::FAILIF | Op::RET => {
                        self.leave(index, one);
                        None
                    }
                    Op::SET | Op::OUT | Op::STORE | Op::PUT | Op::PUT_BUFFER | Op::CALL => {
                        self.effect(one);
                        None
                    }
                    _ => Some(self.computed(one)),
                };
            }
        }
        None
    }

    /// What an instruction gives that does nothing else.
    pub fn computed(&mut self, one: &Instr) -> Value {
        match one.op {
            Op::ARG | Op::LEN | Op::GET | Op::RESULT | Op::INDEX | Op::LOAD => self.read(one),
            Op::MATH1 | Op::MATH2 => self.math(one),
            _ => self.number(one),
        }
    }

    fn opening(&mut self, index: usize, one: &Instr) {
        let exit = self.b.create_block();
        let mut construct = Construct {
            op: one.op,
            entered: self.reachable,
            exit,
            exit_used: false,
            header: exit,
            latch: exit,
            latch_used: false,
            weight: 0,
            otherwise: None,
            guard: None,
        };
        if self.reachable && one.op == Op::LOOP {
            construct.header = self.b.create_block();
            construct.latch = self.b.create_block();
            construct.guard = self.guard(index);
            if construct.guard.is_none() {
                self.b.ins().jump(construct.header, &[]);
                self.b.switch_to_block(construct.header); // sealed at its end
            }
        } else if self.reachable && one.op == Op::IF {
            let (first, second) = (self.b.create_block(), self.b.create_block());
            self.branch(one.operands[0], first, second);
            self.b.seal_block(second);
            self.continue_in(first);
            construct.otherwise = Some(second);
        }
        self.open.push(construct);
    }

    fn inner(&mut self) -> &mut Construct {
        self.open.last_mut().expect("validated: a construct is open")
    }

    /// Jumps behind the innermost construct, if this place can be reached.
    fn leave_inner(&mut self) {
        if self.reachable {
            let exit = self.inner().exit;
            self.inner().exit_used = true;
            self.b.ins().jump(exit, &[]);
        }
    }

    fn otherwise(&mut self) {
        self.leave_inner();
        if let Some(second) = self.inner().otherwise.take() {
            self.b.switch_to_block(second);
            self.reachable = true;
        }
    }

    fn end(&mut self) {
        self.leave_inner();
        if let Some(second) = self.inner().otherwise.take() {
            // There was no ELSE.
            self.b.switch_to_block(second);
            self.reachable = true;
            self.leave_inner();
        }
        let Some(construct) = self.open.pop() else { return };
        self.reachable = construct.exit_used;
        if construct.op == Op::LOOP && construct.entered {
            self.close_loop(&construct);
        }
        if construct.exit_used {
            self.continue_in(construct.exit);
        }
    }

    /// Where a branch over so many constructs goes.
    fn target(&mut self, depth: u32) -> Block {
        let at = self.open.len() - 1 - depth as usize;
        let construct = &mut self.open[at];
        if construct.op == Op::LOOP {
            construct.latch_used = true;
            return construct.latch;
        }
        construct.exit_used = true;
        construct.exit
    }

    fn leave(&mut self, index: usize, one: &Instr) {
        match one.op {
            Op::BR => {
                let target = self.target(one.operands[0]);
                self.b.ins().jump(target, &[]);
            }
            Op::BRIF => {
                let target = self.target(one.operands[1]);
                if !self.pass_guard(index, one.operands[0], target) {
                    let next = self.b.create_block();
                    self.branch(one.operands[0], target, next);
                    self.continue_in(next);
                }
            }
            Op::FAILIF => {
                let condition = self.value(one.operands[0]);
                self.rerun_if(condition);
            }
            Op::FAIL => {
                self.b.ins().jump(self.rerun, &[]);
            }
            _ => {
                if let (Some(variable), true) = (self.fuel, self.shared.program.has_calls()) {
                    let left = self.b.use_var(variable);
                    self.b.ins().store(memory(), left, self.pointers.frame, tick::FRAME_FUEL);
                }
                let status = self.b.ins().iconst(I32, i64::from(STATUS_DONE));
                self.b.ins().return_(&[status]);
            }
        }
        self.reachable = matches!(one.op, Op::BRIF | Op::FAILIF);
    }

    fn effect(&mut self, one: &Instr) {
        let [first, second, _] = one.operands;
        match one.op {
            Op::SET => {
                let value = self.value(second);
                self.b.def_var(self.locals[first as usize], value);
            }
            Op::OUT => {
                let slot = self.slot_value(second);
                self.b.ins().store(memory(), slot, self.pointers.results, 8 * first as i32);
            }
            Op::PUT => {
                let slot = self.slot_value(second);
                self.put(first, slot);
            }
            Op::PUT_BUFFER => {
                let (address, count) = self.args[second as usize];
                self.put(first, address);
                self.put(first + 1, count);
            }
            Op::CALL => self.call(first as usize),
            _ => self.store(one),
        }
    }

    /// A value as a slot holds it: a bool as a whole word.
    fn slot_value(&mut self, operand: u32) -> Value {
        let value = self.value(operand);
        if self.b.func.dfg.value_type(value) == I8 {
            return self.b.ins().uextend(I64, value);
        }
        value
    }

    fn put(&mut self, slot: u32, value: Value) {
        if let Some((ins, _)) = self.outgoing {
            self.b.ins().stack_store(I64, value, ins, 8 * slot as i32);
        }
    }

    fn call(&mut self, at: usize) {
        let Some((ins, outs)) = self.outgoing else { return };
        let frame = self.pointers.frame;
        let open = self.b.ins().load(I64, memory(), frame, tick::FRAME_CALLS_OPEN);
        let many = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, open, CALLS_OPEN_MAX);
        self.rerun_if(many);
        let more = self.b.ins().iadd_imm_s(open, 1);
        self.b.ins().store(memory(), more, frame, tick::FRAME_CALLS_OPEN);
        // Calls pay too: a function that calls itself twice runs for ever without a loop.
        let callee = &self.shared.program.functions[at];
        let weight = weight(Op::CALL) + callee.code.iter().map(|one| weight(one.op)).sum::<i64>();
        let fuel = match self.fuel {
            Some(variable) => self.b.use_var(variable),
            None => self.b.ins().load(I64, memory(), frame, tick::FRAME_FUEL),
        };
        let left = self.burn(fuel, weight);
        self.b.ins().store(memory(), left, frame, tick::FRAME_FUEL);
        let signature = *self.signatures.function.get_or_insert_with(|| {
            self.b.import_signature(signature_of_functions(self.shared.isa))
        });
        let table = self.b.ins().iconst(I64, self.shared.table as i64);
        let entry = memory().with_readonly().with_can_move();
        let callee = self.b.ins().load(I64, entry, table, 8 * at as i32);
        let ins = self.b.ins().stack_addr(I64, ins, 0);
        let outs = self.b.ins().stack_addr(I64, outs, 0);
        let done = self.b.ins().call_indirect(signature, callee, &[frame, ins, outs]);
        let status = self.b.inst_results(done)[0];
        let next = self.b.create_block();
        self.b.ins().brif(status, self.ended, &[BlockArg::Value(status)], next, &[]);
        self.continue_in(next);
        self.b.ins().store(memory(), open, frame, tick::FRAME_CALLS_OPEN);
        if let Some(variable) = self.fuel {
            let left = self.b.ins().load(I64, memory(), frame, tick::FRAME_FUEL);
            self.b.def_var(variable, left);
        }
    }

    fn math(&mut self, one: &Instr) -> Value {
        let count = one.op.operands().len();
        let signature = *self.signatures.math[count - 1].get_or_insert_with(|| {
            let mut signature = Signature::new(self.shared.isa.default_call_conv());
            signature.params = vec![AbiParam::new(F64); count];
            signature.returns.push(AbiParam::new(F64));
            self.b.import_signature(signature)
        });
        let args: Vec<Value> =
            one.operands[..count].iter().map(|&operand| self.value(operand)).collect();
        let callee = self.b.ins().iconst(I64, math_address(one.flags) as i64);
        let call = self.b.ins().call_indirect(signature, callee, &args);
        self.b.inst_results(call)[0]
    }

    fn read(&mut self, one: &Instr) -> Value {
        let first = one.operands[0];
        match one.op {
            Op::ARG => self.args[first as usize].0,
            Op::LEN => self.args[first as usize].1,
            Op::GET => self.b.use_var(self.locals[first as usize]),
            Op::RESULT => {
                let outs = self.outgoing.expect("validated: a call is before it").1;
                let kind = if one.flags == Type::Float as u32 { F64 } else { I64 };
                let value = self.b.ins().stack_load(I64, kind, outs, 8 * first as i32);
                if one.flags == Type::Bool as u32 {
                    return self.b.ins().icmp_imm_s(IntCC::NotEqual, value, 0);
                }
                value
            }
            Op::INDEX => self.index(one),
            _ => self.load(one),
        }
    }
}
