//! Reads words and refuses whatever is no valid program; the rules are those of
//! `iris/jit/check.py`.
//!
//! Nothing of what the words claim is believed before it is checked: lengths are compared with
//! the limits and with the words that are there before anything is allocated.

use crate::ops::*;

pub const MAGIC: u32 = 0x314A_5249;
pub const VERSION: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    pub kind: Type,
    /// Of a buffer; no meaning otherwise.
    pub format: Format,
    pub writable: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Instr {
    pub op: Op,
    pub flags: u32,
    pub operands: [u32; 3],
}

impl Instr {
    /// The 64 bits of CONST_I and CONST_F.
    pub fn bits(&self) -> u64 {
        u64::from(self.operands[1]) | u64::from(self.operands[2]) << 32
    }
}

#[derive(Debug)]
pub struct Function {
    pub params: Vec<Param>,
    pub locals: Vec<Type>,
    pub outs: u32,
    pub code: Vec<Instr>,
}

#[derive(Debug)]
pub struct Program {
    pub functions: Vec<Function>,
}

/// Why words are refused, and which word it is.
#[derive(Debug)]
pub struct Refused {
    pub word: usize,
    pub reason: String,
}

impl Program {
    /// Reads and checks all words.
    pub fn read(words: &[u32]) -> Result<Program, Refused> {
        let mut reader = Reader { words, at: 0 };
        reader.expect(MAGIC, "this is no program")?;
        reader.expect(VERSION, "another version")?;
        let count = reader.number(FUNCTIONS_MAX, "functions")?;
        if count == 0 {
            return Err(reader.refused("there is no function"));
        }
        let mut functions = Vec::new();
        let mut starts = Vec::new();
        let mut operations = 0;
        for _ in 0..count {
            let function = reader.function()?;
            operations += function.code.len();
            if operations > OPERATIONS_MAX {
                return Err(reader.refused("more instructions than may be"));
            }
            starts.push(reader.at - 4 * function.code.len());
            functions.push(function);
        }
        if reader.at != words.len() {
            return Err(Refused { word: reader.at, reason: "words behind the end".into() });
        }
        for (function, &start) in functions.iter().zip(&starts) {
            Checker::new(&functions, function).run(start)?;
        }
        Ok(Program { functions })
    }

    /// Whether any function calls one.
    pub fn has_calls(&self) -> bool {
        self.functions.iter().any(Function::has_calls)
    }
}

impl Function {
    pub fn has_calls(&self) -> bool {
        self.code.iter().any(|one| one.op == Op::CALL)
    }

    /// How many argument slots it takes.
    pub fn arg_slots(&self) -> u32 {
        slots_of(&self.params).1
    }

    /// The type of the value that an instruction gives.
    fn given(&self, one: &Instr, types: &[Option<Type>]) -> Option<Type> {
        match one.op.gives() {
            Gives::Nothing => None,
            Gives::Int => Some(Type::Int),
            Gives::Float => Some(Type::Float),
            Gives::Bool => Some(Type::Bool),
            Gives::Depends => match one.op {
                Op::ARG => Some(self.params[one.operands[0] as usize].kind),
                Op::GET => Some(self.locals[one.operands[0] as usize]),
                Op::LOAD => Some(self.params[one.operands[0] as usize].format.value()),
                Op::RESULT => Type::of(one.flags),
                _ => types[one.operands[1] as usize], // SELECT
            },
        }
    }
}

/// The first argument slot of each parameter, and the number of all slots.
pub fn slots_of(params: &[Param]) -> (Vec<u32>, u32) {
    let mut at = 0;
    let slots = params
        .iter()
        .map(|param| {
            let slot = at;
            at += if param.kind == Type::Buffer { 2 } else { 1 };
            slot
        })
        .collect();
    (slots, at)
}

struct Reader<'a> {
    words: &'a [u32],
    at: usize,
}

