/* A list for each key: appended to, read from a position on or from the front, shortened at either end, cleared.
 *
 * The host shows a list as it was when the call began. Whatever the operator does to it comes to what the host applies: cleared, popped,
 * truncated, appended to, in this order. What is popped beyond the stored items comes off the front of those that were appended, and what is
 * truncated to fewer than the stored ones takes all of these. */
#include "states.h"

/* The shown key's list, of which nothing is known at first. */
static weir_list_change *list_of(weir_state *state, uint32_t key) {
    struct weir_state_run *run = state->run;
    weir_list_change *list = run->lists[key];
    if (list != NULL) return list;
    list = (weir_list_change *)weir_arena_zeroed(&weir_call_arena, sizeof *list);
    list->key = key;
    list->data = weir_call_buffer();
    list->ends = weir_call_buffer();
    run->lists[key] = list;
    *run->last_list = list;
    run->last_list = &list->next;
    return list;
}

/* How many stored items are still there. */
static uint64_t stored(weir_state *state, weir_list_change *list) {
    if (list->cleared) return 0;
    if (!list->knows_length) {
        list->length = weir_host_list_length(state->run->number, list->key);
        list->knows_length = true;
    }
    uint64_t left = list->length > list->popped ? list->length - list->popped : 0;
    return list->is_kept && list->kept < left ? list->kept : left;
}

static uint64_t appended(const weir_list_change *list) { return list->ends.size / 4 - list->gone; }

static weir_bytes appended_item(const weir_list_change *list, uint64_t index) {
    return weir_item(weir_written(&list->data), weir_written(&list->ends), list->gone + (size_t)index);
}

/* Every item that is handed out comes through here. */
static bool hand_out(weir_context *ctx, weir_state *state, weir_bytes bytes, void *item) {
    if (weir_state_decode(ctx, state, "decode an item of", state->type, bytes, item) != WEIR_OK) return false;
    weir_note_read(ctx, state);
    return true;
}

/* An item that was appended stands in memory that may move while the author looks at it. */
static bool hand_out_appended(weir_context *ctx, weir_state *state, const weir_list_change *list, uint64_t index, void *item) {
    return index < appended(list) && hand_out(ctx, state, weir_copy(appended_item(list, index)), item);
}

uint64_t weir_list_len(weir_context *ctx, weir_state *state) {
    uint32_t key;
    if (!weir_state_key(ctx, state, &key)) return 0;
    weir_list_change *list = list_of(state, key);
    return stored(state, list) + appended(list);
}

bool weir_list_get(weir_context *ctx, weir_state *state, uint64_t index, void *item) {
    uint32_t key;
    if (!weir_state_key(ctx, state, &key)) return false;
    weir_list_change *list = list_of(state, key);
    uint64_t there = stored(state, list);
    if (index >= there) return hand_out_appended(ctx, state, list, index - there, item);
    abi_list_page page;
    weir_host_list_read(state->run->number, key, list->popped + index, 1, &page);
    return page.items.ends.size >= 4 && hand_out(ctx, state, weir_column_item(&page.items, 0), item);
}

void weir_list_append(weir_context *ctx, weir_state *state, const void *item) {
    uint32_t key;
    weir_bytes bytes;
    if (!weir_state_change_key(ctx, state, &key)) return;
    if (weir_state_encode(ctx, state, "encode an item of", state->type, item, &bytes) != WEIR_OK) return;
    weir_list_change *list = list_of(state, key);
    list->is_changed = true;
    weir_push_item(&list->data, &list->ends, bytes);
}

void weir_list_pop_front(weir_context *ctx, weir_state *state, uint64_t count) {
    uint32_t key;
    if (!weir_state_change_key(ctx, state, &key)) return;
    weir_list_change *list = list_of(state, key);
    uint64_t there = stored(state, list), of_stored = count < there ? count : there, left = appended(list);
    list->is_changed = true;
    list->popped += of_stored;
    if (list->is_kept) list->kept -= of_stored;
    list->gone += (size_t)(count - of_stored < left ? count - of_stored : left);
}

