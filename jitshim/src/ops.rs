//! The operations and their rules: the table of `iris/jit/ir.py`, which says what each means.
//!
//! A test of the Python side reads this file line by line and compares, so an entry is one line
//! and names are spelled as there.

/// The type of a value, a local or a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Int = 0,
    Float = 1,
    Bool = 2,
    /// A parameter only.
    Buffer = 3,
}

impl Type {
    pub fn of(number: u32) -> Option<Type> {
        [Type::Int, Type::Float, Type::Bool, Type::Buffer].get(number as usize).copied()
    }
}

/// The items of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    F64 = 0,
    F32 = 1,
    I8 = 2,
    I16 = 3,
    I32 = 4,
    I64 = 5,
    U8 = 6,
    U16 = 7,
    U32 = 8,
    U64 = 9,
    Bool = 10,
}

impl Format {
    pub fn of(number: u32) -> Option<Format> {
        use Format::*;
        [F64, F32, I8, I16, I32, I64, U8, U16, U32, U64, Bool].get(number as usize).copied()
    }

    /// The type of an item as a value.
    pub fn value(self) -> Type {
        match self {
            Format::F64 | Format::F32 => Type::Float,
            Format::Bool => Type::Bool,
            _ => Type::Int,
        }
    }

    /// The binary logarithm of the size of an item in bytes.
    pub fn shift(self) -> u8 {
        match self {
            Format::I8 | Format::U8 | Format::Bool => 0,
            Format::I16 | Format::U16 => 1,
            Format::F32 | Format::I32 | Format::U32 => 2,
            Format::F64 | Format::I64 | Format::U64 => 3,
        }
    }
}

/// What an operand is; see `Use` in ir.py.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Int,
    Float,
    Bool,
    Any,
    Same,
    Item,
    Literal,
    Param,
    Buffer,
    Local,
    LocalValue,
    Depth,
    Slot,
    Status,
    Function,
}

impl Use {
    /// Whether the operand is a value, named by its instruction.
    pub fn is_value(self) -> bool {
        use Use::*;
        matches!(self, Int | Float | Bool | Any | Same | Item | LocalValue)
    }
}

/// What an instruction gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    Nothing,
    Int,
    Float,
    Bool,
    /// A value whose type depends on an operand or on the flags.
    Depends,
}

/// Which flags an operation may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flags {
    /// Any of these bits.
    Bits(u32),
    /// One number, from the first to the last.
    Range(u32, u32),
}

/// CHECKED and NONNEGATIVE of ir.py.
pub const CHECKED: u32 = 1;
pub const NONNEGATIVE: u32 = 2;

pub const STATUS_DONE: i32 = 0;
pub const STATUS_RERUN: i32 = 1;
pub const STATUS_INTERRUPTED: i32 = 3;

pub const OPERATIONS_MAX: usize = 5000;
pub const OUT_SLOTS_MAX: u32 = 17;
pub const PARAMS_MAX: u32 = 64;
pub const LOCALS_MAX: u32 = 4096;
pub const FUNCTIONS_MAX: u32 = 64;
pub const DEPTH_MAX: usize = 200;
pub const CALLS_OPEN_MAX: i64 = 1_000;

macro_rules! ops {
    ($($name:ident = $number:literal, [$($operand:ident),*], $gives:ident, $flags:ident($($bound:literal),+);)*) => {
        /// An operation, numbered as in the words.
        // The names are those of ir.py.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Op { $($name = $number,)* }

        impl Op {
            pub fn of(number: u32) -> Option<Op> {
                match number {
                    $($number => Some(Op::$name),)*
                    _ => None,
                }
            }

            pub fn operands(self) -> &'static [Use] {
                match self { $(Op::$name => &[$(Use::$operand),*],)* }
            }

            pub fn gives(self) -> Gives {
                match self { $(Op::$name => Gives::$gives,)* }
            }

            pub fn flags(self) -> Flags {
                match self { $(Op::$name => Flags::$flags($($bound),+),)* }
            }
        }

        #[cfg(test)]
        pub const ALL: &[Op] = &[$(Op::$name),*];
    };
}

