/* Bytes, buffers, UTF-8, and the sort that everything here uses. */
#include "internal.h"

void weir_copy_to(void *to, const void *from, size_t size) {
    uint8_t *t = (uint8_t *)to;
    const uint8_t *f = (const uint8_t *)from;
    if (size > 64) {
        __builtin_memcpy(t, f, size);
        return;
    }
    for (; size >= 8; size -= 8, t += 8, f += 8) __builtin_memcpy(t, f, 8);
    if (size & 4) {
        __builtin_memcpy(t, f, 4);
        t += 4;
        f += 4;
    }
    if (size & 2) {
        __builtin_memcpy(t, f, 2);
        t += 2;
        f += 2;
    }
    if (size & 1) *t = *f;
}

void weir_grow(weir_buffer *buffer, size_t size) {
    if (buffer->arena == NULL) buffer->arena = weir_current_arena;
    size_t room = buffer->room * 2;
    if (room < buffer->size + size) room = buffer->size + size;
    if (room < 32) room = 32;
    buffer->data = (uint8_t *)weir_arena_resize(buffer->arena, buffer->data, buffer->room, 8, room);
    buffer->room = room;
}

int weir_compare(weir_bytes a, weir_bytes b) {
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : __builtin_memcmp(a.data, b.data, shorter);
    if (order != 0) return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

bool weir_equal(weir_bytes a, weir_bytes b) {
    if (weir_is_absent(a) || weir_is_absent(b)) return weir_is_absent(a) && weir_is_absent(b);
    return a.size == b.size && __builtin_memcmp(a.data, b.data, a.size) == 0;
}

bool weir_parse_u64(weir_bytes bytes, uint64_t *number) {
    uint64_t read = 0;
    for (size_t at = 0; at < bytes.size; at++) {
        uint8_t digit = (uint8_t)(bytes.data[at] - '0');
        /* Nineteen digits always fit. */
        if (digit > 9 || (at >= 19 && read > (UINT64_MAX - digit) / 10)) return false;
        read = read * 10 + digit;
    }
    if (bytes.size > 0) *number = read;
    return bytes.size > 0;
}

bool weir_parse_i64(weir_bytes bytes, int64_t *number) {
    bool negative = bytes.size > 0 && bytes.data[0] == '-';
    uint64_t magnitude;
    if (!weir_parse_u64(negative ? weir_bytes_of(bytes.data + 1, bytes.size - 1) : bytes, &magnitude)) return false;
    if (magnitude > (uint64_t)INT64_MAX + negative) return false;
    *number = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

bool weir_split(weir_bytes bytes, char at, weir_bytes *before, weir_bytes *behind) {
    size_t end = 0;
    while (end < bytes.size && bytes.data[end] != (uint8_t)at) end++;
    bool found = end < bytes.size;
    *before = weir_bytes_of(bytes.data, end);
    *behind = found ? weir_bytes_of(bytes.data + end + 1, bytes.size - end - 1) : weir_text("");
    return found;
}

/* The length of the character that begins at `at`, or 0 where none does. */
static size_t char_size(weir_bytes bytes, size_t at) {
    const uint8_t *b = bytes.data + at;
    size_t left = bytes.size - at;
    uint8_t first = b[0];
    if (first < 0x80) return 1;
    size_t size = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    if (size == 0 || size > left) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((b[i] & 0xc0) != 0x80) return 0;
    }
    /* No character has two encodings, and surrogates have none. */
    bool refused = (first == 0xe0 && b[1] < 0xa0) || (first == 0xed && b[1] > 0x9f) || (first == 0xf0 && b[1] < 0x90) ||
                   (first == 0xf4 && b[1] > 0x8f);
    return refused ? 0 : size;
}

/* Where the bytes stop being UTF-8; their size where they do not. */
static size_t utf8_until(weir_bytes bytes) {
    size_t at = 0;
    while (at < bytes.size) {
        uint64_t word;
        if (bytes.size - at >= 8) {
            __builtin_memcpy(&word, bytes.data + at, 8);
            if ((word & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        size_t size = bytes.data[at] < 0x80 ? 1 : char_size(bytes, at);
        if (size == 0) return at;
        at += size;
    }
    return at;
}

bool weir_is_utf8(weir_bytes bytes) { return utf8_until(bytes) == bytes.size; }

weir_bytes weir_valid_text(weir_bytes text, struct weir_arena *arena) {
    size_t until = utf8_until(text);
    if (until == text.size) return text;
    weir_buffer valid = {NULL, 0, 0, arena};
    while (until < text.size) {
        weir_put(&valid, weir_bytes_of(text.data, until));
        weir_put_text(&valid, "\xef\xbf\xbd");
        while (until < text.size && char_size(text, until) == 0) until++;
        text = weir_bytes_of(text.data + until, text.size - until);
        until = utf8_until(text);
    }
    weir_put(&valid, text);
    return weir_written(&valid);
}

size_t weir_begun_char(weir_bytes text) {
    for (size_t begun = 1; begun <= 3 && begun <= text.size; begun++) {
        uint8_t first = text.data[text.size - begun];
        if ((first & 0xc0) == 0x80) continue;
        return first >= 0xc0 && begun < (first >= 0xf0 ? 4u : first >= 0xe0 ? 3u : 2u) ? begun : 0;
    }
    return 0;
}

uint32_t weir_next_char(weir_bytes bytes, size_t *at) {
    const uint8_t *b = bytes.data + *at;
    size_t size = char_size(bytes, *at);
    *at += size == 0 ? 1 : size;
    switch (size) {
    case 1: return b[0];
    case 2: return (uint32_t)(b[0] & 0x1f) << 6 | (b[1] & 0x3f);
    case 3: return (uint32_t)(b[0] & 0x0f) << 12 | (uint32_t)(b[1] & 0x3f) << 6 | (b[2] & 0x3f);
    case 4: return (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3f) << 12 | (uint32_t)(b[2] & 0x3f) << 6 | (b[3] & 0x3f);
    default: return 0xfffd;
    }
}

weir_status weir_expect_text(weir_context *ctx, weir_bytes bytes, const char *what) {
    if (weir_is_absent(bytes)) return weir_fail(ctx, "the record has no %s", what);
    size_t until = utf8_until(bytes);
    if (until == bytes.size) return WEIR_OK;
    return weir_fail(ctx, "the %s is not UTF-8: invalid utf-8 sequence from index %zu", what, until);
}

bool weir_has_u32(weir_bytes ascending, uint32_t number) {
    size_t from = 0, to = ascending.size / 4;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        uint32_t here = weir_u32_at(ascending, middle);
        if (here == number) return true;
        if (here < number) from = middle + 1;
        else to = middle;
    }
    return false;
}

/* Merges the two sorted halves of `items` through `spare`. */
static void merge_halves(uint8_t *items, size_t len, size_t size, uint8_t *spare, int (*compare)(const void *, const void *, void *),
                         void *with) {
    size_t middle = len / 2, left = 0, right = middle, to = 0;
    while (left < middle || right < len) {
        bool take_left = right == len || (left < middle && compare(items + left * size, items + right * size, with) <= 0);
        size_t from = take_left ? left++ : right++;
        weir_copy_to(spare + to++ * size, items + from * size, size);
    }
    __builtin_memcpy(items, spare, len * size);
}

static void sort_with(uint8_t *items, size_t len, size_t size, uint8_t *spare, int (*compare)(const void *, const void *, void *),
                      void *with) {
    if (len < 2) return;
    size_t middle = len / 2;
    sort_with(items, middle, size, spare, compare, with);
    sort_with(items + middle * size, len - middle, size, spare, compare, with);
    if (compare(items + (middle - 1) * size, items + middle * size, with) > 0) merge_halves(items, len, size, spare, compare, with);
}

void weir_sort(void *items, size_t len, size_t size, int (*compare)(const void *, const void *, void *), void *with) {
    bool sorted = true;
    for (size_t at = 1; at < len && sorted; at++) {
        sorted = compare((uint8_t *)items + (at - 1) * size, (uint8_t *)items + at * size, with) <= 0;
    }
    if (sorted) return;
    uint8_t *spare = (uint8_t *)weir_arena_alloc(weir_current_arena, len * size, 8);
    sort_with((uint8_t *)items, len, size, spare, compare, with);
}
