/* Memory that is handed out piece by piece and taken back at once.
 *
 * There are two arenas. `weir_call_arena` holds what lives as long as a call: what the host hands over, overlays of state, effects; it is
 * emptied when the host has read the answer. `weir_record_arena` holds what lives until the author's function returns, and is emptied then.
 * Both come from memory.grow alone, so that an allocator of a libc that is linked too is not in the way. */
#ifndef WEIR_ARENA_PRIVATE_H
#define WEIR_ARENA_PRIVATE_H

#include "../include/weir/bytes.h"

/* A piece of memory that grew at once. What it holds stands behind it. */
typedef struct weir_chunk {
    struct weir_chunk *next;
    uint8_t *end;
} weir_chunk;

typedef struct weir_arena {
    weir_chunk *first;
    /* The one that is being filled, and up to where. */
    weir_chunk *current;
    uint8_t *top;
    /* What stands before is kept when the arena is emptied. */
    weir_chunk *mark_chunk;
    uint8_t *mark_top;
    size_t total;
} weir_arena;

extern weir_arena weir_call_arena;
extern weir_arena weir_record_arena;

/* Where weir_alloc and the host's answers go: the record's arena while a function of the author runs, else the call's. */
extern weir_arena *weir_current_arena;

/* Memory that is not zeroed; `align` is a power of two. It traps where there is none. */
void *weir_arena_alloc_slow(weir_arena *arena, size_t size, size_t align);

static inline void *weir_arena_alloc(weir_arena *arena, size_t size, size_t align) {
    uintptr_t at = ((uintptr_t)arena->top + align - 1) & ~(uintptr_t)(align - 1);
    if (arena->current != NULL && at <= (uintptr_t)arena->current->end && size <= (uintptr_t)arena->current->end - at) {
        arena->top = (uint8_t *)at + size;
        return (void *)at;
    }
    return weir_arena_alloc_slow(arena, size, align);
}

/* The same block with another size: in place where nothing stands behind it. */
void *weir_arena_resize(weir_arena *arena, void *block, size_t old_size, size_t align, size_t size);

/* Zeroed memory. */
void *weir_arena_zeroed(weir_arena *arena, size_t size);

/* True where nothing stands behind the mark. */
static inline bool weir_arena_is_empty(const weir_arena *arena) {
    return arena->mark_chunk == NULL && (arena->current == NULL || (arena->current == arena->first && arena->top == (uint8_t *)(arena->first + 1)));
}

/* Takes back everything behind the mark. */
void weir_arena_empty(weir_arena *arena);

/* What has been handed out so far is kept from now on. */
void weir_arena_mark(weir_arena *arena);

#endif
