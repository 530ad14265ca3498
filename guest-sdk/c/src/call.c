/* One call of the operator: shows its records, timers or windows one by one, and takes together what came of it.
 *
 * Invariant: nothing of a call is left when it has been answered. So an instance that failed goes on as one that is new. */
#include "internal.h"

weir_context weir_the_context;
bool weir_is_open;

weir_status weir_fail(weir_context *ctx, const char *format, ...) {
    if (ctx->has_failed) return WEIR_FAILED;
    ctx->has_failed = true;
    ctx->failed_record = ctx->now.record;
    ctx->now.key = WEIR_NO_KEY;
    ctx->now.plain = NULL;
    weir_buffer message = weir_call_buffer();
    va_list arguments;
    va_start(arguments, format);
    weir_vputf(&message, format, arguments);
    va_end(arguments);
    ctx->message = weir_valid_text(weir_written(&message), &weir_call_arena);
    return WEIR_FAILED;
}

bool weir_has_failed(const weir_context *ctx) { return ctx->has_failed; }
int64_t weir_watermark(const weir_context *ctx) { return ctx->call.watermark; }
int64_t weir_processing_time(const weir_context *ctx) { return ctx->call.processing_time; }

void weir_metric(weir_context *ctx, const char *name, int64_t delta) {
    abi_metric *metrics = (abi_metric *)(void *)ctx->metrics.data;
    size_t len = ctx->metrics.size / sizeof *metrics;
    if (ctx->phase < WEIR_RECORDS) return;
    for (size_t at = 0; at < len; at++) {
        if (!weir_is(metrics[at].name, name)) continue;
        metrics[at].delta = (int64_t)((uint64_t)metrics[at].delta + (uint64_t)delta);
        return;
    }
    weir_buffer kept = weir_call_buffer();
    weir_put_text(&kept, name);
    abi_metric metric = {weir_valid_text(weir_written(&kept), &weir_call_arena), delta};
    __builtin_memcpy(weir_extend(&ctx->metrics, sizeof metric), &metric, sizeof metric);
}

weir_headers weir_record_headers(weir_context *ctx) {
    weir_headers headers = {NULL, 0};
    size_t from, to;
    if (ctx->phase != WEIR_RECORDS) return headers;
    weir_batch_headers(ctx->batch, ctx->now.record, &from, &to);
    weir_header *items = (weir_header *)weir_alloc((to - from) * sizeof *items);
    for (size_t at = from; at < to; at++) {
        items[at - from].name = weir_column_item(&ctx->batch->headers.names, at);
        items[at - from].value = weir_column_item(&ctx->batch->headers.values, at);
    }
    headers.items = items;
    headers.len = to - from;
    return headers;
}

weir_bytes weir_record_header(weir_context *ctx, const char *name) {
    size_t from, to;
    if (ctx->phase != WEIR_RECORDS) return weir_absent();
    weir_batch_headers(ctx->batch, ctx->now.record, &from, &to);
    while (to > from) {
        to--;
        if (weir_is(weir_column_item(&ctx->batch->headers.names, to), name)) return weir_column_item(&ctx->batch->headers.values, to);
    }
    return weir_absent();
}

void weir_call_begin(weir_phase phase, const abi_context *call, const abi_batch *batch, uint32_t count) {
    weir_context *ctx = &weir_the_context;
    ctx->phase = phase;
    ctx->call = *call;
    ctx->batch = batch;
    ctx->count = count;
    ctx->now.record = 0;
    ctx->now.key = WEIR_NO_KEY;
    ctx->is_broadcast = false;
    ctx->has_failed = false;
    ctx->open_values = 0;
    ctx->timers = ctx->metrics = weir_call_buffer();
    if (!weir_is_open) {
        weir_fail(ctx, "the operator was called before it was opened");
        return;
    }
    weir_outputs_begin(ctx);
    weir_states_begin(ctx);
    weir_current_arena = &weir_record_arena;
}

bool weir_call_after(weir_context *ctx, weir_status status) {
    if (status != WEIR_OK && !ctx->has_failed) weir_fail(ctx, "%s failed", weir_the_operator.name);
    if (ctx->open_values > 0) weir_states_after_record(ctx);
    if (!weir_arena_is_empty(&weir_record_arena)) weir_arena_empty(&weir_record_arena);
    return !ctx->has_failed;
}

