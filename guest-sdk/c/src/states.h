/* State in a call: what was read of it and done to it, for each key.
 *
 * Keys are dense numbers, so that what belongs to a key stands in an array. All of it lives in the call's memory, and nothing of it is left
 * when the call is over, whether it failed or not. */
#ifndef WEIR_STATES_PRIVATE_H
#define WEIR_STATES_PRIVATE_H

#include "cbor.h"

/* The encoding of a key's value, as it came or was written. */
typedef struct weir_slot {
    uint8_t *data;
    uint32_t size;
    /* Of one that was written: what it may grow to. */
    uint32_t room;
} weir_slot;

/* What a call did to one key's list, in the order in which the host applies it: cleared, popped, truncated, appended to. */
typedef struct weir_list_change {
    struct weir_list_change *next;
    uint32_t key;
    bool is_changed, cleared, is_kept, knows_length;
    /* Items that the host has. */
    uint64_t length;
    /* So many stored items are gone at the front, and of those behind them only so many are left. */
    uint64_t popped, kept;
    /* Items that were appended, of which the first `gone` are gone. */
    weir_buffer data, ends;
    size_t gone;
} weir_list_change;

/* A state in a call. */
struct weir_state_run {
    /* Its number. */
    uint32_t number;
    bool is_flat;
    /* Keys that bring state. */
    uint32_t keys;
    /* Of a value state, for each key. What kind each is stands in the state's `flat`, also of other types. */
    weir_slot *slots;
    /* Of a type with pointers: the value of the shown key, decoded while its record is worked on. */
    void *open;
    bool open_is_changed;
    /* Of a list state for each key its change, and all of them in the order of the first time. */
    weir_list_change **lists;
    weir_list_change *first_list, **last_list;
    /* Of a map state for each key what was seen of it, and all of it in order; of broadcast state the one. */
    struct weir_overlay **overlays;
    struct weir_overlay *first_overlay, **last_overlay;
    /* A bit for each key whose state was handed out, where that renews it. */
    uint8_t *reads;
    bool has_reads;
};

/* The key that is shown, for a function that reads or changes the state. False where nothing can be done: it fails, or has failed. */
bool weir_state_key(weir_context *ctx, const weir_state *state, uint32_t *key);
bool weir_state_change_key(weir_context *ctx, const weir_state *state, uint32_t *key);

/* Something of the shown key's state has been handed out. */
void weir_note_read(weir_context *ctx, weir_state *state);

/* Decodes what a state holds; fails with `attempt` and the state's name. */
weir_status weir_state_decode(weir_context *ctx, const weir_state *state, const char *attempt, const weir_type *type, weir_bytes bytes,
                              void *value);

/* Encodes what a state is to hold, into memory of the record. */
weir_status weir_state_encode(weir_context *ctx, const weir_state *state, const char *attempt, const weir_type *type, const void *value,
                              weir_bytes *bytes);

/* value.c, list.c, map.c: a call begins, an author's function has returned, the call ends. */
void weir_value_begin_call(weir_context *ctx, weir_state *state, const abi_keyed_column *values);
void weir_value_after_record(weir_context *ctx, weir_state *state);
bool weir_value_finish(weir_context *ctx, weir_state *state, abi_value_update *update);
bool weir_list_finish(weir_state *state, abi_list_update *update);
bool weir_map_finish(weir_state *state, abi_map_update *update);
bool weir_broadcast_finish(weir_state *state, abi_broadcast_update *update);

#endif
