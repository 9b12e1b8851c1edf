/* The contract between Iris and its compute sidecar.
 *
 * The sidecar turns programs of words (below; iris/jit/ir.py says what each operation means) into
 * machine code and frees it again. It never calls Python but through `tick`, never raises, prints
 * nothing, and keeps no reference to anything it is given. Every function may be called from any
 * thread at any time, also by several at once.
 *
 * cffi reads the declarations between the two marks as they are, so they stay plain C.
 */
#ifndef IRIS_JITSHIM_H
#define IRIS_JITSHIM_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

/* What a successful compilation gives. `entry` is for jit_call, `handle` for jit_free. */
typedef struct {
    uint64_t entry;
    uint64_t handle;
    uint32_t code_bytes;
    uint32_t functions;
} jit_code;

/* How much executable memory there is. `live` counts programs that are not freed. */
typedef struct {
    uint64_t used_bytes;
    uint64_t reserved_bytes;
    uint64_t live;
} jit_memory;

/* Called from a long loop, with the GIL not held, on the thread that made the call. A result of 0
 * lets the loop go on; anything else ends the call with status 3. It may end the thread. */
typedef int32_t (*jit_tick)(void);

/* Number of this contract. It changes with every change of what stands here or of the words. */
uint32_t jit_abi_version(void);

/* Validates and compiles `count` words. 0: `*code` is filled. Otherwise `message`, which has room
 * for `message_bytes`, says why, with a closing zero:
 *   1 the words are no valid program ("word 17: ..."), 2 the compiler refused it,
 *   3 the code would need relocations, 4 no memory for code, -1 a defect of the sidecar. */
int32_t jit_compile(const uint32_t *words, size_t count, jit_code *code,
                    char *message, size_t message_bytes);

/* Frees what jit_compile gave. Nobody may be inside it. 0: freed; 1: no such handle. */
int32_t jit_free(uint64_t handle);

/* Calls an entry; 0 is one that always wants to be run in Python. `args` holds one slot for each
 * scalar (bits of a double, an integer, 0 or 1) and two for each buffer (address, number of items);
 * `results` has room for the result slots. `tick` may be null; otherwise a loop calls it once it
 * has run for `first_ns` and from then on every `period_ns`, roughly: ten times as long as the last
 * one has taken, if that is more, up to 50 ms.
 *   0 done, 1 to be run again in Python, 3 ended by `tick`, below 0 a defect of the sidecar. */
int32_t jit_call(uint64_t entry, const uint64_t *args, uint64_t *results,
                 jit_tick tick, uint64_t first_ns, uint64_t period_ns);

void jit_memory_stats(jit_memory *stats);

/* cffi: end */

/* The words of a program:
 *
 *   magic "IRJ1" (0x314A5249), version, number of functions, then each function:
 *     number of parameters, of locals, of result slots, of instructions,
 *     a word for each parameter: type | format << 8 | writable << 16,
 *     a word for each local: type,
 *     four words for each instruction: opcode | flags << 8, and up to three operands, else 0.
 *   CONST_I and CONST_F have 0, the low and the high half of their 64 bits as operands.
 *
 * Types, formats, opcodes, flags, compares and functions of the C library are numbered as in
 * iris/jit/ir.py; a test compares that file with jitshim/src/ops.rs.
 */
#endif
