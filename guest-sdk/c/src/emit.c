#include "internal.h"

/* The columns of an output that may be emitted to now; NULL where it fails, or has failed. */
static weir_columns *columns_of(weir_context *ctx, uint32_t output) {
    if (ctx->has_failed) return NULL;
    if (ctx->phase < WEIR_RECORDS) {
        weir_fail(ctx, "nothing is emitted but for records, timers and windows");
    } else if (output >= weir_outputs_len()) {
        weir_fail(ctx, "%s emits to output %u, and declares %zu", weir_the_operator.name, output, weir_outputs_len());
    } else if (weir_the_operator.windowed && ctx->phase == WEIR_RECORDS) {
        weir_fail(ctx, "%s is windowed and emits in `process`: it may change state there and nothing else, and emits in `on_window`",
                  weir_the_operator.name);
    } else {
        return &ctx->outputs[output];
    }
    return NULL;
}

static void push_key(weir_columns *columns, weir_bytes key) {
    if (weir_is_absent(key)) weir_push_u32(&columns->keyless, (uint32_t)(columns->key_ends.size / 4));
    weir_push_item(&columns->keys, &columns->key_ends, key);
}

static void push_header(weir_columns *columns, weir_bytes name, weir_bytes value) {
    weir_push_item(&columns->name_data, &columns->name_ends, name);
    weir_push_item(&columns->value_data, &columns->value_ends, value);
}

static void end_headers(weir_columns *columns) { weir_push_u32(&columns->header_ends, (uint32_t)(columns->name_ends.size / 4)); }

static void inherit_key(weir_context *ctx, weir_columns *columns, uint32_t cause) { push_key(columns, weir_batch_key(ctx->batch, cause)); }

/* Of windows without bounds the host alone knows the time: there either all that an output is sent has a time of its own, or nothing has. */
static void inherit_time(weir_context *ctx, weir_columns *columns, uint32_t cause) {
    int64_t time = weir_s64_at(ctx->batch->timestamps, cause);
    if (time == WEIR_NO_TIME && ctx->phase == WEIR_WINDOWS) {
        weir_fail(ctx, "of windows without bounds all that an output is sent has a time of its own, or nothing has");
    }
    weir_push_i64(&columns->times, time);
}

static void inherit_headers(weir_context *ctx, weir_columns *columns, uint32_t cause) {
    size_t from, to;
    weir_batch_headers(ctx->batch, cause, &from, &to);
    for (; from < to; from++) {
        push_header(columns, weir_column_item(&ctx->batch->headers.names, from), weir_column_item(&ctx->batch->headers.values, from));
    }
    end_headers(columns);
}

/* Begins a column: with what the records before inherited. */
static void begin(weir_context *ctx, weir_columns *columns, bool *has, void (*inherit)(weir_context *, weir_columns *, uint32_t)) {
    if (*has) return;
    *has = columns->is_explicit = true;
    if (columns == &ctx->outputs[0]) ctx->now.plain = NULL;
    for (size_t at = 0; at < columns->plain.cause.size / 4; at++) inherit(ctx, columns, weir_u32_at(weir_written(&columns->plain.cause), at));
}

/* The rest of a record whose value has been pushed. */
static void push_rest(weir_context *ctx, weir_columns *columns, const weir_bytes *key, const int64_t *timestamp, const weir_headers *headers) {
    if (key != NULL) {
        begin(ctx, columns, &columns->has_keys, inherit_key);
        push_key(columns, *key);
    } else if (columns->has_keys) {
        inherit_key(ctx, columns, ctx->now.record);
    }
    if (timestamp != NULL) {
        begin(ctx, columns, &columns->has_times, inherit_time);
        weir_push_i64(&columns->times, *timestamp);
    } else if (columns->has_times) {
        inherit_time(ctx, columns, ctx->now.record);
    }
    if (headers != NULL) {
        begin(ctx, columns, &columns->has_headers, inherit_headers);
        for (size_t at = 0; at < headers->len; at++) push_header(columns, headers->items[at].name, headers->items[at].value);
        end_headers(columns);
    } else if (columns->has_headers) {
        inherit_headers(ctx, columns, ctx->now.record);
    }
    weir_push_u32(&columns->plain.cause, ctx->now.record);
}

static void push_value(weir_columns *columns, weir_bytes value) {
    if (weir_is_absent(value)) weir_push_u32(&columns->valueless, (uint32_t)(columns->plain.ends.size / 4));
    weir_push_item(&columns->plain.values, &columns->plain.ends, value);
}

void weir_emit_to(weir_context *ctx, uint32_t output, weir_bytes value) {
    weir_columns *columns = columns_of(ctx, output);
    if (columns == NULL) return;
    push_value(columns, value);
    if (columns->is_explicit) push_rest(ctx, columns, NULL, NULL, NULL);
    else weir_push_u32(&columns->plain.cause, ctx->now.record);
}

void weir_emit_text(weir_context *ctx, const char *text) { weir_emit_to(ctx, 0, weir_text(text)); }
void weir_emit_absent(weir_context *ctx) { weir_emit_to(ctx, 0, weir_absent()); }

void weir_emit_keyed(weir_context *ctx, weir_bytes key, weir_bytes value) {
    weir_columns *columns = columns_of(ctx, 0);
    if (columns == NULL) return;
    push_value(columns, value);
    push_rest(ctx, columns, &key, NULL, NULL);
}

void weir_emit_record(weir_context *ctx, const weir_new_record *record) {
    weir_columns *columns = columns_of(ctx, record->output);
    if (columns == NULL) return;
    push_value(columns, record->value);
    push_rest(ctx, columns, record->key, record->timestamp, record->headers);
}

void weir_emitf(weir_context *ctx, const char *format, ...) {
    weir_buffer *out = weir_begin(ctx, 0);
    va_list arguments;
    va_start(arguments, format);
    weir_vputf(out, format, arguments);
    va_end(arguments);
    weir_end(ctx, 0);
}

weir_buffer *weir_begin_slowly(weir_context *ctx, uint32_t output) {
    static weir_buffer nowhere;
    weir_columns *columns = columns_of(ctx, output);
    if (columns != NULL) return &columns->plain.values;
    /* What is written after a failure goes nowhere. */
    nowhere = (weir_buffer){NULL, 0, 0, weir_current_arena};
    return &nowhere;
}

void weir_end_slowly(weir_context *ctx, uint32_t output) {
    weir_columns *columns = columns_of(ctx, output);
    if (columns == NULL) return;
    weir_push_u32(&columns->plain.ends, (uint32_t)columns->plain.values.size);
    if (columns->is_explicit) push_rest(ctx, columns, NULL, NULL, NULL);
    else weir_push_u32(&columns->plain.cause, ctx->now.record);
}

void weir_pass_to(weir_context *ctx, uint32_t output) {
    weir_columns *columns = columns_of(ctx, output);
    if (columns == NULL) return;
    if (ctx->phase != WEIR_RECORDS) {
        weir_fail(ctx, "only a record passes, and this is called for a timer or a window: emit what it comes to");
        return;
    }
    size_t size = (ctx->count + 7) / 8;
    if (columns->passes.size == 0) __builtin_memset(weir_extend(&columns->passes, size), 0, size);
    columns->passes.data[ctx->now.record / 8] |= (uint8_t)(1 << ctx->now.record % 8);
}

void weir_pass(weir_context *ctx) { weir_pass_to(ctx, 0); }
