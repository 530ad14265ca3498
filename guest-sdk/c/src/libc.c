/* What compilers take for granted: copying and comparing memory. Weak, so that a libc that is linked too has its own. */
#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__

#define WEAK __attribute__((weak))
/* Loops stay loops here, and do not become calls of the functions that they are in. */
#define PLAIN(name) __attribute__((no_builtin(name)))

WEAK PLAIN("memcpy") void *memcpy(void *restrict to, const void *restrict from, size_t size) {
#ifdef __wasm_bulk_memory__
    __builtin_memcpy(to, from, size);
#else
    uint8_t *t = to;
    const uint8_t *f = from;
    for (; size >= 8; size -= 8, t += 8, f += 8) {
        uint64_t word;
        __builtin_memcpy(&word, f, 8);
        __builtin_memcpy(t, &word, 8);
    }
    while (size-- > 0) *t++ = *f++;
#endif
    return to;
}

WEAK PLAIN("memmove") void *memmove(void *to, const void *from, size_t size) {
    uint8_t *t = to;
    const uint8_t *f = from;
    if (t <= f || t >= f + size) {
        for (size_t at = 0; at < size; at++) t[at] = f[at];
    } else {
        while (size-- > 0) t[size] = f[size];
    }
    return to;
}

WEAK PLAIN("memset") void *memset(void *to, int byte, size_t size) {
#ifdef __wasm_bulk_memory__
    __builtin_memset(to, byte, size);
#else
    uint8_t *t = to;
    while (size-- > 0) *t++ = (uint8_t)byte;
#endif
    return to;
}

WEAK PLAIN("memcmp") int memcmp(const void *a, const void *b, size_t size) {
    const uint8_t *x = a, *y = b;
    for (; size > 0; size--, x++, y++) {
        if (*x != *y) return *x < *y ? -1 : 1;
    }
    return 0;
}

WEAK PLAIN("strlen") size_t strlen(const char *text) {
    const char *end = text;
    while (*end != 0) end++;
    return (size_t)(end - text);
}

#endif
