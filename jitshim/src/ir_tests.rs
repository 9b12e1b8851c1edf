//! Each rule of `ir`, broken once.

use super::*;

const INT: u32 = 0;
const FLOAT: u32 = 1;
const BOOL: u32 = 2;
/// A buffer of doubles, read only; and one that may be written.
const READ: u32 = 3;
const WRITE: u32 = 3 | 1 << 16;

fn op(op: Op, operands: &[u32]) -> [u32; 4] {
    flagged(op, 0, operands)
}

fn flagged(op: Op, flags: u32, operands: &[u32]) -> [u32; 4] {
    let mut words = [op as u32 | flags << 8, 0, 0, 0];
    words[1..=operands.len()].copy_from_slice(operands);
    words
}

/// One function: parameters, locals, result slots, code.
fn function(params: &[u32], locals: &[u32], outs: u32, code: &[[u32; 4]]) -> Vec<u32> {
    let mut words = vec![params.len() as u32, locals.len() as u32, outs, code.len() as u32];
    words.extend_from_slice(params);
    words.extend_from_slice(locals);
    words.extend(code.iter().flatten());
    words
}

fn program(functions: &[Vec<u32>]) -> Vec<u32> {
    let mut words = vec![MAGIC, VERSION, functions.len() as u32];
    functions.iter().for_each(|one| words.extend_from_slice(one));
    words
}

fn verdict(words: &[u32]) -> String {
    match Program::read(words) {
        Ok(_) => "good".to_owned(),
        Err(refused) => refused.reason,
    }
}

/// The verdict on code with parameters int, float, bool, two buffers, and a local of each type.
fn of(code: &[[u32; 4]]) -> String {
    let function = function(&[INT, FLOAT, BOOL, READ, WRITE], &[INT, FLOAT, BOOL], 2, code);
    verdict(&program(&[function]))
}

fn ret() -> [u32; 4] {
    op(Op::RET, &[])
}

#[test]
fn the_frame_of_a_program_is_checked() {
    let good = program(&[function(&[], &[], 0, &[ret()])]);
    assert_eq!(verdict(&good), "good");
    for length in 0..good.len() {
        assert!(verdict(&good[..length]).contains("end"), "{length} words");
    }
    let changed = |at: usize, word: u32| {
        let mut words = good.clone();
        words[at] = word;
        verdict(&words)
    };
    assert_eq!(changed(0, 1), "this is no program");
    assert_eq!(changed(1, 2), "another version");
    assert_eq!(changed(2, 0), "there is no function");
    assert_eq!(changed(2, 65), "65 functions, where at most 64 may be");
    assert_eq!(changed(2, 2), "the words end here");
    assert_eq!(changed(3, 65), "65 parameters, where at most 64 may be");
    assert_eq!(changed(4, u32::MAX), "4294967295 locals, where at most 4096 may be");
    assert_eq!(changed(5, 18), "18 result slots, where at most 17 may be");
    assert_eq!(changed(6, 5001), "5001 instructions, where at most 5000 may be");
    assert_eq!(changed(6, 5000), "the words end inside this function");
    assert_eq!(changed(6, 0), "there is no code");
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(verdict(&longer), "words behind the end");
}

#[test]
fn the_instructions_of_all_functions_together_are_limited() {
    let mut code = vec![op(Op::CONST_B, &[]); 2500];
    *code.last_mut().expect("one") = ret();
    let half = function(&[], &[], 0, &code);
    assert_eq!(verdict(&program(&[half.clone(), half.clone()])), "good");
    let one = function(&[], &[], 0, &[ret()]);
    assert_eq!(verdict(&program(&[half.clone(), half, one])), "more instructions than may be");
}

#[test]
fn parameters_and_locals_have_types() {
    let with = |params: &[u32], locals: &[u32]| {
        verdict(&program(&[function(params, locals, 0, &[ret()])]))
    };
    assert_eq!(with(&[READ | 10 << 8, INT], &[BOOL]), "good");
    assert_eq!(with(&[4], &[]), "no parameter");
    assert_eq!(with(&[READ | 11 << 8], &[]), "no parameter");
    assert_eq!(with(&[READ | 1 << 17], &[]), "no parameter");
    assert_eq!(with(&[INT | 1 << 8], &[]), "a scalar parameter with a format");
    assert_eq!(with(&[INT | 1 << 16], &[]), "a scalar parameter with a format");
    assert_eq!(with(&[], &[READ]), "no type of a local");
}

