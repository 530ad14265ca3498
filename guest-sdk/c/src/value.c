/* One value for each key.
 *
 * A value of a flat type is decoded once for each key of a call and encoded once, at its end. One with pointers is decoded and encoded for
 * each record that asks for it: what its pointers point to lasts no longer. */
#include "states.h"

/* Decodes what came of a raw struct, all of it: that is a copy. What has another size stays as it came, and fails where it is looked at. */
static void read_raw_structs(weir_state *state) {
    const struct weir_state_run *run = state->run;
    size_t size = state->type->size;
    for (uint32_t key = 0; key < run->keys; key++) {
        const weir_slot *slot = &run->slots[key];
        if (state->flat.kinds[key] != WEIR_SLOT_ENCODED || slot->size != size) continue;
        uint8_t *to = state->flat.values + key * size, *from = slot->data;
        size_t left = size;
        for (; left >= 8; left -= 8, to += 8, from += 8) __builtin_memcpy(to, from, 8);
        for (; left > 0; left--) *to++ = *from++;
        state->flat.kinds[key] = WEIR_SLOT_READ;
    }
}

void weir_value_begin_call(weir_context *ctx, weir_state *state, const abi_keyed_column *values) {
    struct weir_state_run *run = state->run;
    weir_flat_values *flat = &state->flat;
    run->slots = (weir_slot *)weir_arena_zeroed(&weir_call_arena, run->keys * sizeof *run->slots);
    flat->kinds = (uint8_t *)weir_arena_zeroed(&weir_call_arena, run->keys);
    flat->changed = (uint32_t *)weir_arena_alloc(&weir_call_arena, run->keys * sizeof *flat->changed, 4);
    flat->changed_len = 0;
    size_t len = values == NULL ? 0 : values->keys.size / 4, start = 0;
    for (size_t at = 0; at < len; at++) {
        size_t end = weir_u32_at(values->items.ends, at);
        uint32_t key = weir_u32_at(values->keys, at);
        run->slots[key].data = (uint8_t *)values->items.data.data + start;
        run->slots[key].size = (uint32_t)(end - start);
        flat->kinds[key] = WEIR_SLOT_ENCODED;
        start = end;
    }
    flat->readable = flat->writable = 0;
    if (!run->is_flat) return;
    flat->values = (uint8_t *)weir_arena_alloc(&weir_call_arena, run->keys * state->type->size, 16);
    if (state->type->kind == WEIR_TYPE_RAW_STRUCT) read_raw_structs(state);
    flat->readable = state->ttl.refresh_on_read ? 0 : run->keys;
    flat->writable = ctx->phase == WEIR_WINDOWS ? 0 : run->keys;
}

static inline uint8_t *flat_value(const weir_state *state, uint32_t key) { return state->flat.values + key * state->type->size; }

/* The value of the shown key that is open for its record; NULL where it fails. */
static void *open_value(weir_context *ctx, weir_state *state, uint32_t key) {
    struct weir_state_run *run = state->run;
    const weir_slot *slot = &run->slots[key];
    weir_bytes bytes = weir_bytes_of(slot->data, slot->size);
    /* An encoding that was written may be written over while what was read of it is still looked at. */
    if (state->flat.kinds[key] == WEIR_SLOT_SET_ENCODED) bytes = weir_copy(bytes);
    void *value = weir_arena_alloc(weir_current_arena, state->type->size, 16);
    if (weir_state_decode(ctx, state, "decode", state->type, bytes, value) != WEIR_OK) return NULL;
    run->open = value;
    run->open_is_changed = false;
    ctx->open_values++;
    return value;
}

/* The decoded value of the shown key; NULL where there is none, or it fails. */
static void *decoded(weir_context *ctx, weir_state *state, uint32_t key) {
    struct weir_state_run *run = state->run;
    uint8_t *kind = &state->flat.kinds[key];
    const weir_slot *slot = &run->slots[key];
    switch ((weir_slot_kind)*kind) {
    case WEIR_SLOT_READ:
    case WEIR_SLOT_SET: return flat_value(state, key);
    case WEIR_SLOT_ENCODED:
        if (!run->is_flat) break;
        if (weir_state_decode(ctx, state, "decode", state->type, weir_bytes_of(slot->data, slot->size), flat_value(state, key)) != WEIR_OK) {
            return NULL;
        }
        *kind = WEIR_SLOT_READ;
        return flat_value(state, key);
    case WEIR_SLOT_NONE:
    case WEIR_SLOT_CLEARED: return run->open;
    case WEIR_SLOT_SET_ENCODED: break;
    }
    return run->open != NULL ? run->open : open_value(ctx, state, key);
}

/* The key's value is written, and of this kind from now on. */
static void change_to(weir_state *state, uint32_t key, weir_slot_kind kind) {
    if (state->flat.kinds[key] < WEIR_SLOT_SET) state->flat.changed[state->flat.changed_len++] = key;
    state->flat.kinds[key] = (uint8_t)kind;
}