impl Reader<'_> {
    /// A refusal of the word that was read last.
    fn refused(&self, reason: impl Into<String>) -> Refused {
        Refused { word: self.at.saturating_sub(1), reason: reason.into() }
    }

    fn word(&mut self) -> Result<u32, Refused> {
        let Some(&word) = self.words.get(self.at) else {
            return Err(Refused { word: self.at, reason: "the words end here".into() });
        };
        self.at += 1;
        Ok(word)
    }

    fn expect(&mut self, wanted: u32, reason: &str) -> Result<(), Refused> {
        if self.word()? == wanted { Ok(()) } else { Err(self.refused(reason)) }
    }

    fn number(&mut self, most: u32, what: &str) -> Result<u32, Refused> {
        let number = self.word()?;
        if number > most {
            return Err(self.refused(format!("{number} {what}, where at most {most} may be")));
        }
        Ok(number)
    }

    fn function(&mut self) -> Result<Function, Refused> {
        let params = self.number(PARAMS_MAX, "parameters")?;
        let locals = self.number(LOCALS_MAX, "locals")?;
        let outs = self.number(OUT_SLOTS_MAX, "result slots")?;
        let count = self.number(OPERATIONS_MAX as u32, "instructions")?;
        if count == 0 {
            return Err(self.refused("there is no code"));
        }
        if self.words.len() - self.at < (params + locals + 4 * count) as usize {
            return Err(self.refused("the words end inside this function"));
        }
        Ok(Function {
            params: (0..params).map(|_| self.param()).collect::<Result<_, _>>()?,
            locals: (0..locals).map(|_| self.local()).collect::<Result<_, _>>()?,
            outs,
            code: (0..count).map(|_| self.instr()).collect::<Result<_, _>>()?,
        })
    }

    fn param(&mut self) -> Result<Param, Refused> {
        let word = self.word()?;
        let (kind, format) = (Type::of(word & 0xFF), Format::of(word >> 8 & 0xFF));
        let (Some(kind), Some(format), true) = (kind, format, word >> 17 == 0) else {
            return Err(self.refused("no parameter"));
        };
        if kind != Type::Buffer && word >> 8 != 0 {
            return Err(self.refused("a scalar parameter with a format"));
        }
        Ok(Param { kind, format, writable: word >> 16 != 0 })
    }

    fn local(&mut self) -> Result<Type, Refused> {
        match Type::of(self.word()?) {
            Some(kind) if kind != Type::Buffer => Ok(kind),
            _ => Err(self.refused("no type of a local")),
        }
    }

    fn instr(&mut self) -> Result<Instr, Refused> {
        let word = self.word()?;
        let Some(op) = Op::of(word & 0xFF) else {
            return Err(self.refused("there is no such operation"));
        };
        let flags = word >> 8;
        let good = match op.flags() {
            Flags::Bits(bits) => flags & !bits == 0,
            Flags::Range(least, most) => (least..=most).contains(&flags),
        };
        if !good {
            return Err(self.refused(format!("flags {flags}")));
        }
        Ok(Instr { op, flags, operands: [self.word()?, self.word()?, self.word()?] })
    }
}

/// A construct that is open; the function itself is the outermost.
struct Construct {
    /// None for the function, ELSE for the second arm of an IF.
    op: Option<Op>,
    /// The values of this construct, or of the current arm.
    values: Vec<usize>,
    /// What the last call was at its beginning.
    called_before: Option<usize>,
    /// Whether there has been a call inside.
    calls: bool,
}

/// What a PUT has filled a slot with.
#[derive(Clone, Copy)]
enum Put {
    Value(Type),
    Buffer(Param),
}

/// One walk over the code of one function.
struct Checker<'a> {
    functions: &'a [Function],
    function: &'a Function,
    open: Vec<Construct>,
    /// By instruction: the type while the value can be used.
    types: Vec<Option<Type>>,
    /// The last instruction was one after which nothing of the construct can be reached.
    left: bool,
    /// What the PUTs so far have filled.
    puts: Vec<(u32, Put)>,
    /// The function whose results RESULT reads.
    called: Option<usize>,
}

