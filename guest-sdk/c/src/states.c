#include "states.h"

const char *weir_state_name(const weir_state *state) { return state->name != NULL ? state->name : state->word; }

static weir_state *state_at(size_t index) { return weir_the_operator.states.items[index]; }

weir_status weir_fail_during(weir_context *ctx, const char *attempt, const weir_state *state) {
    weir_buffer message = weir_call_buffer();
    weir_putf(&message, "%s state `%s`: ", attempt, weir_state_name(state));
    weir_put(&message, ctx->message);
    ctx->message = weir_written(&message);
    return WEIR_FAILED;
}

bool weir_state_key(weir_context *ctx, const weir_state *state, uint32_t *key) {
    if (ctx->has_failed) return false;
    *key = ctx->now.key;
    if (state->run != NULL && ctx->now.key < state->run->keys) return true;
    if (state->run == NULL) {
        weir_fail(ctx, "state `%s` is not among the states of %s", weir_state_name(state), weir_the_operator.name);
    } else {
        weir_fail(ctx, "state `%s` needs a key, and this input is not keyed: give it `by = \"key\"` in the job file", weir_state_name(state));
    }
    return false;
}

bool weir_state_change_key(weir_context *ctx, const weir_state *state, uint32_t *key) {
    if (!weir_state_key(ctx, state, key)) return false;
    if (ctx->phase != WEIR_WINDOWS) return true;
    weir_fail(ctx, "%s changes state `%s` in `on_window`, which may read it alone: `process` changes it", weir_the_operator.name,
              weir_state_name(state));
    return false;
}

weir_status weir_state_decode(weir_context *ctx, const weir_state *state, const char *attempt, const weir_type *type, weir_bytes bytes,
                              void *value) {
    if (ctx->has_failed) return WEIR_FAILED;
    if (weir_decode(ctx, type, bytes, value) == WEIR_OK) return WEIR_OK;
    weir_zero(value, type->size);
    return weir_fail_during(ctx, attempt, state);
}

weir_status weir_state_encode(weir_context *ctx, const weir_state *state, const char *attempt, const weir_type *type, const void *value,
                              weir_bytes *bytes) {
    if (type->kind == WEIR_TYPE_RAW) {
        __builtin_memcpy(bytes, value, sizeof *bytes);
        *bytes = weir_bytes_of(bytes->data, bytes->size);
        return WEIR_OK;
    }
    weir_buffer encoded = {NULL, 0, 0, weir_current_arena};
    if (weir_encode(ctx, type, value, &encoded) != WEIR_OK) return weir_fail_during(ctx, attempt, state);
    *bytes = weir_written(&encoded);
    return WEIR_OK;
}

void weir_note_read(weir_context *ctx, weir_state *state) {
    struct weir_state_run *run = state->run;
    if (!state->ttl.refresh_on_read || state->ttl.ms == 0) return;
    if (run->reads == NULL) run->reads = (uint8_t *)weir_arena_zeroed(&weir_call_arena, (run->keys + 7) / 8);
    run->reads[ctx->now.key / 8] |= (uint8_t)(1 << ctx->now.key % 8);
    run->has_reads = true;
}

void weir_states_begin(weir_context *ctx) {
    const abi_batch *batch = ctx->batch;
    bool is_keyed = batch->key_of.size > 0;
    const abi_keyed_column *values = (const abi_keyed_column *)batch->states.items;
    for (size_t at = 0; at < weir_the_operator.states.len; at++) {
        weir_state *state = state_at(at);
        struct weir_state_run *run = (struct weir_state_run *)weir_arena_zeroed(&weir_call_arena, sizeof *run);
        state->run = run;
        run->number = (uint32_t)at;
        run->keys = is_keyed ? (uint32_t)(batch->keys.ends.size / 4) : 0;
        run->last_list = &run->first_list;
        run->last_overlay = &run->first_overlay;
        switch (state->kind) {
        case WEIR_KIND_VALUE:
            run->is_flat = weir_type_is_flat(state->type);
            weir_value_begin_call(ctx, state, at < batch->states.len ? &values[at] : NULL);
            break;
        case WEIR_KIND_LIST:
            run->lists = (weir_list_change **)weir_arena_zeroed(&weir_call_arena, run->keys * sizeof *run->lists);
            break;
        case WEIR_KIND_MAP:
            run->overlays = (struct weir_overlay **)weir_arena_zeroed(&weir_call_arena, run->keys * sizeof *run->overlays);
            break;
        case WEIR_KIND_BROADCAST: run->keys = 0; break;
        }
    }
}

void weir_states_end(void) {
    for (size_t at = 0; at < weir_the_operator.states.len; at++) {
        weir_flat_values none = {0, 0, 0, NULL, NULL, NULL};
        state_at(at)->run = NULL;
        state_at(at)->flat = none;
    }
}

void weir_states_after_record(weir_context *ctx) {
    for (size_t at = 0; at < weir_the_operator.states.len; at++) {
        weir_state *state = state_at(at);
        if (state->run->open != NULL) weir_value_after_record(ctx, state);
    }
    ctx->open_values = 0;
}

/* The keys that were read, but for those of a value state that were written, which are renewed by that. */
static bool touched_keys(const weir_state *state, abi_touch *touch) {
    struct weir_state_run *run = state->run;
    if (!run->has_reads) return false;
    weir_buffer keys = weir_call_buffer();
    for (uint32_t key = 0; key < run->keys; key++) {
        bool was_read = (run->reads[key / 8] >> key % 8 & 1) != 0;
        bool was_written = state->kind == WEIR_KIND_VALUE && state->flat.kinds[key] >= WEIR_SLOT_SET;
        if (was_read && !was_written) weir_push_u32(&keys, key);
    }
    touch->state = run->number;
    touch->keys = weir_written(&keys);
    return keys.size > 0;
}

/* Room for one update of each state. */
static void *updates(size_t size) { return weir_arena_zeroed(&weir_call_arena, weir_the_operator.states.len * size); }

void weir_states_finish(weir_context *ctx, abi_effects *effects) {
    size_t len = weir_the_operator.states.len;
    if (len == 0) return;
    abi_value_update *values = (abi_value_update *)updates(sizeof *values);
    abi_list_update *lists = (abi_list_update *)updates(sizeof *lists);
    abi_map_update *maps = (abi_map_update *)updates(sizeof *maps);
    abi_broadcast_update *broadcasts = (abi_broadcast_update *)updates(sizeof *broadcasts);
    abi_touch *touched = (abi_touch *)updates(sizeof *touched);
    for (size_t at = 0; at < len; at++) {
        weir_state *state = state_at(at);
        switch (state->kind) {
        case WEIR_KIND_VALUE: effects->values.len += weir_value_finish(ctx, state, &values[effects->values.len]); break;
        case WEIR_KIND_LIST: effects->lists.len += weir_list_finish(state, &lists[effects->lists.len]); break;
        case WEIR_KIND_MAP: effects->maps.len += weir_map_finish(state, &maps[effects->maps.len]); break;
        case WEIR_KIND_BROADCAST: effects->broadcasts.len += weir_broadcast_finish(state, &broadcasts[effects->broadcasts.len]); break;
        }
        effects->touched.len += touched_keys(state, &touched[effects->touched.len]);
    }
    effects->values.items = values;
    effects->lists.items = lists;
    effects->maps.items = maps;
    effects->broadcasts.items = broadcasts;
    effects->touched.items = touched;
}
