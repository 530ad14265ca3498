/* Maps: one for each key, or of broadcast state one for the subtask. Entries are read one by one or in the order of their encoded keys. */
#include "overlay.h"

static weir_overlay *new_overlay(struct weir_state_run *run, uint32_t key, bool is_broadcast) {
    weir_overlay *overlay = (weir_overlay *)weir_arena_zeroed(&weir_call_arena, sizeof *overlay);
    overlay->key = key;
    overlay->is_broadcast = is_broadcast;
    *run->last_overlay = overlay;
    run->last_overlay = &overlay->next;
    return overlay;
}

/* The map that is shown; NULL where it fails, or has failed. */
static weir_overlay *overlay_of(weir_context *ctx, weir_state *state) {
    uint32_t key;
    struct weir_state_run *run = state->run;
    if (run != NULL && state->kind == WEIR_KIND_BROADCAST) {
        if (ctx->has_failed) return NULL;
        return run->first_overlay != NULL ? run->first_overlay : new_overlay(run, 0, true);
    }
    if (!weir_state_key(ctx, state, &key)) return NULL;
    if (run->overlays[key] == NULL) run->overlays[key] = new_overlay(run, key, false);
    return run->overlays[key];
}

/* The same for a function that changes it. */
static weir_overlay *overlay_to_change(weir_context *ctx, weir_state *state) {
    uint32_t key;
    if (state->kind != WEIR_KIND_BROADCAST || state->run == NULL) {
        return weir_state_change_key(ctx, state, &key) ? overlay_of(ctx, state) : NULL;
    }
    if (ctx->has_failed || ctx->is_broadcast) return overlay_of(ctx, state);
    weir_fail(ctx,
              "state `%s` is changed by records of a broadcast input only: declare the input with `.by = WEIR_BROADCAST` and give it "
              "`by = \"broadcast\"` in the job file",
              weir_state_name(state));
    return NULL;
}

static bool encode_key(weir_context *ctx, weir_state *state, const void *key, weir_bytes *name) {
    return weir_state_encode(ctx, state, "encode a key of", state->key_type, key, name) == WEIR_OK;
}

/* Reads an entry from the host. */
static void fetch(weir_state *state, const weir_overlay *overlay, weir_entry *entry) {
    abi_keyed_column found;
    uint32_t end = (uint32_t)entry->name.size;
    const uint8_t *ends = (const uint8_t *)&end;
    if (overlay->is_broadcast) {
        weir_host_broadcast_get(state->run->number, entry->name.data, end, ends, 4, &found);
    } else {
        weir_host_map_get(state->run->number, overlay->key, entry->name.data, end, ends, 4, &found);
    }
    if (found.items.ends.size < 4) return;
    weir_entry_put(entry, weir_column_item(&found.items, 0));
    entry->kind = WEIR_ENTRY_READ;
}

/* The entry, if the map has one of this key. */
static weir_entry *find(weir_context *ctx, weir_state *state, const void *key) {
    weir_bytes name;
    weir_overlay *overlay = overlay_of(ctx, state);
    if (overlay == NULL || !encode_key(ctx, state, key, &name)) return NULL;
    weir_entry *entry = weir_overlay_find(overlay, name);
    if (entry == NULL) {
        entry = weir_overlay_entry(overlay, name);
        if (!overlay->cleared) fetch(state, overlay, entry);
    }
    if (entry->kind == WEIR_ENTRY_MISSING || entry->kind == WEIR_ENTRY_REMOVED) return NULL;
    if (!overlay->is_broadcast) weir_note_read(ctx, state);
    return entry;
}

bool weir_map_get(weir_context *ctx, weir_state *state, const void *key, void *value) {
    weir_entry *entry = find(ctx, state, key);
    /* The entry may be put anew while the author looks at what was read. */
    return entry != NULL && weir_state_decode(ctx, state, "decode an entry of", state->type, weir_copy(entry->value), value) == WEIR_OK;
}

bool weir_map_contains(weir_context *ctx, weir_state *state, const void *key) { return find(ctx, state, key) != NULL; }

void weir_map_put(weir_context *ctx, weir_state *state, const void *key, const void *value) {
    weir_bytes name, bytes;
    weir_overlay *overlay = overlay_to_change(ctx, state);
    if (overlay == NULL || !encode_key(ctx, state, key, &name)) return;
    if (weir_state_encode(ctx, state, "encode a value of", state->type, value, &bytes) != WEIR_OK) return;
    weir_entry *entry = weir_overlay_entry(overlay, name);
    weir_entry_put(entry, bytes);
    entry->kind = WEIR_ENTRY_PUT;
}

void weir_map_remove(weir_context *ctx, weir_state *state, const void *key) {
    weir_bytes name;
    weir_overlay *overlay = overlay_to_change(ctx, state);
    if (overlay == NULL || !encode_key(ctx, state, key, &name)) return;
    weir_overlay_entry(overlay, name)->kind = WEIR_ENTRY_REMOVED;
}

void weir_map_clear(weir_context *ctx, weir_state *state) {
    weir_overlay *overlay = overlay_to_change(ctx, state);
    if (overlay == NULL) return;
    overlay->cleared = true;
    overlay->root = NULL;
}

