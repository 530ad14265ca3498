/* One map as a call sees it: what the host stores, read entry by entry or page by page, with what the call did laid over it. */
#ifndef WEIR_OVERLAY_PRIVATE_H
#define WEIR_OVERLAY_PRIVATE_H

#include "states.h"

typedef enum weir_entry_kind {
    /* Read from the host, which has such an entry, or none. */
    WEIR_ENTRY_READ,
    WEIR_ENTRY_MISSING,
    WEIR_ENTRY_PUT,
    WEIR_ENTRY_REMOVED
} weir_entry_kind;

/* An entry, in a tree that is in the order of the entries' bytes, and by the hashes of these a heap: that keeps it shallow, whatever keys
 * are sent. */
typedef struct weir_entry {
    struct weir_entry *left, *right;
    uint32_t priority;
    weir_entry_kind kind;
    weir_bytes name, value;
    /* What the memory of the value may grow to. */
    size_t room;
} weir_entry;

typedef struct weir_overlay {
    struct weir_overlay *next;
    uint32_t key;
    bool is_broadcast, cleared;
    weir_entry *root;
} weir_overlay;

/* The entry of this name, or NULL. */
weir_entry *weir_overlay_find(const weir_overlay *overlay, weir_bytes name);

/* The same, which is made where there is none. */
weir_entry *weir_overlay_entry(weir_overlay *overlay, weir_bytes name);

/* The first entry behind `name`; absent: the first of all. */
const weir_entry *weir_overlay_behind(const weir_overlay *overlay, weir_bytes name);

/* Gives an entry a value, which is copied. */
void weir_entry_put(weir_entry *entry, weir_bytes value);

/* What was done to a map, for the host. */
typedef struct weir_map_columns {
    weir_buffer cleared, removed_keys, removed, removed_ends, put_keys, put, put_ends, values, value_ends;
} weir_map_columns;

/* Adds the entries in order. */
void weir_overlay_collect(const weir_overlay *overlay, const weir_entry *from, weir_map_columns *to);

#endif
