/* State of the key that is being worked on, and what a subtask keeps as a whole.
 *
 *     WEIR_VALUE_STATE(visits, Visits)                           visits_get(ctx), visits_update(ctx), …
 *     WEIR_LIST_STATE(history, string)
 *     WEIR_MAP_STATE(by_country, string, u64)
 *     WEIR_BROADCAST_STATE(rules, string, Rule)
 *     static weir_state *const states[] = {&visits, &history, &by_country, &rules};
 *
 * Options stand behind the types: .name (else the state's name is its word), .version of its type (else 1), .ttl, .merge.
 *
 *     WEIR_VALUE_STATE(visits, Visits, .version = 2, .ttl = {.ms = WEIR_HOURS(1), .domain = WEIR_EVENT_TIME})
 *
 * An operator sees its own writes. Each function fails where the input is not keyed (of broadcast state: writing fails where the input is not
 * a broadcast one) and where stored bytes are no such type. */
#ifndef WEIR_STATE_H
#define WEIR_STATE_H

#if defined(__GNUC__)
/* What the macros below expand to is not held to the warnings of the file that uses them. */
#pragma GCC system_header
#endif

#include "types.h"

WEIR_C_BEGIN

/* What a time is judged by. */
typedef enum weir_time_domain {
    WEIR_EVENT_TIME = 0,
    WEIR_PROCESSING_TIME = 1
} weir_time_domain;

#define WEIR_SECONDS(n) ((uint64_t)(n) * 1000)
#define WEIR_MINUTES(n) ((uint64_t)(n) * 60000)
#define WEIR_HOURS(n) ((uint64_t)(n) * 3600000)
#define WEIR_DAYS(n) ((uint64_t)(n) * 86400000)

/* How long what is kept lives: values, items and entries one by one. Broadcast state has none, nor has a windowed operator. */
typedef struct weir_ttl {
    /* 0: for ever. */
    uint64_t ms;
    weir_time_domain domain;
    /* It counts from the last write or read, not from the last write alone. A value, item or entry that was handed out, or that `contains`
     * says is there, renews all that the state keeps of the key; a length does not. */
    bool refresh_on_read;
} weir_ttl;

typedef enum weir_state_kind { WEIR_KIND_VALUE = 0, WEIR_KIND_LIST = 1, WEIR_KIND_MAP = 2, WEIR_KIND_BROADCAST = 3 } weir_state_kind;

/* Makes one value of two: changes `both`, which is that of the window that starts first. */
typedef void (*weir_merge)(void *both, const void *later);

/* What is known of a key's value in a call. */
typedef enum weir_slot_kind {
    WEIR_SLOT_NONE = 0,
    /* As it came, encoded. */
    WEIR_SLOT_ENCODED,
    /* As it came, and decoded. Flat types only. */
    WEIR_SLOT_READ,
    /* Written: what is decoded counts. Flat types only. */
    WEIR_SLOT_SET,
    /* Written, encoded. */
    WEIR_SLOT_SET_ENCODED,
    WEIR_SLOT_CLEARED
} weir_slot_kind;

/* The values of a flat type, for each key of a call. */
typedef struct weir_flat_values {
    /* Keys whose values may be looked at here; 0: of another kind, or not in a call. */
    uint32_t readable;
    /* The same for changes. */
    uint32_t writable;
    uint32_t changed_len;
    /* Keys that were set or cleared, in the order of the first time. */
    uint32_t *changed;
    /* A weir_slot_kind for each key. */
    uint8_t *kinds;
    /* The decoded values. */
    uint8_t *values;
} weir_flat_values;

/* A declared state, and the handle by which it is used. */
typedef struct weir_state {
    weir_state_kind kind;
    /* Its word in the program. */
    const char *word;
    /* Of maps and broadcast state: the keys of their entries. */
    const weir_type *key_type;
    const weir_type *type;
    const char *name;
    uint32_t version;
    weir_ttl ttl;
    weir_merge merge;
    /* What the SDK knows of it in a call. */
    struct weir_state_run *run;
    weir_flat_values flat;
} weir_state;

const void *weir_value_get(weir_context *ctx, weir_state *state);
void *weir_value_update(weir_context *ctx, weir_state *state);
void weir_value_set(weir_context *ctx, weir_state *state, const void *value);
void weir_value_clear(weir_context *ctx, weir_state *state);