#[test]
fn operands_are_of_the_type_that_the_rule_says() {
    let (int, float) = (op(Op::ARG, &[0]), op(Op::ARG, &[1]));
    assert_eq!(of(&[int, op(Op::IADD, &[0, 0]), ret()]), "good");
    assert_eq!(of(&[float, op(Op::IADD, &[0, 0]), ret()]), "%0 is Float");
    assert_eq!(of(&[int, op(Op::FADD, &[0, 0]), ret()]), "%0 is Int");
    assert_eq!(of(&[int, op(Op::NOT, &[0]), ret()]), "%0 is Int");
    assert_eq!(of(&[op(Op::IADD, &[0, 0]), ret()]), "%0 is no value here");
    assert_eq!(of(&[int, op(Op::INEG, &[2]), int, ret()]), "%2 is no value here");
    assert_eq!(of(&[int, op(Op::INEG, &[u32::MAX]), ret()]), "%4294967295 is no value here");
    assert_eq!(of(&[int, op(Op::INEG, &[0, 1]), ret()]), "an operand too many");
    let select = [int, float, op(Op::ARG, &[2]), op(Op::SELECT, &[2, 0, 1]), ret()];
    assert_eq!(of(&select), "%1 is Float");
    let both = [float, op(Op::ARG, &[2]), op(Op::SELECT, &[1, 0, 0]), op(Op::FNEG, &[2]), ret()];
    assert_eq!(of(&both), "good");
    assert_eq!(of(&[int, op(Op::SET, &[0, 0]), ret()]), "good");
    assert_eq!(of(&[int, op(Op::SET, &[1, 0]), ret()]), "%0 is Int");
    assert_eq!(of(&[int, op(Op::SET, &[3, 0]), ret()]), "Local 3, where there are 3");
    assert_eq!(of(&[op(Op::GET, &[3]), ret()]), "Local 3, where there are 3");
    assert_eq!(of(&[op(Op::ARG, &[5]), ret()]), "there is no parameter 5");
    assert_eq!(of(&[op(Op::ARG, &[3]), ret()]), "parameter 3 is Buffer");
    assert_eq!(of(&[op(Op::LEN, &[0]), ret()]), "parameter 0 is Int");
}

#[test]
fn literals_and_flags_are_what_they_may_be() {
    assert_eq!(of(&[op(Op::CONST_I, &[0, 9, 9]), ret()]), "good");
    assert_eq!(of(&[op(Op::CONST_I, &[1, 9, 9]), ret()]), "no literal");
    assert_eq!(of(&[op(Op::CONST_F, &[1]), ret()]), "no literal");
    assert_eq!(of(&[op(Op::CONST_B, &[2]), ret()]), "no literal");
    assert_eq!(of(&[op(Op::CONST_B, &[1, 1]), ret()]), "no literal");
    let two = |one: Op, flags| of(&[op(Op::ARG, &[0]), flagged(one, flags, &[0, 0]), ret()]);
    assert_eq!(two(Op::IADD, 1), "good");
    assert_eq!(two(Op::IADD, 2), "flags 2");
    assert_eq!(two(Op::IDIV, 3), "good");
    assert_eq!(two(Op::IAND, 1), "flags 1");
    assert_eq!(two(Op::ICMP, 5), "good");
    assert_eq!(two(Op::ICMP, 6), "flags 6");
    let float = op(Op::ARG, &[1]);
    assert_eq!(of(&[float, flagged(Op::MATH1, 22, &[0]), ret()]), "flags 22");
    assert_eq!(of(&[float, flagged(Op::MATH2, 31, &[0, 0]), ret()]), "flags 31");
    assert_eq!(of(&[float, flagged(Op::MATH2, 35, &[0, 0]), ret()]), "good");
    assert_eq!(of(&[float, flagged(Op::MATH2, 36, &[0, 0]), ret()]), "flags 36");
    assert_eq!(of(&[[200, 0, 0, 0], ret()]), "there is no such operation");
}

