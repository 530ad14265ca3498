/* What the SDK's files know of each other. */
#ifndef WEIR_INTERNAL_PRIVATE_H
#define WEIR_INTERNAL_PRIVATE_H

#include "../include/weir.h"
#include "abi.h"
#include "arena.h"
#include "host.h"

#define WEIR_NO_KEY UINT32_MAX

/* The author's table. Weak, so that one thing is missing where there is none, and not all that asks for it: see `exports.c`. */
extern __attribute__((weak)) const weir_operator weir_the_operator;

/* What the instance is doing. */
typedef enum weir_phase {
    /* Nothing, or what is pure: describe, migrate, merge. */
    WEIR_PURE,
    WEIR_OPENING,
    WEIR_RECORDS,
    WEIR_TIMERS,
    WEIR_WINDOWS
} weir_phase;

/* The columns of one output. Those for keys, times and headers begin with the first record that has its own. */
typedef struct weir_columns {
    weir_plain_output plain;
    weir_buffer passes, valueless;
    /* A record has a key, a time or headers of its own, so that every other one needs those of its cause. */
    bool is_explicit, has_keys, has_times, has_headers;
    weir_buffer keys, key_ends, keyless, times;
    weir_buffer header_ends, name_data, name_ends, value_data, value_ends;
} weir_columns;

/* How much an output took last time, for each input record: what it is given room for the next time. */
typedef struct weir_room {
    size_t records, bytes;
} weir_room;

struct weir_context {
    weir_call now;
    weir_phase phase;
    abi_context call;
    const abi_batch *batch;
    /* The number of records, timers or windows. */
    uint32_t count;
    bool is_broadcast;
    bool has_failed;
    uint32_t failed_record;
    weir_bytes message;
    /* Values that have to be put away when the author's function returns. */
    uint32_t open_values;
    /* Fixed for the subtask, and not known to who sends records. */
    uint32_t seed;
    weir_columns *outputs;
    weir_room *rooms;
    /* Of weir_timer_change. */
    weir_buffer timers;
    /* Of abi_metric. */
    weir_buffer metrics;
};

extern weir_context weir_the_context;

/* The declared inputs, outputs and states of the operator, defaults filled in. */
size_t weir_inputs_len(void);
const weir_input *weir_input_at(uint32_t index);
size_t weir_outputs_len(void);
const weir_output *weir_output_at(uint32_t index);
const char *weir_state_name(const weir_state *state);

/* Numbers and items of columns. */
static inline uint32_t weir_u32_at(weir_bytes numbers, size_t index) {
    uint32_t number;
    __builtin_memcpy(&number, numbers.data + 4 * index, 4);
    return number;
}

static inline int64_t weir_s64_at(weir_bytes numbers, size_t index) {
    int64_t number;
    __builtin_memcpy(&number, numbers.data + 8 * index, 8);
    return number;
}

static inline weir_bytes weir_item(weir_bytes data, weir_bytes ends, size_t index) {
    size_t start = index == 0 ? 0 : weir_u32_at(ends, index - 1);
    return weir_bytes_of(data.data + start, weir_u32_at(ends, index) - start);
}

static inline weir_bytes weir_column_item(const abi_column *column, size_t index) { return weir_item(column->data, column->ends, index); }

static inline void weir_push_u32(weir_buffer *buffer, uint32_t number) { __builtin_memcpy(weir_extend(buffer, 4), &number, 4); }
static inline void weir_push_i64(weir_buffer *buffer, int64_t number) { __builtin_memcpy(weir_extend(buffer, 8), &number, 8); }

static inline void weir_push_item(weir_buffer *data, weir_buffer *ends, weir_bytes item) {
    weir_put(data, item);
    weir_push_u32(ends, (uint32_t)data->size);
}

/* The text with U+FFFD in place of each run of bytes that is no UTF-8, which the world ends a call for. */
weir_bytes weir_valid_text(weir_bytes text, struct weir_arena *arena);

/* How many bytes at the end are of a character that has only begun. */
size_t weir_begun_char(weir_bytes text);

/* Whether a `u32s` that ascends has the number. */
bool weir_has_u32(weir_bytes ascending, uint32_t number);

/* An empty buffer of the call. */
static inline weir_buffer weir_call_buffer(void) {
    weir_buffer buffer = {NULL, 0, 0, &weir_call_arena};
    return buffer;
}

static inline abi_column weir_column_of(const weir_buffer *data, const weir_buffer *ends) {
    abi_column column = {weir_written(data), weir_written(ends)};
    return column;
}

/* Zeroes a value. A loop, for a length that is known only when it runs makes memset a call out of the guest. */
static inline void weir_zero(void *value, size_t size) {
    uint8_t *at = (uint8_t *)value;
    uint64_t none = 0;
    for (; size >= 8; size -= 8, at += 8) __builtin_memcpy(at, &none, 8);
    for (; size > 0; size--, at++) __builtin_memcpy(at, &none, 1);
}

/* Sorts, keeping the order of what is equal. */
void weir_sort(void *items, size_t len, size_t size, int (*compare)(const void *a, const void *b, void *with), void *with);

/* The record of the batch that is called `index`, its key and its headers. */
weir_bytes weir_batch_key(const abi_batch *batch, uint32_t index);
void weir_batch_headers(const abi_batch *batch, uint32_t index, size_t *from, size_t *to);

/* outputs.c: begins the columns of a call, and makes the list of what they hold. */
void weir_outputs_begin(weir_context *ctx);
abi_list weir_outputs_finish(weir_context *ctx);

/* timers.c: what was done to timers, of each what was done last. */
abi_list weir_timers_finish(weir_context *ctx);

/* states.c: a call begins, a function of the author has returned, and the call ends. */
void weir_states_begin(weir_context *ctx);
void weir_states_after_record(weir_context *ctx);
void weir_states_finish(weir_context *ctx, abi_effects *effects);
void weir_states_end(void);

/* Fails with `attempt` and the state's name before the failure that was just told. */
weir_status weir_fail_during(weir_context *ctx, const char *attempt, const weir_state *state);

/* call.c: begins a call, puts away what a function of the author has left when it has returned (false: something has failed), and answers.
 * A failure names its record where `is_named`. */
void weir_call_begin(weir_phase phase, const abi_context *call, const abi_batch *batch, uint32_t count);
bool weir_call_after(weir_context *ctx, weir_status status);
void weir_call_answer(abi_effects_result *result, bool is_named);

/* True once the operator has been opened. */
extern bool weir_is_open;

/* The window of a key; one without bounds is told as two smallest numbers. */
weir_window weir_window_at(const abi_windows *windows, size_t index);

/* The exports, without their wrapping. */
void weir_open(abi_open_result *result, weir_bytes config, abi_list schemas, uint32_t index, uint32_t parallelism, uint64_t seed);
void weir_process(abi_effects_result *result, const abi_process_call *call);
void weir_on_timers(abi_effects_result *result, const abi_context *call, const abi_batch *fired, weir_bytes timers);
void weir_on_windows(abi_effects_result *result, const abi_windows_call *call);
void weir_describe(abi_descriptor *descriptor);
void weir_merge_values(abi_column_result *result, uint32_t state, const abi_column *earlier, const abi_column *later);
void weir_migrate_values(abi_column_result *result, uint32_t state, uint32_t from_version, const abi_column *values);

/* The host has read the answer. */
void weir_after_call(void);

#endif