type Checked = Result<(), String>;

fn bad<T>(reason: impl Into<String>) -> Result<T, String> {
    Err(reason.into())
}

impl<'a> Checker<'a> {
    fn new(functions: &'a [Function], function: &'a Function) -> Self {
        let outermost =
            Construct { op: None, values: Vec::new(), called_before: None, calls: false };
        Checker {
            functions,
            function,
            open: vec![outermost],
            types: vec![None; function.code.len()],
            left: false,
            puts: Vec::new(),
            called: None,
        }
    }

    /// Checks all instructions and the end; `start` is the word where they begin.
    fn run(mut self, start: usize) -> Result<(), Refused> {
        for (index, one) in self.function.code.iter().enumerate() {
            self.instruction(index, one)
                .map_err(|reason| Refused { word: start + 4 * index, reason })?;
        }
        let reason = if self.open.len() > 1 {
            "a construct is not closed"
        } else if !self.left {
            "the last instruction is neither RET nor FAIL"
        } else {
            return Ok(());
        };
        Err(Refused { word: start + 4 * (self.function.code.len() - 1), reason: reason.into() })
    }

    fn instruction(&mut self, index: usize, one: &Instr) -> Checked {
        if self.left && !matches!(one.op, Op::END | Op::ELSE) {
            return bad("it cannot be reached");
        }
        self.left = false;
        let uses = one.op.operands();
        for (place, &operand) in one.operands.iter().enumerate() {
            match uses.get(place) {
                Some(Use::Literal) => break,
                Some(&wanted) => self.operand(one, place, wanted, operand)?,
                None if operand != 0 => return bad("an operand too many"),
                None => (),
            }
        }
        match one.op {
            Op::CONST_I | Op::CONST_F if one.operands[0] != 0 => return bad("no literal"),
            Op::CONST_B if one.operands[0] > 1 || one.bits() != 0 => return bad("no literal"),
            Op::BLOCK | Op::LOOP | Op::IF => self.opening(one.op)?,
            Op::ELSE | Op::END => self.closing(one.op)?,
            Op::PUT => {
                let kind = self.types[one.operands[1] as usize];
                self.put(one.operands[0], Put::Value(kind.unwrap_or(Type::Int)))?;
            }
            Op::PUT_BUFFER => {
                let param = self.function.params[one.operands[1] as usize];
                self.put(one.operands[0], Put::Buffer(param))?;
            }
            Op::CALL => self.call(one.operands[0] as usize)?,
            Op::BR | Op::FAIL | Op::RET => {
                self.no_puts()?;
                self.left = true;
            }
            _ => (),
        }
        if let Some(kind) = self.function.given(one, &self.types) {
            self.types[index] = Some(kind);
            self.inner().values.push(index);
        }
        Ok(())
    }

    fn inner(&mut self) -> &mut Construct {
        self.open.last_mut().expect("the function itself is open to the end")
    }

    fn operand(&self, one: &Instr, place: usize, wanted: Use, operand: u32) -> Checked {
        let params = &self.function.params;
        let at = operand as usize;
        let end = match wanted {
            Use::Literal => return Ok(()),
            Use::Int
            | Use::Float
            | Use::Bool
            | Use::Any
            | Use::Same
            | Use::Item
            | Use::LocalValue => return self.value(one, place, wanted, at),
            Use::Param | Use::Buffer => {
                let Some(param) = params.get(at) else {
                    return bad(format!("there is no parameter {at}"));
                };
                if (param.kind == Type::Buffer) != (wanted == Use::Buffer) {
                    return bad(format!("parameter {at} is {:?}", param.kind));
                }
                if one.op == Op::STORE && !param.writable {
                    return bad(format!("buffer {at} is not writable"));
                }
                return Ok(());
            }
            Use::Status if operand == STATUS_RERUN as u32 => return Ok(()),
            Use::Status => return bad(format!("status {operand}")),
            Use::Local => self.function.locals.len(),
            Use::Depth => self.open.len() - 1,
            Use::Function => self.functions.len(),
            Use::Slot => match (one.op, self.called) {
                (Op::OUT, _) => self.function.outs as usize,
                (Op::RESULT, Some(called)) => self.functions[called].outs as usize,
                (Op::RESULT, None) => 0,
                _ => 2 * PARAMS_MAX as usize, // the slots of a call, which `call` checks
            },
        };
        if at >= end {
            return bad(format!("{wanted:?} {at}, where there are {end}"));
        }
        Ok(())
    }