#[test]
fn buffers_are_stored_into_only_where_they_may_be() {
    let item = [op(Op::ARG, &[0]), op(Op::ARG, &[1])];
    let with = |code: [u32; 4]| of(&[item[0], item[1], code, ret()]);
    assert_eq!(with(op(Op::LOAD, &[3, 0])), "good");
    assert_eq!(with(op(Op::STORE, &[4, 0, 1])), "good");
    assert_eq!(with(op(Op::STORE, &[3, 0, 1])), "buffer 3 is not writable");
    assert_eq!(with(op(Op::STORE, &[4, 0, 0])), "%0 is Int");
    assert_eq!(with(op(Op::STORE, &[4, 1, 1])), "%1 is Float");
    assert_eq!(with(flagged(Op::INDEX, 1, &[3, 0])), "flags 1");
    assert_eq!(with(op(Op::INDEX, &[0, 0])), "parameter 0 is Int");
}

#[test]
fn values_end_with_the_construct_or_the_arm_that_holds_them() {
    let (int, yes) = (op(Op::ARG, &[0]), op(Op::ARG, &[2]));
    let (end, other) = (op(Op::END, &[]), op(Op::ELSE, &[]));
    let arm = |second: [u32; 4]| of(&[yes, op(Op::IF, &[0]), int, other, second, end, ret()]);
    assert_eq!(arm(op(Op::NOT, &[0])), "good");
    assert_eq!(arm(op(Op::INEG, &[2])), "%2 is no value here");
    let block = [op(Op::BLOCK, &[]), int, end, op(Op::INEG, &[1]), ret()];
    assert_eq!(of(&block), "%1 is no value here");
    let inner = [op(Op::BLOCK, &[]), int, op(Op::LOOP, &[]), op(Op::INEG, &[1]), end, end, ret()];
    assert_eq!(of(&inner), "good");
}

#[test]
fn constructs_open_and_close_in_order() {
    let (yes, end) = (op(Op::ARG, &[2]), op(Op::END, &[]));
    assert_eq!(of(&[end, ret()]), "it closes nothing");
    assert_eq!(of(&[op(Op::ELSE, &[]), ret()]), "it closes nothing");
    assert_eq!(of(&[op(Op::LOOP, &[]), op(Op::ELSE, &[]), end, ret()]), "it is in no IF");
    let twice = [yes, op(Op::IF, &[0]), op(Op::ELSE, &[]), op(Op::ELSE, &[]), end, ret()];
    assert_eq!(of(&twice), "it is in no IF");
    assert_eq!(of(&[op(Op::BLOCK, &[]), ret()]), "a construct is not closed");
    let nested = |depth: usize| {
        let mut code = vec![op(Op::BLOCK, &[]); depth];
        code.extend(vec![end; depth]);
        code.push(ret());
        of(&code)
    };
    assert_eq!(nested(DEPTH_MAX), "good");
    assert_eq!(nested(DEPTH_MAX + 1), "too many constructs inside each other");
}

#[test]
fn nothing_stands_where_it_cannot_be_reached_and_nothing_falls_off_the_end() {
    let (int, end) = (op(Op::ARG, &[0]), op(Op::END, &[]));
    assert_eq!(of(&[ret(), int]), "it cannot be reached");
    assert_eq!(of(&[op(Op::LOOP, &[]), op(Op::BR, &[0]), int, end, ret()]), "it cannot be reached");
    assert_eq!(of(&[op(Op::LOOP, &[]), op(Op::BR, &[0]), end, ret()]), "good");
    assert_eq!(of(&[int]), "the last instruction is neither RET nor FAIL");
    assert_eq!(
        of(&[op(Op::BLOCK, &[]), ret(), end]),
        "the last instruction is neither RET nor FAIL"
    );
    assert_eq!(of(&[op(Op::FAIL, &[1])]), "good");
    assert_eq!(of(&[op(Op::FAIL, &[0])]), "status 0");
    assert_eq!(of(&[op(Op::FAIL, &[3])]), "status 3");
    assert_eq!(of(&[op(Op::BR, &[0])]), "Depth 0, where there are 0");
    assert_eq!(
        of(&[op(Op::LOOP, &[]), op(Op::BR, &[1]), end, ret()]),
        "Depth 1, where there are 1"
    );
}

