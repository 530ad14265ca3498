/* The columns of records on their way out, one set for each output.
 *
 * A record that inherits its cause's key, time and headers costs no more than its value: the columns for keys, times and headers begin with
 * the first record that has its own, and are then filled up for those before it. A record that passes as it came costs a bit. */
#include "internal.h"

/* No room is made in advance for more than this. */
#define ROOM_BYTES_MAX ((size_t)1 << 20)

weir_bytes weir_batch_key(const abi_batch *batch, uint32_t index) {
    if (batch->key_of.size > 0) return weir_column_item(&batch->keys, weir_u32_at(batch->key_of, index));
    if (batch->keyless.size > 0 && weir_has_u32(batch->keyless, index)) return weir_absent();
    return weir_column_item(&batch->keys, index);
}

void weir_batch_headers(const abi_batch *batch, uint32_t index, size_t *from, size_t *to) {
    weir_bytes ends = batch->headers.ends;
    *from = index == 0 || ends.size == 0 ? 0 : weir_u32_at(ends, index - 1);
    *to = ends.size == 0 ? 0 : weir_u32_at(ends, index);
}

void weir_outputs_begin(weir_context *ctx) {
    size_t len = weir_outputs_len();
    ctx->outputs = (weir_columns *)weir_arena_zeroed(&weir_call_arena, len * sizeof *ctx->outputs);
    for (size_t at = 0; at < len; at++) {
        weir_columns *columns = &ctx->outputs[at];
        weir_buffer *const all[] = {&columns->passes,      &columns->plain.cause,     &columns->plain.values,    &columns->plain.ends,       &columns->valueless,
                                    &columns->keys,        &columns->key_ends,  &columns->keyless,   &columns->times,      &columns->header_ends,
                                    &columns->name_data,   &columns->name_ends, &columns->value_data, &columns->value_ends};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) all[i]->arena = &weir_call_arena;
        size_t records = ctx->rooms[at].records * ctx->count, bytes = ctx->rooms[at].bytes * ctx->count;
        if (records == 0) continue;
        if (records > ROOM_BYTES_MAX / 8) records = ROOM_BYTES_MAX / 8;
        if (bytes > ROOM_BYTES_MAX) bytes = ROOM_BYTES_MAX;
        weir_grow(&columns->plain.cause, 4 * records);
        weir_grow(&columns->plain.ends, 4 * records);
        weir_grow(&columns->plain.values, bytes);
    }
    bool may_emit = ctx->phase != WEIR_RECORDS || !weir_the_operator.windowed;
    ctx->now.plain = may_emit ? &ctx->outputs[0].plain : NULL;
}

/* Notes what this call took, for the next. */
static void note_room(weir_context *ctx, const weir_columns *columns, weir_room *room) {
    size_t inputs = ctx->count > 0 ? ctx->count : 1;
    room->records = (columns->plain.cause.size / 4 + inputs - 1) / inputs;
    room->bytes = (columns->plain.values.size + inputs - 1) / inputs;
}

abi_list weir_outputs_finish(weir_context *ctx) {
    size_t len = weir_outputs_len();
    abi_output *outputs = (abi_output *)weir_arena_zeroed(&weir_call_arena, len * sizeof *outputs);
    abi_list list = {outputs, 0};
    for (size_t at = 0; at < len; at++) {
        const weir_columns *columns = &ctx->outputs[at];
        note_room(ctx, columns, &ctx->rooms[at]);
        if (columns->plain.cause.size == 0 && columns->passes.size == 0) continue;
        abi_output *output = &outputs[list.len++];
        output->output = (uint32_t)at;
        output->passes = weir_written(&columns->passes);
        output->cause = weir_written(&columns->plain.cause);
        output->values = weir_column_of(&columns->plain.values, &columns->plain.ends);
        output->valueless = weir_written(&columns->valueless);
        output->keys = weir_column_of(&columns->keys, &columns->key_ends);
        output->keyless = weir_written(&columns->keyless);
        output->has_headers = columns->has_headers;
        output->headers.ends = weir_written(&columns->header_ends);
        output->headers.names = weir_column_of(&columns->name_data, &columns->name_ends);
        output->headers.values = weir_column_of(&columns->value_data, &columns->value_ends);
        output->timestamps = weir_written(&columns->times);
    }
    return list;
}
