#include "overlay.h"

weir_entry *weir_overlay_find(const weir_overlay *overlay, weir_bytes name) {
    weir_entry *entry = overlay->root;
    while (entry != NULL) {
        int order = weir_compare(name, entry->name);
        if (order == 0) return entry;
        entry = order < 0 ? entry->left : entry->right;
    }
    return NULL;
}

/* FNV-1a, with its last bits stirred. */
static uint32_t hash(weir_bytes bytes) {
    uint32_t hash = 2166136261u;
    for (size_t at = 0; at < bytes.size; at++) hash = (hash ^ bytes.data[at]) * 16777619u;
    hash ^= hash >> 16;
    hash *= 0x7feb352du;
    return hash ^ hash >> 15;
}

/* Divides a tree into what comes before `name`, which it does not have, and what comes behind. */
static void split(weir_entry *tree, weir_bytes name, weir_entry **before, weir_entry **behind) {
    while (tree != NULL) {
        if (weir_compare(tree->name, name) < 0) {
            *before = tree;
            before = &tree->right;
            tree = tree->right;
        } else {
            *behind = tree;
            behind = &tree->left;
            tree = tree->left;
        }
    }
    *before = *behind = NULL;
}

static weir_bytes copy_for_call(weir_bytes bytes) {
    uint8_t *copy = (uint8_t *)weir_arena_alloc(&weir_call_arena, bytes.size, 1);
    weir_copy_to(copy, bytes.data, bytes.size);
    return weir_bytes_of(copy, bytes.size);
}

weir_entry *weir_overlay_entry(weir_overlay *overlay, weir_bytes name) {
    weir_entry *found = weir_overlay_find(overlay, name);
    if (found != NULL) return found;
    weir_entry *entry = (weir_entry *)weir_arena_zeroed(&weir_call_arena, sizeof *entry);
    entry->name = copy_for_call(name);
    entry->priority = hash(name) ^ weir_the_context.seed;
    entry->kind = WEIR_ENTRY_MISSING;
    weir_entry **place = &overlay->root;
    while (*place != NULL && (*place)->priority >= entry->priority) {
        place = weir_compare(name, (*place)->name) < 0 ? &(*place)->left : &(*place)->right;
    }
    split(*place, name, &entry->left, &entry->right);
    *place = entry;
    return entry;
}

const weir_entry *weir_overlay_behind(const weir_overlay *overlay, weir_bytes name) {
    const weir_entry *entry = overlay->root, *best = NULL;
    while (entry != NULL) {
        if (weir_is_absent(name) || weir_compare(entry->name, name) > 0) {
            best = entry;
            entry = entry->left;
        } else {
            entry = entry->right;
        }
    }
    return best;
}

void weir_entry_put(weir_entry *entry, weir_bytes value) {
    if (entry->room < value.size || entry->value.data == NULL) {
        /* One that is put again and again finds room. */
        entry->room = entry->room == 0 ? value.size : 2 * value.size;
        entry->value.data = (const uint8_t *)weir_arena_alloc(&weir_call_arena, entry->room, 1);
    }
    weir_copy_to((uint8_t *)entry->value.data, value.data, value.size);
    entry->value.size = value.size;
}

void weir_overlay_collect(const weir_overlay *overlay, const weir_entry *from, weir_map_columns *to) {
    if (from == NULL) return;
    weir_overlay_collect(overlay, from->left, to);
    if (from->kind == WEIR_ENTRY_PUT) {
        weir_push_u32(&to->put_keys, overlay->key);
        weir_push_item(&to->put, &to->put_ends, from->name);
        weir_push_item(&to->values, &to->value_ends, from->value);
    } else if (from->kind == WEIR_ENTRY_REMOVED && !overlay->cleared) {
        weir_push_u32(&to->removed_keys, overlay->key);
        weir_push_item(&to->removed, &to->removed_ends, from->name);
    }
    weir_overlay_collect(overlay, from->right, to);
}