void weir_call_answer(abi_effects_result *result, bool is_named) {
    weir_context *ctx = &weir_the_context;
    weir_current_arena = &weir_call_arena;
    __builtin_memset(result, 0, sizeof *result);
    abi_effects effects = {0};
    if (!ctx->has_failed) {
        effects.outputs = weir_outputs_finish(ctx);
        weir_states_finish(ctx, &effects);
        effects.timers = weir_timers_finish(ctx);
        effects.metrics.items = ctx->metrics.data;
        effects.metrics.len = ctx->metrics.size / sizeof(abi_metric);
    }
    result->failed = ctx->has_failed;
    if (ctx->has_failed) {
        result->as.failure.has_cause = is_named;
        result->as.failure.cause = ctx->failed_record;
        result->as.failure.message = ctx->message;
    } else {
        result->as.effects = effects;
    }
    weir_states_end();
    ctx->phase = WEIR_PURE;
    ctx->now.plain = NULL;
}

static void work_records(weir_context *ctx, const abi_batch *batch) {
    bool is_keyed = batch->key_of.size > 0;
    size_t start = 0, valueless = 0;
    weir_record record = {0};
    record.input = ctx->call.input;
    for (uint32_t index = 0; index < ctx->count; index++) {
        size_t end = weir_u32_at(batch->values.ends, index);
        ctx->now.record = record.index = index;
        record.value = weir_bytes_of(batch->values.data.data + start, end - start);
        if (valueless < batch->valueless.size / 4 && weir_u32_at(batch->valueless, valueless) == index) {
            record.value = weir_absent();
            valueless++;
        }
        if (is_keyed) ctx->now.key = weir_u32_at(batch->key_of, index);
        record.key = is_keyed ? weir_column_item(&batch->keys, ctx->now.key) : weir_batch_key(batch, index);
        record.timestamp = weir_s64_at(batch->timestamps, index);
        if (batch->is_windowed && is_keyed) record.window = weir_window_at(&batch->windows, ctx->now.key);
        if (!weir_call_after(ctx, weir_the_operator.process(ctx, &record))) return;
        start = end;
    }
}

void weir_process(abi_effects_result *result, const abi_process_call *call) {
    weir_context *ctx = &weir_the_context;
    bool is_named = false;
    weir_call_begin(WEIR_RECORDS, &call->context, &call->batch, (uint32_t)(call->batch.values.ends.size / 4));
    if (!ctx->has_failed && call->context.input >= weir_inputs_len()) {
        weir_fail(ctx, "%s has no input %u", weir_the_operator.name, call->context.input);
    }
    if (!ctx->has_failed) {
        is_named = true;
        ctx->is_broadcast = call->batch.key_of.size == 0 && weir_input_at(call->context.input)->by == WEIR_BROADCAST;
        if (weir_the_operator.process == NULL) weir_fail(ctx, "%s has no `process`", weir_the_operator.name);
        else work_records(ctx, &call->batch);
    }
    weir_call_answer(result, is_named);
}

/* Timers are laid out as a batch of records whose times are when they were due. */
void weir_on_timers(abi_effects_result *result, const abi_context *call, const abi_batch *fired, weir_bytes timers) {
    weir_context *ctx = &weir_the_context;
    weir_call_begin(WEIR_TIMERS, call, fired, (uint32_t)(timers.size / 4));
    bool is_named = !ctx->has_failed;
    for (uint32_t index = 0; index < ctx->count && !ctx->has_failed; index++) {
        weir_fired_timer timer = {weir_u32_at(timers, index), weir_absent(), weir_s64_at(fired->timestamps, index)};
        ctx->now.record = index;
        ctx->now.key = weir_u32_at(fired->key_of, index);
        timer.key = weir_column_item(&fired->keys, ctx->now.key);
        if (timer.timer >= weir_the_operator.timers.len) {
            weir_fail(ctx, "%s has no timer %u", weir_the_operator.name, timer.timer);
        } else if (weir_the_operator.on_timer == NULL) {
            weir_fail(ctx, "%s declares the timer `%s` and has no `on_timer`", weir_the_operator.name,
                      weir_the_operator.timers.items[timer.timer].name);
        } else {
            weir_call_after(ctx, weir_the_operator.on_timer(ctx, &timer));
        }
    }
    weir_call_answer(result, is_named);
}

void weir_after_call(void) { weir_arena_empty(&weir_call_arena); }