/* Takes over an encoding, in the memory of one that was written before where that is enough. */
static void set_encoded(weir_state *state, uint32_t key, weir_bytes bytes) {
    weir_slot *slot = &state->run->slots[key];
    if (slot->room < bytes.size) {
        slot->room = (uint32_t)(slot->room > 0 ? 2 * bytes.size : bytes.size);
        slot->data = (uint8_t *)weir_arena_alloc(&weir_call_arena, slot->room, 1);
    } else if (slot->room == 0) {
        slot->data = (uint8_t *)weir_arena_alloc(&weir_call_arena, 0, 1);
    }
    weir_copy_to(slot->data, bytes.data, bytes.size);
    slot->size = (uint32_t)bytes.size;
    change_to(state, key, WEIR_SLOT_SET_ENCODED);
}

const void *weir_value_get(weir_context *ctx, weir_state *state) {
    uint32_t key;
    if (!weir_state_key(ctx, state, &key)) return NULL;
    void *value = decoded(ctx, state, key);
    if (value != NULL) weir_note_read(ctx, state);
    return value;
}

void *weir_value_update(weir_context *ctx, weir_state *state) {
    uint32_t key;
    /* What a failed update changes goes nowhere. */
    if (!weir_state_change_key(ctx, state, &key)) return weir_alloc(state->type->size);
    struct weir_state_run *run = state->run;
    void *value = decoded(ctx, state, key);
    if (ctx->has_failed) return weir_alloc(state->type->size);
    if (run->is_flat) {
        if (value == NULL) weir_zero(flat_value(state, key), state->type->size);
        change_to(state, key, WEIR_SLOT_SET);
        return flat_value(state, key);
    }
    if (value == NULL) {
        value = weir_alloc(state->type->size);
        ctx->open_values++;
    }
    /* Until its record is done with, it is the open value that counts. */
    if (state->flat.kinds[key] < WEIR_SLOT_SET) change_to(state, key, WEIR_SLOT_CLEARED);
    run->open = value;
    run->open_is_changed = true;
    return value;
}

void weir_value_set(weir_context *ctx, weir_state *state, const void *value) {
    uint32_t key;
    weir_bytes bytes;
    if (!weir_state_change_key(ctx, state, &key)) return;
    if (state->run->is_flat) {
        weir_copy_to(flat_value(state, key), value, state->type->size);
        change_to(state, key, WEIR_SLOT_SET);
        return;
    }
    if (weir_state_encode(ctx, state, "encode", state->type, value, &bytes) != WEIR_OK) return;
    state->run->open = NULL;
    set_encoded(state, key, bytes);
}

void weir_value_clear(weir_context *ctx, weir_state *state) {
    uint32_t key;
    if (!weir_state_change_key(ctx, state, &key)) return;
    state->run->open = NULL;
    change_to(state, key, WEIR_SLOT_CLEARED);
}

void weir_value_after_record(weir_context *ctx, weir_state *state) {
    struct weir_state_run *run = state->run;
    void *value = run->open;
    run->open = NULL;
    if (!run->open_is_changed || ctx->has_failed) return;
    weir_bytes bytes;
    if (weir_state_encode(ctx, state, "encode", state->type, value, &bytes) == WEIR_OK) set_encoded(state, ctx->now.key, bytes);
}

/* Appends a flat value's encoding. Each has one, but for an enum that is none of its cases. */
static bool put_flat(weir_context *ctx, const weir_state *state, uint32_t key, weir_buffer *data) {
    const uint8_t *value = flat_value(state, key);
    if (state->type->kind == WEIR_TYPE_RAW_STRUCT) {
        size_t left = state->type->size;
        uint8_t *to = weir_extend(data, left);
        for (; left >= 8; left -= 8, to += 8, value += 8) __builtin_memcpy(to, value, 8);
        for (; left > 0; left--) *to++ = *value++;
        return true;
    }
    if (weir_encode(ctx, state->type, value, data) == WEIR_OK) return true;
    weir_fail_during(ctx, "encode", state);
    for (uint32_t record = 0; record < ctx->count; record++) {
        if (weir_u32_at(ctx->batch->key_of, record) == key) ctx->failed_record = record;
    }
    return false;
}

bool weir_value_finish(weir_context *ctx, weir_state *state, abi_value_update *update) {
    size_t len = state->flat.changed_len;
    if (len == 0) return false;
    weir_buffer keys = weir_call_buffer(), data = weir_call_buffer(), ends = weir_call_buffer(), cleared = weir_call_buffer();
    weir_grow(&keys, 4 * len);
    weir_grow(&ends, 4 * len);
    if (state->run->is_flat) weir_grow(&data, len * state->type->size);
    for (size_t at = 0; at < len; at++) {
        uint32_t key = state->flat.changed[at];
        const weir_slot *slot = &state->run->slots[key];
        if (state->flat.kinds[key] == WEIR_SLOT_CLEARED) {
            weir_push_u32(&cleared, key);
            continue;
        }
        weir_push_u32(&keys, key);
        if (state->flat.kinds[key] != WEIR_SLOT_SET) weir_put(&data, weir_bytes_of(slot->data, slot->size));
        else if (!put_flat(ctx, state, key, &data)) return false;
        weir_push_u32(&ends, (uint32_t)data.size);
    }
    update->state = state->run->number;
    update->cleared = weir_written(&cleared);
    update->set.keys = weir_written(&keys);
    update->set.items = weir_column_of(&data, &ends);
    return true;
}
