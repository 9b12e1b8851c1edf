//! From a valid program to Cranelift's: the operations on numbers.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F64, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

use crate::emit::Emitter;
use crate::ir::Instr;
use crate::ops::*;

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

impl Emitter<'_> {
    /// An operation whose value depends on those of its operands and on nothing else.
    pub fn number(&mut self, one: &Instr) -> Value {
        match one.op {
            Op::CONST_I => self.b.ins().iconst(I64, one.bits() as i64),
            Op::CONST_F => self.b.ins().f64const(f64::from_bits(one.bits())),
            Op::CONST_B => self.truth(one.operands[0] != 0),
            Op::FADD
            | Op::FSUB
            | Op::FMUL
            | Op::FDIV
            | Op::FNEG
            | Op::FABS
            | Op::FSQRT
            | Op::FFLOOR
            | Op::FCEIL
            | Op::FTRUNC
            | Op::FNEAREST
            | Op::FCOPYSIGN
            | Op::FCMP => self.float(one),
            Op::NOT
            | Op::AND
            | Op::OR
            | Op::XOR
            | Op::B2I
            | Op::I2F
            | Op::F2I
            | Op::BITS
            | Op::UNBITS
            | Op::SELECT => self.conversion(one),
            Op::IDIV | Op::IMOD => self.division(one),
            _ => self.integer(one),
        }
    }

    fn truth(&mut self, value: bool) -> Value {
        self.b.ins().iconst(cranelift_codegen::ir::types::I8, i64::from(value))
    }

    fn float(&mut self, one: &Instr) -> Value {
        let x = self.value(one.operands[0]);
        if one.op.operands().len() == 1 {
            return match one.op {
                Op::FNEG => self.b.ins().fneg(x),
                Op::FABS => self.b.ins().fabs(x),
                Op::FSQRT => self.b.ins().sqrt(x),
                Op::FFLOOR => self.b.ins().floor(x),
                Op::FCEIL => self.b.ins().ceil(x),
                Op::FTRUNC => self.b.ins().trunc(x),
                _ => self.b.ins().nearest(x),
            };
        }
        let y = self.value(one.operands[1]);
        match one.op {
            Op::FADD => self.b.ins().fadd(x, y),
            Op::FSUB => self.b.ins().fsub(x, y),
            Op::FMUL => self.b.ins().fmul(x, y),
            Op::FDIV => self.b.ins().fdiv(x, y),
            Op::FCOPYSIGN => self.b.ins().fcopysign(x, y),
            _ => self.b.ins().fcmp(float_compare(one.flags), x, y),
        }
    }

    fn conversion(&mut self, one: &Instr) -> Value {
        let x = self.value(one.operands[0]);
        match one.op {
            Op::NOT => self.b.ins().bxor_imm_u(x, 1),
            Op::B2I => self.b.ins().uextend(I64, x),
            Op::I2F => self.b.ins().fcvt_from_sint(F64, x),
            Op::BITS => self.b.ins().bitcast(I64, MemFlagsData::new(), x),
            Op::UNBITS => self.b.ins().bitcast(F64, MemFlagsData::new(), x),
            Op::F2I => {
                if one.flags & CHECKED != 0 {
                    self.check_fits(x);
                }
                self.b.ins().fcvt_to_sint_sat(I64, x)
            }
            Op::SELECT => {
                let (y, z) = (self.value(one.operands[1]), self.value(one.operands[2]));
                self.b.ins().select(x, y, z)
            }
            op => {
                let y = self.value(one.operands[1]);
                match op {
                    Op::AND => self.b.ins().band(x, y),
                    Op::OR => self.b.ins().bor(x, y),
                    _ => self.b.ins().bxor(x, y),
                }
            }
        }
    }

    /// Ends the call with status 1 for a double that no integer of 64 bits is near.
    fn check_fits(&mut self, x: Value) {
        let size = self.b.ins().fabs(x);
        let bound = self.b.ins().f64const(TWO_TO_63);
        let inside = self.b.ins().fcmp(FloatCC::LessThan, size, bound);
        let outside = self.b.ins().bxor_imm_u(inside, 1);
        self.unless(
            outside,
            |_| x,
            |this| {
                let least = this.b.ins().f64const(-TWO_TO_63);
                let other = this.b.ins().fcmp(FloatCC::NotEqual, x, least);
                this.rerun_if(other);
                x
            },
        );
    }

    fn integer(&mut self, one: &Instr) -> Value {
        let x = self.value(one.operands[0]);
        let checked = one.flags & CHECKED != 0;
        match one.op {
            Op::INEG => {
                let zero = self.b.ins().iconst(I64, 0);
                self.arithmetic(Op::ISUB, checked, zero, x)
            }
            Op::IABS => {
                if checked {
                    let least = self.b.ins().icmp_imm_s(IntCC::Equal, x, i64::MIN);
                    self.rerun_if(least);
                }
                self.b.ins().iabs(x)
            }
            Op::ISHL | Op::ISHR => self.shift(one, x),
            op => {
                let y = self.value(one.operands[1]);
                match op {
                    Op::IAND => self.b.ins().band(x, y),
                    Op::IOR => self.b.ins().bor(x, y),
                    Op::IXOR => self.b.ins().bxor(x, y),
                    Op::ICMP => self.b.ins().icmp(int_compare(one.flags), x, y),
                    Op::IFCMP => self.compare_mixed(one.flags, x, y),
                    _ => self.arithmetic(op, checked, x, y),
                }
            }
        }
    }

    /// Each check is a branch of its own: measured, gathering them loses.
    fn arithmetic(&mut self, op: Op, checked: bool, x: Value, y: Value) -> Value {
        if !checked {
            return match op {
                Op::IADD => self.b.ins().iadd(x, y),
                Op::ISUB => self.b.ins().isub(x, y),
                _ => self.b.ins().imul(x, y),
            };
        }
        let (result, overflow) = match op {
            Op::IADD => self.b.ins().sadd_overflow(x, y),
            Op::ISUB => self.b.ins().ssub_overflow(x, y),
            _ => self.b.ins().smul_overflow(x, y),
        };
        self.rerun_if(overflow);
        result
    }

    fn shift(&mut self, one: &Instr, x: Value) -> Value {
        let count = self.value(one.operands[1]);
        let left = one.op == Op::ISHL;
        let shifted = |this: &mut Self| match left {
            true => this.b.ins().ishl(x, count),
            false => this.b.ins().sshr(x, count),
        };
        if one.flags & CHECKED == 0 {
            return shifted(self);
        }
        let usual = |this: &mut Self| {
            let result = shifted(this);
            if left {
                let back = this.b.ins().sshr(result, count);
                let lost = this.b.ins().icmp(IntCC::NotEqual, back, x);
                this.rerun_if(lost);
            }
            result
        };
        if self.constant(one.operands[1]).is_some_and(|count| (0..64).contains(&count)) {
            return usual(self);
        }
        let odd = self.b.ins().icmp_imm_s(IntCC::UnsignedGreaterThan, count, 63);
        self.unless(odd, usual, |this| {
            let negative = this.b.ins().icmp_imm_s(IntCC::SignedLessThan, count, 0);
            this.rerun_if(negative);
            if left {
                let lost = this.b.ins().icmp_imm_s(IntCC::NotEqual, x, 0);
                this.rerun_if(lost);
                return x;
            }
            this.b.ins().sshr_imm_u(x, 63)
        })
    }

    fn division(&mut self, one: &Instr) -> Value {
        let (x, y) = (self.value(one.operands[0]), self.value(one.operands[1]));
        let quotient = one.op == Op::IDIV;
        let checked = one.flags & CHECKED != 0;
        let natural = one.flags & NONNEGATIVE != 0;
        match self.constant(one.operands[1]) {
            Some(divisor) if divisor > 0 => return self.divide_by(quotient, natural, x, divisor),
            Some(divisor) if divisor < -1 && divisor != i64::MIN && !natural => {
                return self.floored(quotient, x, y);
            }
            _ => (),
        }
        if natural {
            // Machines trap at 0, and the promise that there is none may be broken.
            let zero = self.b.ins().icmp_imm_s(IntCC::Equal, y, 0);
            let mut divisor = y;
            if checked {
                self.rerun_if(zero);
            } else {
                let one = self.b.ins().iconst(I64, 1);
                divisor = self.b.ins().select(zero, one, y);
            }
            return match quotient {
                true => self.b.ins().udiv(x, divisor),
                false => self.b.ins().urem(x, divisor),
            };
        }
        // 0 and -1: the one divides nothing, the other may overflow, and machines trap at both.
        let next = self.b.ins().iadd_imm_s(y, 1);
        let odd = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThanOrEqual, next, 1);
        self.unless(
            odd,
            |this| this.floored(quotient, x, y),
            |this| {
                if checked {
                    let zero = this.b.ins().icmp_imm_s(IntCC::Equal, y, 0);
                    this.rerun_if(zero);
                }
                let zero = this.b.ins().iconst(I64, 0);
                if quotient { this.arithmetic(Op::ISUB, checked, zero, x) } else { zero }
            },
        )
    }

    /// Division by a constant above 0.
    fn divide_by(&mut self, quotient: bool, natural: bool, x: Value, divisor: i64) -> Value {
        if divisor & (divisor - 1) == 0 {
            // Shifts and masks round towards minus infinity by themselves.
            return match quotient {
                true => self.b.ins().sshr_imm_u(x, i64::from(divisor.trailing_zeros())),
                false => self.b.ins().band_imm_u(x, divisor - 1),
            };
        }
        let y = self.b.ins().iconst(I64, divisor);
        if natural {
            return match quotient {
                true => self.b.ins().udiv(x, y),
                false => self.b.ins().urem(x, y),
            };
        }
        if quotient {
            let towards_zero = self.b.ins().sdiv(x, y);
            let back = self.b.ins().imul(towards_zero, y);
            let rest = self.b.ins().isub(x, back);
            let fix = self.b.ins().sshr_imm_u(rest, 63);
            return self.b.ins().iadd(towards_zero, fix);
        }
        let rest = self.b.ins().srem(x, y);
        let sign = self.b.ins().sshr_imm_u(rest, 63);
        let fix = self.b.ins().band(sign, y);
        self.b.ins().iadd(rest, fix)
    }

    /// Division by what is neither 0 nor -1. Machines round towards zero, Python does not.
    fn floored(&mut self, quotient: bool, x: Value, y: Value) -> Value {
        let towards_zero = if quotient { Some(self.b.ins().sdiv(x, y)) } else { None };
        let rest = match towards_zero {
            Some(result) => {
                let back = self.b.ins().imul(result, y);
                self.b.ins().isub(x, back)
            }
            None => self.b.ins().srem(x, y),
        };
        let signs = self.b.ins().bxor(rest, y);
        let differ = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, signs, 0);
        let some = self.b.ins().icmp_imm_s(IntCC::NotEqual, rest, 0);
        let fix = self.b.ins().band(differ, some);
        match towards_zero {
            Some(result) => {
                let fix = self.b.ins().uextend(I64, fix);
                self.b.ins().isub(result, fix)
            }
            None => {
                let fixed = self.b.ins().iadd(rest, y);
                self.b.ins().select(fix, fixed, rest)
            }
        }
    }

    /// An integer with a double, exactly: up to 2**53 as doubles, beyond as integers.
    fn compare_mixed(&mut self, flags: u32, x: Value, y: Value) -> Value {
        let shifted = self.b.ins().iadd_imm_s(x, 1 << 53);
        let large = self.b.ins().icmp_imm_s(IntCC::UnsignedGreaterThan, shifted, 1 << 54);
        self.unless(
            large,
            |this| {
                let double = this.b.ins().fcvt_from_sint(F64, x);
                this.b.ins().fcmp(float_compare(flags), double, y)
            },
            |this| this.compare_large(flags, x, y),
        )
    }

    /// For |x| > 2**53: a y near x is whole, so y cut to 64 bits says the same; a y outside of 64
    /// bits is greater or less than every x.
    fn compare_large(&mut self, flags: u32, x: Value, y: Value) -> Value {
        let whole = self.b.ins().fcvt_to_sint_sat(I64, y);
        let compare = int_compare(flags);
        let inside = self.b.ins().icmp(compare, x, whole);
        let bound = self.b.ins().f64const(TWO_TO_63);
        let above = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, y, bound);
        let bound = self.b.ins().f64const(-TWO_TO_63);
        let below = self.b.ins().fcmp(FloatCC::LessThan, y, bound);
        let unordered = self.b.ins().fcmp(FloatCC::Unordered, y, y);
        let less = matches!(flags, 1..=3); // NE, LT, LE
        let greater = matches!(flags, 1 | 4 | 5); // NE, GT, GE
        let (less, greater, unequal) =
            (self.truth(less), self.truth(greater), self.truth(flags == 1));
        let result = self.b.ins().select(above, less, inside);
        let result = self.b.ins().select(below, greater, result);
        self.b.ins().select(unordered, unequal, result)
    }
}

fn float_compare(flags: u32) -> FloatCC {
    match flags {
        0 => FloatCC::Equal,
        1 => FloatCC::NotEqual,
        2 => FloatCC::LessThan,
        3 => FloatCC::LessThanOrEqual,
        4 => FloatCC::GreaterThan,
        _ => FloatCC::GreaterThanOrEqual,
    }
}

fn int_compare(flags: u32) -> IntCC {
    match flags {
        0 => IntCC::Equal,
        1 => IntCC::NotEqual,
        2 => IntCC::SignedLessThan,
        3 => IntCC::SignedLessThanOrEqual,
        4 => IntCC::SignedGreaterThan,
        _ => IntCC::SignedGreaterThanOrEqual,
    }
}
