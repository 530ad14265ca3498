/* Windows that fire. Which windows there are is said in the job file and known to the host alone. */
#include "internal.h"

weir_window weir_window_at(const abi_windows *windows, size_t index) {
    weir_window window = {false, weir_s64_at(windows->starts, index), weir_s64_at(windows->ends, index)};
    window.has_bounds = window.start != INT64_MIN || window.end != INT64_MIN;
    return window;
}

/* Windows are laid out as a batch of records, each with a key of its own and the time of what is emitted. */
static abi_batch batch_of(const abi_window_batch *fired, uint32_t count) {
    weir_buffer key_of = weir_call_buffer(), times = weir_call_buffer();
    weir_grow(&key_of, 4 * count);
    weir_grow(&times, 8 * count);
    for (uint32_t index = 0; index < count; index++) {
        weir_window window = weir_window_at(&fired->windows, index);
        weir_push_u32(&key_of, index);
        weir_push_i64(&times, !window.has_bounds ? WEIR_NO_TIME : window.end == INT64_MIN ? INT64_MIN : window.end - 1);
    }
    abi_batch batch = {0};
    batch.keys = fired->keys;
    batch.key_of = weir_written(&key_of);
    batch.timestamps = weir_written(&times);
    batch.states = fired->states;
    return batch;
}

/* The windows that became part of firing `index`; `*from` is where they begin among all of them, and moves behind them. */
static void replaced_by(const abi_keyed_column *replaces, uint32_t index, size_t *from, weir_fired_window *firing) {
    size_t to = *from, all = replaces->keys.size / 4;
    while (to < all && weir_u32_at(replaces->keys, to) == index) to++;
    weir_window *windows = (weir_window *)weir_alloc((to - *from) * sizeof *windows);
    for (size_t at = *from; at < to; at++) {
        weir_bytes bounds = weir_column_item(&replaces->items, at);
        windows[at - *from] = (weir_window){true, weir_s64_at(bounds, 0), weir_s64_at(bounds, 1)};
    }
    firing->replaces = windows;
    firing->replaces_len = to - *from;
    *from = to;
}

void weir_on_windows(abi_effects_result *result, const abi_windows_call *call) {
    weir_context *ctx = &weir_the_context;
    const abi_window_batch *fired = &call->fired;
    uint32_t count = (uint32_t)(fired->keys.ends.size / 4);
    abi_batch batch = batch_of(fired, count);
    size_t replaced = 0;
    weir_call_begin(WEIR_WINDOWS, &call->context, &batch, count);
    bool is_named = !ctx->has_failed;
    if (!weir_the_operator.windowed) {
        is_named = false;
        weir_fail(ctx, "%s is not windowed", weir_the_operator.name);
    } else if (weir_the_operator.on_window == NULL) {
        weir_fail(ctx, "%s is windowed and has no `on_window`", weir_the_operator.name);
    }
    for (uint32_t index = 0; index < count && !ctx->has_failed; index++) {
        ctx->now.record = ctx->now.key = index;
        weir_fired_window firing = {weir_column_item(&fired->keys, index), weir_window_at(&fired->windows, index),
                                    (weir_reason)fired->reasons.data[index], weir_u32_at(fired->revisions, index), NULL, 0};
        replaced_by(&fired->replaces, index, &replaced, &firing);
        if (firing.reason > WEIR_CORRECTION) {
            weir_fail(ctx, "a window fires for reason %d, which %s does not know", (int)firing.reason, weir_the_operator.name);
        } else {
            weir_call_after(ctx, weir_the_operator.on_window(ctx, &firing));
        }
    }
    weir_call_answer(result, is_named);
}
