/* Lines in, words out: each word is the key of a record with an empty value.
 *
 * A word is a maximal run of Unicode letters and digits, lower-cased. There is no state, so the input needs no key; what follows counts the
 * words behind an edge with `by = "key"`. */
#include <weir.h>

#include "unicode.h"

/* The place in `ranges` that has the character, or -1. */
static int find(const void *ranges, size_t len, size_t size, uint32_t c) {
    size_t from = 0, to = len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const range *here = (const range *)(const void *)((const char *)ranges + middle * size);
        if (c < here->first) to = middle;
        else if (c > here->last) from = middle + 1;
        else return (int)middle;
    }
    return -1;
}

#define FIND(ranges, c) find(ranges, sizeof(ranges) / sizeof *(ranges), sizeof *(ranges), c)

static bool is_alphanumeric(uint32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return FIND(alphanumeric, c) >= 0;
}

static void put_char(weir_buffer *out, uint32_t c) {
    if (c < 0x80) {
        weir_put_byte(out, (uint8_t)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    weir_put_byte(out, (uint8_t)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | c >> (6 * more)));
    while (more-- > 0) weir_put_byte(out, (uint8_t)(0x80 | (c >> (6 * more) & 0x3f)));
}

/* A capital sigma is a final one where a cased letter stands before it and none behind it, whatever is passed over between. */
static bool is_final(weir_bytes word, size_t sigma, size_t behind) {
    bool after_cased = false;
    for (size_t at = 0; at < sigma;) {
        uint32_t c = weir_next_char(word, &at);
        if (FIND(case_ignorable, c) < 0) after_cased = FIND(cased, c) >= 0;
    }
    while (after_cased && behind < word.size) {
        uint32_t c = weir_next_char(word, &behind);
        if (FIND(case_ignorable, c) < 0) return FIND(cased, c) < 0;
    }
    return after_cased;
}

static uint32_t lower(uint32_t c) {
    int at = FIND(lower_case, c);
    bool has_one = at >= 0 && (c - lower_case[at].first) % lower_case[at].every == 0;
    return has_one ? (uint32_t)((int32_t)c + lower_case[at].away) : c;
}

static weir_bytes lower_cased(weir_bytes word) {
    weir_buffer out = {0};
    for (size_t at = 0; at < word.size;) {
        size_t start = at;
        uint32_t c = weir_next_char(word, &at);
        if (c < 0x80) {
            weir_put_byte(&out, (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c));
        } else if (c == 0x3a3) {
            put_char(&out, is_final(word, start, at) ? 0x3c2 : 0x3c3);
        } else if (c == 0x130) {
            weir_put_text(&out, "i\xcc\x87");
        } else {
            put_char(&out, lower(c));
        }
    }
    return weir_written(&out);
}

static weir_status process(weir_context *ctx, const weir_record *record) {
    weir_bytes text = record->value;
    if (weir_expect_text(ctx, text, "value") != WEIR_OK) return WEIR_FAILED;
    for (size_t at = 0, start = 0, end; at <= text.size;) {
        end = at;
        bool goes_on = at < text.size && is_alphanumeric(weir_next_char(text, &at));
        if (goes_on) continue;
        if (end > start) weir_emit_keyed(ctx, lower_cased(weir_bytes_of(text.data + start, end - start)), weir_text(""));
        if (end == text.size) break;
        start = at;
    }
    return WEIR_OK;
}

WEIR_OPERATOR = {.name = "word-count-split", .version = "0.1.0", .process = process};
