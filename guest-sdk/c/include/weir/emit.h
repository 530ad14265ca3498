/* Records on their way out. An output is named by its index in the operator's outputs; 0 is the main one.
 *
 * A record that is emitted has the key, the time and the headers of the record that it comes from, unless it says others. One that a timer
 * emits has the timer's key and the time that it was due at, one that a window emits the window's key and its last ms. */
#ifndef WEIR_EMIT_H
#define WEIR_EMIT_H

#include "context.h"

WEIR_C_BEGIN

/* The columns of an output whose records inherit everything but their values. */
typedef struct weir_plain_output {
    weir_buffer values, ends, cause;
} weir_plain_output;

/* Ends a value that has been written to the output. */
static inline void weir_end_plain(weir_plain_output *output, uint32_t cause) {
    uint32_t end = (uint32_t)output->values.size;
    __builtin_memcpy(weir_extend(&output->ends, 4), &end, 4);
    __builtin_memcpy(weir_extend(&output->cause, 4), &cause, 4);
}

/* Emits a value to an output; an absent one is a record without a value. */
void weir_emit_to(weir_context *ctx, uint32_t output, weir_bytes value);

/* The same to the main output. */
static inline void weir_emit(weir_context *ctx, weir_bytes value) {
    const weir_call *call = (const weir_call *)(const void *)ctx;
    if (call->plain == NULL || weir_is_absent(value)) {
        weir_emit_to(ctx, 0, value);
        return;
    }
    weir_put(&call->plain->values, value);
    weir_end_plain(call->plain, call->record);
}

/* Emits a C string, and formatted text. */
void weir_emit_text(weir_context *ctx, const char *text);
void weir_emitf(weir_context *ctx, const char *format, ...) WEIR_FORMAT(2, 3);

/* Emits a value under another key; where that is absent, without one. */
void weir_emit_keyed(weir_context *ctx, weir_bytes key, weir_bytes value);

/* Emits a record without a value: the delete of a keyed stream. */
void weir_emit_absent(weir_context *ctx);

/* Begins a value that is written in place: what is put to the buffer until weir_end is the value. Between the two nothing else is emitted to
 * this output. */
weir_buffer *weir_begin_slowly(weir_context *ctx, uint32_t output);
void weir_end_slowly(weir_context *ctx, uint32_t output);

static inline weir_buffer *weir_begin(weir_context *ctx, uint32_t output) {
    const weir_call *call = (const weir_call *)(const void *)ctx;
    return output == 0 && call->plain != NULL ? &call->plain->values : weir_begin_slowly(ctx, output);
}

static inline void weir_end(weir_context *ctx, uint32_t output) {
    const weir_call *call = (const weir_call *)(const void *)ctx;
    if (output == 0 && call->plain != NULL) weir_end_plain(call->plain, call->record);
    else weir_end_slowly(ctx, output);
}

/* Lets the record that is being worked on go to an output as it came: key, value, time and headers. Nothing is copied for it. It stands
 * before whatever else the record emits to this output, and goes there once, however often this is called. */
void weir_pass(weir_context *ctx);
void weir_pass_to(weir_context *ctx, uint32_t output);

/* A record that says for itself what it is made of. */
typedef struct weir_new_record {
    uint32_t output;
    /* Absent: the record has no value. */
    weir_bytes value;
    /* NULL: the key that it inherits. One that is absent: no key. */
    const weir_bytes *key;
    /* NULL: the time that it inherits. WEIR_NO_TIME: none. */
    const int64_t *timestamp;
    /* NULL: the headers that it inherits. */
    const weir_headers *headers;
} weir_new_record;

/* Emits such a record. */
void weir_emit_record(weir_context *ctx, const weir_new_record *record);

WEIR_C_END
#endif