    fn value(&self, one: &Instr, place: usize, wanted: Use, at: usize) -> Checked {
        let Some(found) = self.types.get(at).copied().flatten() else {
            return bad(format!("%{at} is no value here"));
        };
        let first = one.operands[0] as usize;
        let kind = match wanted {
            Use::Int => Type::Int,
            Use::Float => Type::Float,
            Use::Bool => Type::Bool,
            // Their first operand has been checked before.
            Use::LocalValue => self.function.locals[first],
            Use::Item => self.function.params[first].format.value(),
            Use::Same if place == 2 => self.types[one.operands[1] as usize].unwrap_or(found),
            _ => found,
        };
        if found != kind {
            return bad(format!("%{at} is {found:?}"));
        }
        Ok(())
    }

    fn no_puts(&self) -> Checked {
        if self.puts.is_empty() { Ok(()) } else { bad("a PUT before it has no CALL") }
    }

    fn opening(&mut self, op: Op) -> Checked {
        self.no_puts()?;
        if self.open.len() > DEPTH_MAX {
            return bad("too many constructs inside each other");
        }
        let called_before = self.called;
        self.open.push(Construct { op: Some(op), values: Vec::new(), called_before, calls: false });
        if op == Op::LOOP {
            self.called = None;
        }
        Ok(())
    }

    fn closing(&mut self, op: Op) -> Checked {
        self.no_puts()?;
        match (op, self.inner().op) {
            (_, None) => return bad("it closes nothing"),
            (Op::ELSE, Some(inner)) if inner != Op::IF => return bad("it is in no IF"),
            _ => (),
        }
        for value in std::mem::take(&mut self.inner().values) {
            self.types[value] = None;
        }
        if op == Op::ELSE {
            self.inner().op = Some(Op::ELSE);
            self.called = self.inner().called_before;
            return Ok(());
        }
        if let Some(inner) = self.open.pop() {
            self.called = if inner.calls { None } else { inner.called_before };
            self.inner().calls |= inner.calls;
        }
        Ok(())
    }

    fn put(&mut self, slot: u32, what: Put) -> Checked {
        if self.puts.iter().any(|&(filled, _)| filled == slot) {
            return bad(format!("slot {slot} is filled twice"));
        }
        self.puts.push((slot, what));
        Ok(())
    }

    fn call(&mut self, callee: usize) -> Checked {
        let params = &self.functions[callee].params;
        if self.puts.len() != params.len() {
            return bad(format!("{} arguments instead of {}", self.puts.len(), params.len()));
        }
        for (slot, param) in slots_of(params).0.into_iter().zip(params) {
            let put = self.puts.iter().find(|&&(filled, _)| filled == slot);
            let fits = match put.map(|&(_, what)| what) {
                Some(Put::Value(kind)) => kind == param.kind,
                Some(Put::Buffer(own)) => {
                    param.kind == Type::Buffer
                        && own.format == param.format
                        && (own.writable || !param.writable)
                }
                None => false,
            };
            if !fits {
                let reason = format!("the argument in slot {slot} is missing or of another type");
                return bad(reason);
            }
        }
        self.puts.clear();
        self.called = Some(callee);
        self.inner().calls = true;
        Ok(())
    }
}

#[cfg(test)]
#[path = "ir_tests.rs"]
mod tests;