weir_map_iter weir_map_begin(weir_context *ctx, weir_state *state) {
    weir_map_iter iter = {0};
    iter.ctx = ctx;
    iter.state = state;
    iter.overlay = overlay_of(ctx, state);
    iter.first = true;
    iter.ended = iter.overlay == NULL;
    return iter;
}

/* Fetches the next page where this one has been shown. False where there is none. */
static bool has_stored(weir_map_iter *iter) {
    const weir_overlay *overlay = iter->overlay;
    if (overlay->cleared) return false;
    while (iter->at == iter->entry_ends.size / 4) {
        if (!iter->first && weir_is_absent(iter->next)) return false;
        abi_map_page page;
        uint32_t number = iter->state->run->number;
        if (overlay->is_broadcast) {
            weir_host_broadcast_scan(number, !iter->first, iter->next.data, iter->next.size, WEIR_PAGE_BYTES, &page);
        } else {
            weir_host_map_scan(number, overlay->key, !iter->first, iter->next.data, iter->next.size, WEIR_PAGE_BYTES, &page);
        }
        iter->first = false;
        iter->at = 0;
        iter->entry_data = page.entries.data;
        iter->entry_ends = page.entries.ends;
        iter->value_data = page.values.data;
        iter->value_ends = page.values.ends;
        iter->next = page.has_next ? weir_bytes_of(page.next.data, page.next.size) : weir_absent();
    }
    return true;
}

/* The next entry, encoded. */
static bool next_entry(weir_map_iter *iter, weir_bytes *name, weir_bytes *value) {
    while (!iter->ended && !iter->ctx->has_failed) {
        bool stored = has_stored(iter);
        weir_bytes stored_name = stored ? weir_item(iter->entry_data, iter->entry_ends, iter->at) : weir_absent();
        const weir_entry *own = weir_overlay_behind(iter->overlay, iter->shown);
        if (!stored && own == NULL) break;
        int order = own == NULL ? 1 : !stored ? -1 : weir_compare(own->name, stored_name);
        if (stored && order >= 0) iter->at++;
        iter->shown = order <= 0 ? own->name : stored_name;
        if (order > 0) {
            *name = stored_name;
            *value = weir_item(iter->value_data, iter->value_ends, iter->at - 1);
            return true;
        }
        if (own->kind == WEIR_ENTRY_MISSING || own->kind == WEIR_ENTRY_REMOVED) continue;
        *name = own->name;
        *value = weir_copy(own->value);
        return true;
    }
    iter->ended = true;
    return false;
}

bool weir_map_next(weir_map_iter *iter, void *key, void *value) {
    weir_bytes name, bytes;
    weir_context *ctx = iter->ctx;
    if (!next_entry(iter, &name, &bytes)) return false;
    if (!iter->overlay->is_broadcast) weir_note_read(ctx, iter->state);
    return weir_state_decode(ctx, iter->state, "decode an entry of", iter->state->key_type, name, key) == WEIR_OK &&
           weir_state_decode(ctx, iter->state, "decode an entry of", iter->state->type, bytes, value) == WEIR_OK;
}

bool weir_map_is_empty(weir_context *ctx, weir_state *state) {
    weir_bytes name, value;
    weir_map_iter iter = weir_map_begin(ctx, state);
    return !next_entry(&iter, &name, &value);
}

static weir_map_columns no_columns(void) {
    weir_buffer none = weir_call_buffer();
    weir_map_columns columns = {none, none, none, none, none, none, none, none, none};
    return columns;
}

bool weir_map_finish(weir_state *state, abi_map_update *update) {
    weir_map_columns columns = no_columns();
    for (const weir_overlay *overlay = state->run->first_overlay; overlay != NULL; overlay = overlay->next) {
        if (overlay->cleared) weir_push_u32(&columns.cleared, overlay->key);
        weir_overlay_collect(overlay, overlay->root, &columns);
    }
    update->state = state->run->number;
    update->cleared = weir_written(&columns.cleared);
    update->removed.keys = weir_written(&columns.removed_keys);
    update->removed.items = weir_column_of(&columns.removed, &columns.removed_ends);
    update->put.keys = weir_written(&columns.put_keys);
    update->put.items = weir_column_of(&columns.put, &columns.put_ends);
    update->values = weir_column_of(&columns.values, &columns.value_ends);
    return columns.cleared.size + columns.removed_keys.size + columns.put_keys.size > 0;
}

bool weir_broadcast_finish(weir_state *state, abi_broadcast_update *update) {
    weir_map_columns columns = no_columns();
    const weir_overlay *overlay = state->run->first_overlay;
    if (overlay == NULL) return false;
    weir_overlay_collect(overlay, overlay->root, &columns);
    update->state = state->run->number;
    update->cleared = overlay->cleared;
    update->removed = weir_column_of(&columns.removed, &columns.removed_ends);
    update->put = weir_column_of(&columns.put, &columns.put_ends);
    update->values = weir_column_of(&columns.values, &columns.value_ends);
    return overlay->cleared || columns.removed_keys.size + columns.put_keys.size > 0;
}