#[rustfmt::skip]
ops! {
    CONST_I = 1, [Literal], Int, Bits(0);
    CONST_F = 2, [Literal], Float, Bits(0);
    CONST_B = 3, [Literal], Bool, Bits(0);
    ARG = 4, [Param], Depends, Bits(0);
    LEN = 5, [Buffer], Int, Bits(0);
    GET = 6, [Local], Depends, Bits(0);
    SET = 7, [Local, LocalValue], Nothing, Bits(0);
    FADD = 16, [Float, Float], Float, Bits(0);
    FSUB = 17, [Float, Float], Float, Bits(0);
    FMUL = 18, [Float, Float], Float, Bits(0);
    FDIV = 19, [Float, Float], Float, Bits(0);
    FNEG = 20, [Float], Float, Bits(0);
    FABS = 21, [Float], Float, Bits(0);
    FSQRT = 22, [Float], Float, Bits(0);
    FFLOOR = 23, [Float], Float, Bits(0);
    FCEIL = 24, [Float], Float, Bits(0);
    FTRUNC = 25, [Float], Float, Bits(0);
    FNEAREST = 26, [Float], Float, Bits(0);
    FCOPYSIGN = 27, [Float, Float], Float, Bits(0);
    FCMP = 28, [Float, Float], Bool, Range(0, 5);
    MATH1 = 29, [Float], Float, Range(0, 21);
    MATH2 = 30, [Float, Float], Float, Range(32, 35);
    IADD = 40, [Int, Int], Int, Bits(1);
    ISUB = 41, [Int, Int], Int, Bits(1);
    IMUL = 42, [Int, Int], Int, Bits(1);
    INEG = 43, [Int], Int, Bits(1);
    IABS = 44, [Int], Int, Bits(1);
    IDIV = 45, [Int, Int], Int, Bits(3);
    IMOD = 46, [Int, Int], Int, Bits(3);
    IAND = 47, [Int, Int], Int, Bits(0);
    IOR = 48, [Int, Int], Int, Bits(0);
    IXOR = 49, [Int, Int], Int, Bits(0);
    ISHL = 50, [Int, Int], Int, Bits(1);
    ISHR = 51, [Int, Int], Int, Bits(1);
    ICMP = 52, [Int, Int], Bool, Range(0, 5);
    IFCMP = 53, [Int, Float], Bool, Range(0, 5);
    NOT = 60, [Bool], Bool, Bits(0);
    AND = 61, [Bool, Bool], Bool, Bits(0);
    OR = 62, [Bool, Bool], Bool, Bits(0);
    XOR = 63, [Bool, Bool], Bool, Bits(0);
    B2I = 64, [Bool], Int, Bits(0);
    I2F = 65, [Int], Float, Bits(0);
    F2I = 66, [Float], Int, Bits(1);
    BITS = 67, [Float], Int, Bits(0);
    UNBITS = 68, [Int], Float, Bits(0);
    SELECT = 69, [Bool, Same, Same], Depends, Bits(0);
    INDEX = 80, [Buffer, Int], Int, Bits(2);
    LOAD = 81, [Buffer, Int], Depends, Bits(1);
    STORE = 82, [Buffer, Int, Item], Nothing, Bits(1);
    BLOCK = 96, [], Nothing, Bits(0);
    LOOP = 97, [], Nothing, Bits(0);
    IF = 98, [Bool], Nothing, Bits(0);
    ELSE = 99, [], Nothing, Bits(0);
    END = 100, [], Nothing, Bits(0);
    BR = 101, [Depth], Nothing, Bits(0);
    BRIF = 102, [Bool, Depth], Nothing, Bits(0);
    FAIL = 103, [Status], Nothing, Bits(0);
    FAILIF = 104, [Bool, Status], Nothing, Bits(0);
    OUT = 105, [Slot, Any], Nothing, Bits(0);
    RET = 106, [], Nothing, Bits(0);
    PUT = 112, [Slot, Any], Nothing, Bits(0);
    CALL = 113, [Function], Nothing, Bits(0);
    RESULT = 114, [Slot], Depends, Range(0, 2);
    PUT_BUFFER = 115, [Slot, Buffer], Nothing, Bits(0);
}

// The functions of the C library. They are the process's own, so that results are those of Python.
#[link(name = "m")]
unsafe extern "C" {
    safe fn sin(x: f64) -> f64;
    safe fn cos(x: f64) -> f64;
    safe fn tan(x: f64) -> f64;
    safe fn asin(x: f64) -> f64;
    safe fn acos(x: f64) -> f64;
    safe fn atan(x: f64) -> f64;
    safe fn sinh(x: f64) -> f64;
    safe fn cosh(x: f64) -> f64;
    safe fn tanh(x: f64) -> f64;
    safe fn asinh(x: f64) -> f64;
    safe fn acosh(x: f64) -> f64;
    safe fn atanh(x: f64) -> f64;
    safe fn exp(x: f64) -> f64;
    safe fn expm1(x: f64) -> f64;
    safe fn exp2(x: f64) -> f64;
    safe fn log(x: f64) -> f64;
    safe fn log10(x: f64) -> f64;
    safe fn log1p(x: f64) -> f64;
    safe fn log2(x: f64) -> f64;
    safe fn cbrt(x: f64) -> f64;
    safe fn erf(x: f64) -> f64;
    safe fn erfc(x: f64) -> f64;
    safe fn pow(x: f64, y: f64) -> f64;
    safe fn atan2(x: f64, y: f64) -> f64;
    safe fn fmod(x: f64, y: f64) -> f64;
    safe fn remainder(x: f64, y: f64) -> f64;
}

type Math1 = extern "C" fn(f64) -> f64;
type Math2 = extern "C" fn(f64, f64) -> f64;

/// The functions of one argument, by number.
#[rustfmt::skip]
const MATH1: [Math1; 22] = [
    sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh,
    exp, expm1, exp2, log, log10, log1p, log2, cbrt, erf, erfc,
];
/// Those of two arguments, from number 32 on.
const MATH2: [Math2; 4] = [pow, atan2, fmod, remainder];

/// The address of a function of the C library; the number is one that the rules allow.
pub fn math_address(number: u32) -> usize {
    match number.checked_sub(32) {
        Some(at) => MATH2[at as usize] as usize,
        None => MATH1[number as usize] as usize,
    }
}

/// Roughly how many simple operations an operation takes as long as: what a loop pays in fuel.
pub fn weight(op: Op) -> i64 {
    match op {
        Op::MATH1 | Op::MATH2 => 45,
        Op::IDIV | Op::IMOD | Op::FDIV | Op::FSQRT => 8,
        Op::CALL => 10,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_name_operations_both_ways() {
        for &op in ALL {
            assert_eq!(Op::of(op as u32), Some(op));
        }
        assert_eq!((0..=300).filter(|&number| Op::of(number).is_some()).count(), ALL.len());
    }

    #[test]
    fn types_and_formats_are_numbered_in_order() {
        for number in 0..20 {
            assert!(Type::of(number).is_none_or(|one| one as u32 == number));
            assert!(Format::of(number).is_none_or(|one| one as u32 == number));
        }
    }

    #[test]
    fn each_function_of_the_c_library_has_an_address_of_its_own() {
        let mut all: Vec<usize> = (0..22).chain(32..36).map(math_address).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 26);
    }
}