/* The value of the shown key where it is decoded already; else NULL. */
static inline void *weir_flat_value(weir_context *ctx, const weir_state *state, size_t size) {
    uint32_t key = ((const weir_call *)(const void *)ctx)->key;
    if (key >= state->flat.readable) return NULL;
    bool is_decoded = state->flat.kinds[key] == WEIR_SLOT_READ || state->flat.kinds[key] == WEIR_SLOT_SET;
    return is_decoded ? state->flat.values + key * size : NULL;
}

/* The place of the shown key's value, which counts as written from now on, and is zeroed where there was none; NULL where that takes more. */
static inline void *weir_flat_place(weir_context *ctx, weir_state *state, size_t size) {
    uint32_t key = ((const weir_call *)(const void *)ctx)->key;
    if (key >= state->flat.writable) return NULL;
    uint8_t *value = state->flat.values + key * size, *kind = &state->flat.kinds[key];
    if (*kind == WEIR_SLOT_SET) return value;
    if (*kind == WEIR_SLOT_NONE) __builtin_memset(value, 0, size);
    else if (*kind != WEIR_SLOT_READ) return NULL;
    *kind = WEIR_SLOT_SET;
    state->flat.changed[state->flat.changed_len++] = key;
    return value;
}

/* Goes through a list. */
typedef struct weir_list_iter {
    weir_context *ctx;
    weir_state *state;
    uint64_t next;
    weir_bytes items, ends;
    size_t at;
} weir_list_iter;

uint64_t weir_list_len(weir_context *ctx, weir_state *state);
bool weir_list_get(weir_context *ctx, weir_state *state, uint64_t index, void *item);
void weir_list_append(weir_context *ctx, weir_state *state, const void *item);
void weir_list_pop_front(weir_context *ctx, weir_state *state, uint64_t count);
void weir_list_truncate(weir_context *ctx, weir_state *state, uint64_t len);
void weir_list_clear(weir_context *ctx, weir_state *state);
weir_list_iter weir_list_begin(weir_context *ctx, weir_state *state);
bool weir_list_next(weir_list_iter *iter, void *item);

/* Goes through a map. */
typedef struct weir_map_iter {
    weir_context *ctx;
    weir_state *state;
    struct weir_overlay *overlay;
    weir_bytes entry_data, entry_ends, value_data, value_ends;
    size_t at;
    /* Where the next page begins; absent: there is none. */
    weir_bytes next;
    bool first, ended;
    /* The entry that was shown last. */
    weir_bytes shown;
} weir_map_iter;

bool weir_map_get(weir_context *ctx, weir_state *state, const void *key, void *value);
bool weir_map_contains(weir_context *ctx, weir_state *state, const void *key);
void weir_map_put(weir_context *ctx, weir_state *state, const void *key, const void *value);
void weir_map_remove(weir_context *ctx, weir_state *state, const void *key);
void weir_map_clear(weir_context *ctx, weir_state *state);
bool weir_map_is_empty(weir_context *ctx, weir_state *state);
weir_map_iter weir_map_begin(weir_context *ctx, weir_state *state);
bool weir_map_next(weir_map_iter *iter, void *key, void *value);

WEIR_C_END

