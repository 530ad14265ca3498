/* What the host asks for with bytes alone: values of an older version, and values of windows that become one. There is no opened operator
 * then, and no host. */
#include "internal.h"

static weir_context *begin(void) {
    weir_context *ctx = &weir_the_context;
    ctx->phase = WEIR_PURE;
    ctx->has_failed = false;
    ctx->now.key = WEIR_NO_KEY;
    ctx->now.record = 0;
    weir_states_end();
    weir_current_arena = &weir_record_arena;
    return ctx;
}

static void answer(abi_column_result *result, const weir_context *ctx, const weir_buffer *data, const weir_buffer *ends) {
    weir_arena_empty(&weir_record_arena);
    weir_current_arena = &weir_call_arena;
    result->failed = ctx->has_failed;
    if (ctx->has_failed) result->as.message = ctx->message;
    else result->as.column = weir_column_of(data, ends);
}

static const weir_state *state_of(weir_context *ctx, uint32_t number) {
    if (number < weir_the_operator.states.len) return weir_the_operator.states.items[number];
    weir_fail(ctx, "%s has no state %u", weir_the_operator.name, number);
    return NULL;
}

/* One value of two. */
static weir_status merge_pair(weir_context *ctx, const weir_state *state, weir_bytes earlier, weir_bytes later, weir_buffer *out) {
    void *both = weir_alloc(state->type->size), *other = weir_alloc(state->type->size);
    if (weir_decode(ctx, state->type, earlier, both) != WEIR_OK || weir_decode(ctx, state->type, later, other) != WEIR_OK) {
        return weir_fail_during(ctx, "decode, to merge,", state);
    }
    state->merge(both, other);
    if (weir_encode(ctx, state->type, both, out) != WEIR_OK) return weir_fail_during(ctx, "encode, merged,", state);
    return WEIR_OK;
}

void weir_merge_values(abi_column_result *result, uint32_t number, const abi_column *earlier, const abi_column *later) {
    weir_context *ctx = begin();
    weir_buffer data = weir_call_buffer(), ends = weir_call_buffer();
    const weir_state *state = state_of(ctx, number);
    size_t len = earlier->ends.size / 4;
    if (state != NULL && state->merge == NULL) {
        weir_fail(ctx, "%s has no way to make one value of two of state `%s`: `.merge` gives one", weir_the_operator.name,
                  weir_state_name(state));
    } else if (state != NULL && later->ends.size / 4 != len) {
        weir_fail(ctx, "merge state `%s`: %zu values and %zu are no pairs", weir_state_name(state), len, later->ends.size / 4);
    }
    for (size_t at = 0; at < len && !ctx->has_failed; at++) {
        merge_pair(ctx, state, weir_column_item(earlier, at), weir_column_item(later, at), &data);
        weir_push_u32(&ends, (uint32_t)data.size);
        weir_arena_empty(&weir_record_arena);
    }
    answer(result, ctx, &data, &ends);
}

weir_status weir_unknown_version(weir_context *ctx, const weir_old_value *old) {
    return weir_fail(ctx, "%s cannot migrate state `%.*s` from version %u", weir_the_operator.name, WEIR_SV(old->state), old->from_version);
}

void weir_migrate_values(abi_column_result *result, uint32_t number, uint32_t from_version, const abi_column *values) {
    weir_context *ctx = begin();
    weir_buffer data = weir_call_buffer(), ends = weir_call_buffer();
    const weir_state *state = state_of(ctx, number);
    for (size_t at = 0; at < values->ends.size / 4 && !ctx->has_failed; at++) {
        weir_old_value old = {weir_text(weir_state_name(state)), from_version, weir_column_item(values, at)};
        weir_status status = weir_the_operator.migrate == NULL ? weir_unknown_version(ctx, &old) : weir_the_operator.migrate(ctx, &old, &data);
        if (status != WEIR_OK && !ctx->has_failed) weir_unknown_version(ctx, &old);
        weir_push_u32(&ends, (uint32_t)data.size);
        weir_arena_empty(&weir_record_arena);
    }
    answer(result, ctx, &data, &ends);
}