#[test]
fn result_slots_are_those_of_the_function() {
    let int = op(Op::ARG, &[0]);
    assert_eq!(of(&[int, op(Op::OUT, &[1, 0]), ret()]), "good");
    assert_eq!(of(&[int, op(Op::OUT, &[2, 0]), ret()]), "Slot 2, where there are 2");
    assert_eq!(of(&[int, op(Op::OUT, &[0, 1]), ret()]), "%1 is no value here");
}

/// The verdict on a caller whose parameters are those of the called function: int, buffer.
fn calling(code: &[[u32; 4]]) -> String {
    let callee = function(&[INT, WRITE], &[], 1, &[ret()]);
    verdict(&program(&[function(&[INT, WRITE, READ, FLOAT], &[], 0, code), callee]))
}

#[test]
fn calls_have_exactly_the_arguments_of_the_called_function() {
    let (int, float) = (op(Op::ARG, &[0]), op(Op::ARG, &[3]));
    let (number, buffer) = (op(Op::PUT, &[0, 0]), op(Op::PUT_BUFFER, &[1, 1]));
    let call = op(Op::CALL, &[1]);
    assert_eq!(calling(&[int, number, buffer, call, ret()]), "good");
    assert_eq!(calling(&[int, buffer, number, call, ret()]), "good");
    assert_eq!(calling(&[int, number, call, ret()]), "1 arguments instead of 2");
    assert_eq!(calling(&[int, number, number, call, ret()]), "slot 0 is filled twice");
    let missing = "the argument in slot 1 is missing or of another type";
    assert_eq!(calling(&[int, number, op(Op::PUT, &[1, 0]), call, ret()]), missing);
    assert_eq!(calling(&[int, number, op(Op::PUT_BUFFER, &[1, 2]), call, ret()]), missing);
    assert_eq!(calling(&[int, number, op(Op::PUT_BUFFER, &[2, 1]), call, ret()]), missing);
    let first = "the argument in slot 0 is missing or of another type";
    assert_eq!(calling(&[float, number, buffer, call, ret()]), first);
    assert_eq!(calling(&[op(Op::CALL, &[2]), ret()]), "Function 2, where there are 2");
    let pending = "a PUT before it has no CALL";
    assert_eq!(calling(&[int, number, ret()]), pending);
    assert_eq!(calling(&[int, number, op(Op::BLOCK, &[]), op(Op::END, &[]), ret()]), pending);
    assert_eq!(calling(&[int, op(Op::PUT, &[128, 0]), ret()]), "Slot 128, where there are 128");
}

#[test]
fn results_are_those_of_the_last_call() {
    let call =
        [op(Op::ARG, &[0]), op(Op::PUT, &[0, 0]), op(Op::PUT_BUFFER, &[1, 1]), op(Op::CALL, &[1])];
    let after = |code: &[[u32; 4]]| calling(&[&call, code, &[ret()]].concat());
    let result = op(Op::RESULT, &[0]);
    let (open, end) = (op(Op::BLOCK, &[]), op(Op::END, &[]));
    assert_eq!(after(&[result]), "good");
    assert_eq!(after(&[open, result, end, result]), "good");
    assert_eq!(after(&[op(Op::RESULT, &[1])]), "Slot 1, where there are 1");
    assert_eq!(calling(&[result, ret()]), "Slot 0, where there are 0");
    assert_eq!(after(&[op(Op::LOOP, &[]), result, end]), "Slot 0, where there are 0");
    let inside: Vec<_> = [&[open][..], &call[1..], &[end, result]].concat();
    assert_eq!(after(&inside), "Slot 0, where there are 0");
    assert_eq!(after(&[flagged(Op::RESULT, 3, &[0])]), "flags 3");
}