#define WEIR_STATE_(name_, kind_, key_type_, type_, ...) \
    WEIR_UNUSED static weir_state name_ = {.kind = kind_, .word = #name_, .key_type = key_type_, .type = type_, ##__VA_ARGS__};

/* A merge function `void function(T *both, const T *later)` for .merge, held to its type. */
#define WEIR_MERGE(T, function) ((weir_merge)(true ? (function) : (void (*)(weir_c_##T *, const weir_c_##T *))0))

/* One value for each key. `get` gives NULL where there is none. `update` gives the value to be changed in place, zeroed where there is none;
 * what it then points to has to last until the operator's function returns, as what the SDK hands out does. */
#define WEIR_VALUE_STATE(state, T, ...) \
    WEIR_STATE_(state, WEIR_KIND_VALUE, NULL, &weir_type_##T, ##__VA_ARGS__) \
    WEIR_UNUSED static inline const weir_c_##T *state##_get(weir_context *ctx) { \
        void *value = weir_flat_value(ctx, &state, sizeof(weir_c_##T)); \
        return (const weir_c_##T *)(value != NULL ? value : weir_value_get(ctx, &state)); \
    } \
    WEIR_UNUSED static inline weir_c_##T *state##_update(weir_context *ctx) { \
        void *value = weir_flat_place(ctx, &state, sizeof(weir_c_##T)); \
        return (weir_c_##T *)(value != NULL ? value : weir_value_update(ctx, &state)); \
    } \
    WEIR_UNUSED static inline void state##_set(weir_context *ctx, weir_c_##T value) { \
        weir_c_##T *place = (weir_c_##T *)weir_flat_place(ctx, &state, sizeof(weir_c_##T)); \
        if (place != NULL) *place = value; \
        else weir_value_set(ctx, &state, &value); \
    } \
    WEIR_UNUSED static inline void state##_clear(weir_context *ctx) { weir_value_clear(ctx, &state); }

/* A list for each key, which stays with the host: reads fetch what they ask for. While one is gone through, nothing is taken from it.
 *
 *     weir_list_iter iter = history_iter(ctx);
 *     for (weir_bytes item; history_next(&iter, &item);) … */
#define WEIR_LIST_STATE(state, T, ...) \
    WEIR_STATE_(state, WEIR_KIND_LIST, NULL, &weir_type_##T, ##__VA_ARGS__) \
    WEIR_UNUSED static inline uint64_t state##_len(weir_context *ctx) { return weir_list_len(ctx, &state); } \
    WEIR_UNUSED static inline bool state##_get(weir_context *ctx, uint64_t index, weir_c_##T *item) { \
        return weir_list_get(ctx, &state, index, item); \
    } \
    WEIR_UNUSED static inline void state##_append(weir_context *ctx, weir_c_##T item) { weir_list_append(ctx, &state, &item); } \
    WEIR_UNUSED static inline void state##_pop_front(weir_context *ctx, uint64_t count) { weir_list_pop_front(ctx, &state, count); } \
    WEIR_UNUSED static inline void state##_truncate(weir_context *ctx, uint64_t len) { weir_list_truncate(ctx, &state, len); } \
    WEIR_UNUSED static inline void state##_clear(weir_context *ctx) { weir_list_clear(ctx, &state); } \
    WEIR_UNUSED static inline weir_list_iter state##_iter(weir_context *ctx) { return weir_list_begin(ctx, &state); } \
    WEIR_UNUSED static inline bool state##_next(weir_list_iter *iter, weir_c_##T *item) { return weir_list_next(iter, item); }

#define WEIR_MAP_FUNCTIONS_(state, K, V) \
    WEIR_UNUSED static inline bool state##_get(weir_context *ctx, weir_c_##K key, weir_c_##V *value) { \
        return weir_map_get(ctx, &state, &key, value); \
    } \
    WEIR_UNUSED static inline bool state##_contains(weir_context *ctx, weir_c_##K key) { return weir_map_contains(ctx, &state, &key); } \
    WEIR_UNUSED static inline void state##_put(weir_context *ctx, weir_c_##K key, weir_c_##V value) { \
        weir_map_put(ctx, &state, &key, &value); \
    } \
    WEIR_UNUSED static inline void state##_remove(weir_context *ctx, weir_c_##K key) { weir_map_remove(ctx, &state, &key); } \
    WEIR_UNUSED static inline void state##_clear(weir_context *ctx) { weir_map_clear(ctx, &state); } \
    WEIR_UNUSED static inline bool state##_is_empty(weir_context *ctx) { return weir_map_is_empty(ctx, &state); } \
    WEIR_UNUSED static inline weir_map_iter state##_iter(weir_context *ctx) { return weir_map_begin(ctx, &state); } \
    WEIR_UNUSED static inline bool state##_next(weir_map_iter *iter, weir_c_##K *key, weir_c_##V *value) { \
        return weir_map_next(iter, key, value); \
    }

/* A map for each key, which stays with the host; an entry that was read once is kept for the batch. `get` gives false where there is no such
 * entry. Entries come in the byte order of their encoded keys.
 *
 *     weir_map_iter iter = by_country_iter(ctx);
 *     weir_bytes country;
 *     uint64_t count;
 *     while (by_country_next(&iter, &country, &count)) … */
#define WEIR_MAP_STATE(state, K, V, ...) \
    WEIR_STATE_(state, WEIR_KIND_MAP, &weir_type_##K, &weir_type_##V, ##__VA_ARGS__) \
    WEIR_MAP_FUNCTIONS_(state, K, V)

/* A map that each subtask keeps a copy of. Any record may read it; records of broadcast inputs change it. So that the copies stay alike, a
 * change must depend on nothing but these records and this state. Its functions are those of a map state. */
#define WEIR_BROADCAST_STATE(state, K, V, ...) \
    WEIR_STATE_(state, WEIR_KIND_BROADCAST, &weir_type_##K, &weir_type_##V, ##__VA_ARGS__) \
    WEIR_MAP_FUNCTIONS_(state, K, V)

#endif
