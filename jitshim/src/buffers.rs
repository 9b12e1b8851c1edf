//! From a valid program to Cranelift's: indices, loads and stores of buffers.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use crate::emit::{Emitter, memory};
use crate::ir::Instr;
use crate::ops::*;

impl Emitter<'_> {
    pub fn index(&mut self, one: &Instr) -> Value {
        let (count, index) = (self.args[one.operands[0] as usize].1, self.value(one.operands[1]));
        let outside = |this: &mut Self, index| {
            this.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, count)
        };
        let bad = outside(self, index);
        if one.flags & NONNEGATIVE != 0 || self.constant(one.operands[1]).is_some_and(|at| at >= 0)
        {
            self.rerun_if(bad);
            return index;
        }
        self.unless(
            bad,
            |_| index,
            |this| {
                let from_end = this.b.ins().iadd(index, count);
                let bad = outside(this, from_end);
                this.rerun_if(bad);
                from_end
            },
        )
    }

    fn place(&mut self, one: &Instr) -> (Value, Format) {
        let param = one.operands[0] as usize;
        let (format, base) = (self.function.params[param].format, self.args[param].0);
        let index = self.value(one.operands[1]);
        let offset = self.b.ins().ishl_imm_u(index, i64::from(format.shift()));
        (self.b.ins().iadd(base, offset), format)
    }

    pub fn load(&mut self, one: &Instr) -> Value {
        let (place, format) = self.place(one);
        let flags = memory();
        match format {
            Format::F64 => self.b.ins().load(F64, flags, place, 0),
            Format::F32 => {
                let single = self.b.ins().load(F32, flags, place, 0);
                self.b.ins().fpromote(F64, single)
            }
            Format::I8 => self.b.ins().sload8(I64, flags, place, 0),
            Format::I16 => self.b.ins().sload16(I64, flags, place, 0),
            Format::I32 => self.b.ins().sload32(flags, place, 0),
            Format::U8 => self.b.ins().uload8(I64, flags, place, 0),
            Format::U16 => self.b.ins().uload16(I64, flags, place, 0),
            Format::U32 => self.b.ins().uload32(flags, place, 0),
            Format::I64 => self.b.ins().load(I64, flags, place, 0),
            Format::U64 => {
                let value = self.b.ins().load(I64, flags, place, 0);
                if one.flags & CHECKED != 0 {
                    let large = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, value, 0);
                    self.rerun_if(large);
                }
                value
            }
            Format::Bool => {
                let byte = self.b.ins().load(I8, flags, place, 0);
                self.b.ins().icmp_imm_s(IntCC::NotEqual, byte, 0)
            }
        }
    }

    pub fn store(&mut self, one: &Instr) {
        let value = self.value(one.operands[2]);
        let (place, format) = self.place(one);
        if one.flags & CHECKED != 0 {
            self.check_range(value, format);
        }
        let flags = memory();
        let item = match format {
            Format::F64 | Format::I64 | Format::U64 | Format::Bool => value,
            Format::F32 => self.b.ins().fdemote(F32, value),
            Format::I8 | Format::U8 => self.b.ins().ireduce(I8, value),
            Format::I16 | Format::U16 => self.b.ins().ireduce(I16, value),
            Format::I32 | Format::U32 => self.b.ins().ireduce(I32, value),
        };
        self.b.ins().store(flags, item, place, 0);
    }

    /// Ends the call with status 1 where an integer does not fit into an item.
    fn check_range(&mut self, value: Value, format: Format) {
        let bits = 8 << format.shift();
        let outside = match format {
            Format::I8 | Format::I16 | Format::I32 => {
                // From the smallest on, one unsigned compare is enough.
                let above = self.b.ins().iadd_imm_s(value, 1i64 << (bits - 1));
                self.b.ins().icmp_imm_s(IntCC::UnsignedGreaterThanOrEqual, above, 1i64 << bits)
            }
            Format::U8 | Format::U16 | Format::U32 => {
                self.b.ins().icmp_imm_s(IntCC::UnsignedGreaterThanOrEqual, value, 1i64 << bits)
            }
            Format::U64 => self.b.ins().icmp_imm_s(IntCC::SignedLessThan, value, 0),
            Format::F64 | Format::F32 | Format::I64 | Format::Bool => return,
        };
        self.rerun_if(outside);
    }
}