void weir_list_truncate(weir_context *ctx, weir_state *state, uint64_t len) {
    uint32_t key;
    if (!weir_state_change_key(ctx, state, &key)) return;
    weir_list_change *list = list_of(state, key);
    uint64_t there = stored(state, list), behind = len > there ? len - there : 0;
    list->is_changed = true;
    if (len < there) {
        list->is_kept = true;
        list->kept = len;
    }
    if (behind >= appended(list)) return;
    size_t items = list->gone + (size_t)behind;
    list->ends.size = 4 * items;
    list->data.size = items == 0 ? 0 : weir_u32_at(weir_written(&list->ends), items - 1);
}

void weir_list_clear(weir_context *ctx, weir_state *state) {
    uint32_t key;
    if (!weir_state_change_key(ctx, state, &key)) return;
    weir_list_change *list = list_of(state, key);
    list->is_changed = list->cleared = true;
    list->is_kept = false;
    list->popped = list->kept = 0;
    list->data.size = list->ends.size = list->gone = 0;
}

weir_list_iter weir_list_begin(weir_context *ctx, weir_state *state) {
    weir_list_iter iter = {0};
    iter.ctx = ctx;
    iter.state = state;
    return iter;
}

bool weir_list_next(weir_list_iter *iter, void *item) {
    uint32_t key;
    weir_state *state = iter->state;
    if (!weir_state_key(iter->ctx, state, &key)) return false;
    weir_list_change *list = list_of(state, key);
    uint64_t there = stored(state, list), index = iter->next++;
    if (index >= there) return hand_out_appended(iter->ctx, state, list, index - there, item);
    if (iter->at == iter->ends.size / 4) {
        abi_list_page page;
        weir_host_list_read(state->run->number, key, list->popped + index, WEIR_PAGE_BYTES, &page);
        iter->items = page.items.data;
        iter->ends = page.items.ends;
        iter->at = 0;
        if (iter->ends.size < 4) return false;
    }
    return hand_out(iter->ctx, state, weir_item(iter->items, iter->ends, iter->at++), item);
}

/* The changes of one list state as they are collected. */
typedef struct list_columns {
    weir_buffer cleared, popped, popped_counts, truncated, truncated_counts, appended, data, ends;
} list_columns;

static void add_change(const weir_list_change *list, list_columns *to) {
    if (list->cleared) weir_push_u32(&to->cleared, list->key);
    if (list->popped > 0) {
        weir_push_u32(&to->popped, list->key);
        weir_push_i64(&to->popped_counts, (int64_t)list->popped);
    }
    if (list->is_kept) {
        weir_push_u32(&to->truncated, list->key);
        weir_push_i64(&to->truncated_counts, (int64_t)list->kept);
    }
    for (uint64_t index = 0; index < appended(list); index++) {
        weir_push_u32(&to->appended, list->key);
        weir_push_item(&to->data, &to->ends, appended_item(list, index));
    }
}

bool weir_list_finish(weir_state *state, abi_list_update *update) {
    weir_buffer none = weir_call_buffer();
    list_columns columns = {none, none, none, none, none, none, none, none};
    bool any = false;
    for (const weir_list_change *list = state->run->first_list; list != NULL; list = list->next) {
        if (!list->is_changed) continue;
        any = true;
        add_change(list, &columns);
    }
    update->state = state->run->number;
    update->cleared = weir_written(&columns.cleared);
    update->popped.keys = weir_written(&columns.popped);
    update->popped.counts = weir_written(&columns.popped_counts);
    update->truncated.keys = weir_written(&columns.truncated);
    update->truncated.counts = weir_written(&columns.truncated_counts);
    update->append.keys = weir_written(&columns.appended);
    update->append.items = weir_column_of(&columns.data, &columns.ends);
    return any;
}
