#include "arena.h"

weir_arena weir_call_arena;
weir_arena weir_record_arena;
weir_arena *weir_current_arena = &weir_call_arena;

#define PAGE 65536u
/* What a chunk has at least, and what it is rounded to. */
#define CHUNK_MIN (4 * PAGE)

/* `size` bytes, a multiple of PAGE, or NULL. */
static uint8_t *grow_memory(size_t size) {
#ifdef __wasm__
    size_t before = __builtin_wasm_memory_grow(0, size / PAGE);
    return before == SIZE_MAX ? NULL : (uint8_t *)(before * PAGE);
#else
    return (uint8_t *)__builtin_malloc(size);
#endif
}

/* Adds a chunk of `size` bytes at least, or makes the last one so much longer. */
static void add_chunk(weir_arena *arena, weir_chunk *last, size_t size) {
    if (size > SIZE_MAX / 4) __builtin_trap();
    size += sizeof(weir_chunk);
    if (size < arena->total / 2) size = arena->total / 2;
    if (size < CHUNK_MIN) size = CHUNK_MIN;
    size = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
    uint8_t *memory = grow_memory(size);
    /* This may run inside cabi_realloc, where nothing of the host may be called: there is no way to say more. */
    if (memory == NULL) __builtin_trap();
    arena->total += size;
    if (last != NULL && last->end == memory) {
        last->end += size;
        return;
    }
    weir_chunk *chunk = (weir_chunk *)memory;
    chunk->next = NULL;
    chunk->end = memory + size;
    *(last == NULL ? &arena->first : &last->next) = chunk;
}

static void enter_chunk(weir_arena *arena, weir_chunk *chunk) {
    arena->current = chunk;
    arena->top = chunk == NULL ? NULL : (uint8_t *)(chunk + 1);
}

/* Looks for room in the chunks behind the current one, and makes some where there is none. */
void *weir_arena_alloc_slow(weir_arena *arena, size_t size, size_t align) {
    if (align > PAGE || size > SIZE_MAX / 4) __builtin_trap();
    for (;;) {
        if (arena->current != NULL) {
            uintptr_t at = ((uintptr_t)arena->top + align - 1) & ~(uintptr_t)(align - 1);
            if (at <= (uintptr_t)arena->current->end && size <= (uintptr_t)arena->current->end - at) {
                arena->top = (uint8_t *)at + size;
                return (void *)at;
            }
        }
        weir_chunk *next = arena->current == NULL ? arena->first : arena->current->next;
        if (next != NULL) {
            enter_chunk(arena, next);
        } else {
            add_chunk(arena, arena->current, size + align);
            if (arena->current == NULL) enter_chunk(arena, arena->first);
        }
    }
}

void *weir_arena_resize(weir_arena *arena, void *block, size_t old_size, size_t align, size_t size) {
    if (block == NULL || old_size == 0) return weir_arena_alloc(arena, size, align);
    uint8_t *start = (uint8_t *)block;
    bool is_last = arena->current != NULL && start + old_size == arena->top;
    if (is_last && size <= (size_t)(arena->current->end - start)) {
        arena->top = start + size;
        return block;
    }
    void *moved = weir_arena_alloc(arena, size, align);
    __builtin_memcpy(moved, block, old_size < size ? old_size : size);
    return moved;
}

void *weir_arena_zeroed(weir_arena *arena, size_t size) {
    void *block = weir_arena_alloc(arena, size, 16);
    __builtin_memset(block, 0, size);
    return block;
}

void weir_arena_empty(weir_arena *arena) {
    if (arena->mark_chunk == NULL) {
        enter_chunk(arena, arena->first);
        return;
    }
    arena->current = arena->mark_chunk;
    arena->top = arena->mark_top;
}

void weir_arena_mark(weir_arena *arena) {
    arena->mark_chunk = arena->current;
    arena->mark_top = arena->top;
}

void *weir_alloc(size_t size) { return weir_arena_zeroed(weir_current_arena, size); }

weir_bytes weir_copy(weir_bytes bytes) {
    if (weir_is_absent(bytes)) return bytes;
    uint8_t *copy = (uint8_t *)weir_arena_alloc(weir_current_arena, bytes.size, 1);
    weir_copy_to(copy, bytes.data, bytes.size);
    return weir_bytes_of(copy, bytes.size);
}
