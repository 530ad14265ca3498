/* Values to bytes. */
#include "cbor.h"

static bool encode(weir_context *ctx, const weir_type *type, const uint8_t *value, weir_buffer *out, int depth);

static uint64_t unsigned_of(const uint8_t *value, size_t size) {
    uint64_t number = 0;
    weir_copy_to(&number, value, size);
    return number;
}

static int64_t signed_of(const uint8_t *value, size_t size) {
    int shift = 64 - 8 * (int)size;
    return (int64_t)(unsigned_of(value, size) << shift) >> shift;
}

static bool put_text(weir_context *ctx, weir_bytes text, weir_buffer *out) {
    if (!weir_is_utf8(text)) {
        weir_fail(ctx, "a text is not UTF-8");
        return false;
    }
    weir_cbor_put_head(out, CBOR_TEXT, text.size);
    weir_put(out, text);
    return true;
}

/* Where an entry's key stands, and where the value behind it ends. */
typedef struct entry_range {
    size_t start, key_end, end;
} entry_range;

static int compare_keys(const void *a, const void *b, void *with) {
    const entry_range *x = (const entry_range *)a, *y = (const entry_range *)b;
    const uint8_t *data = (const uint8_t *)with;
    return weir_compare(weir_bytes_of(data + x->start, x->key_end - x->start), weir_bytes_of(data + y->start, y->key_end - y->start));
}

/* Writes the entries as they come and puts them into order behind each other. */
static bool encode_map(weir_context *ctx, const weir_type *type, const uint8_t *value, weir_buffer *out, int depth) {
    const uint8_t *items;
    size_t len;
    __builtin_memcpy(&items, value, sizeof items);
    __builtin_memcpy(&len, value + sizeof items, sizeof len);
    weir_buffer entries = {NULL, 0, 0, weir_current_arena};
    entry_range *ranges = (entry_range *)weir_arena_alloc(weir_current_arena, len * sizeof *ranges, 8);
    for (size_t at = 0; at < len; at++) {
        const uint8_t *entry = items + at * type->entry_size;
        ranges[at].start = entries.size;
        if (!encode(ctx, type->item, entry, &entries, depth)) return false;
        ranges[at].key_end = entries.size;
        if (!encode(ctx, type->value, entry + type->value_offset, &entries, depth)) return false;
        ranges[at].end = entries.size;
    }
    weir_sort(ranges, len, sizeof *ranges, compare_keys, entries.data);
    weir_cbor_put_head(out, CBOR_MAP, len);
    for (size_t at = 0; at < len; at++) {
        if (at > 0 && compare_keys(&ranges[at - 1], &ranges[at], entries.data) == 0) {
            weir_fail(ctx, "a map has one key twice");
            return false;
        }
        weir_put(out, weir_bytes_of(entries.data + ranges[at].start, ranges[at].end - ranges[at].start));
    }
    return true;
}

static bool encode_list(weir_context *ctx, const weir_type *type, const uint8_t *value, weir_buffer *out, int depth) {
    const uint8_t *items;
    size_t len;
    __builtin_memcpy(&items, value, sizeof items);
    __builtin_memcpy(&len, value + sizeof items, sizeof len);
    weir_cbor_put_head(out, CBOR_ARRAY, len);
    for (size_t at = 0; at < len; at++) {
        if (!encode(ctx, type->item, items + at * type->item->size, out, depth)) return false;
    }
    return true;
}

static bool encode_members(weir_context *ctx, const weir_type *type, const uint8_t *value, weir_buffer *out, int depth) {
    weir_lay_out(type);
    bool named = type->kind == WEIR_TYPE_RECORD;
    weir_cbor_put_head(out, named ? CBOR_MAP : CBOR_ARRAY, type->members_len);
    for (size_t at = 0; at < type->members_len; at++) {
        const weir_member *member = &type->members[named ? type->members[at].in_order : at];
        if (named) {
            weir_cbor_put_head(out, CBOR_TEXT, member->name_size);
            weir_put(out, weir_bytes_of(member->name, member->name_size));
        }
        if (!encode(ctx, member->type, value + member->offset, out, depth)) return false;
    }
    return true;
}

static bool encode_case(weir_context *ctx, const weir_type *type, const uint8_t *value, weir_buffer *out, int depth) {
    weir_lay_out(type);
    int which;
    __builtin_memcpy(&which, value, sizeof which);
    if (which < 0 || (size_t)which >= type->members_len) {
        weir_fail(ctx, "%s has no case %d", type->name, which);
        return false;
    }
    const weir_member *member = &type->members[which];
    if (member->type == NULL) return put_text(ctx, weir_text(member->name), out);
    weir_cbor_put_head(out, CBOR_MAP, 1);
    return put_text(ctx, weir_text(member->name), out) && encode(ctx, member->type, value + member->offset, out, depth);
}

static bool encode(weir_context *ctx, const weir_type *type, const uint8_t *value, weir_buffer *out, int depth) {
    weir_bytes bytes;
    double number;
    float single;
    if (depth > WEIR_DEPTH_MAX) {
        weir_fail(ctx, "the value is nested deeper than %d", WEIR_DEPTH_MAX);
        return false;
    }
    switch (type->kind) {
    case WEIR_TYPE_BOOL: weir_put_byte(out, *value != 0 ? CBOR_TRUE : CBOR_FALSE); return true;
    case WEIR_TYPE_UNSIGNED: weir_cbor_put_head(out, CBOR_UNSIGNED, unsigned_of(value, type->size)); return true;
    case WEIR_TYPE_SIGNED: {
        int64_t integer = signed_of(value, type->size);
        weir_cbor_put_head(out, integer < 0 ? CBOR_NEGATIVE : CBOR_UNSIGNED, (uint64_t)(integer < 0 ? ~integer : integer));
        return true;
    }
    case WEIR_TYPE_FLOAT:
        if (type->size == 8) {
            __builtin_memcpy(&number, value, 8);
        } else {
            __builtin_memcpy(&single, value, 4);
            number = single;
        }
        weir_cbor_put_float(out, number);
        return true;
    case WEIR_TYPE_UNIT: weir_put_byte(out, CBOR_NULL); return true;
    case WEIR_TYPE_STRING: __builtin_memcpy(&bytes, value, sizeof bytes); return put_text(ctx, bytes, out);
    case WEIR_TYPE_BYTES:
        __builtin_memcpy(&bytes, value, sizeof bytes);
        weir_cbor_put_head(out, CBOR_BYTES, bytes.size);
        weir_put(out, bytes);
        return true;
    case WEIR_TYPE_RAW: __builtin_memcpy(&bytes, value, sizeof bytes); weir_put(out, bytes); return true;
    case WEIR_TYPE_RAW_STRUCT: weir_put(out, weir_bytes_of(value, type->size)); return true;
    case WEIR_TYPE_OPTION:
        if (*value != 0) return encode(ctx, type->item, value + type->value_offset, out, depth);
        weir_put_byte(out, CBOR_NULL);
        return true;
    case WEIR_TYPE_LIST: return encode_list(ctx, type, value, out, depth + 1);
    case WEIR_TYPE_MAP: return encode_map(ctx, type, value, out, depth + 1);
    case WEIR_TYPE_RECORD:
    case WEIR_TYPE_TUPLE: return encode_members(ctx, type, value, out, depth + 1);
    case WEIR_TYPE_ENUM: return encode_case(ctx, type, value, out, depth + 1);
    }
    return false;
}

weir_status weir_encode(weir_context *ctx, const weir_type *type, const void *value, weir_buffer *out) {
    return encode(ctx, type, (const uint8_t *)value, out, 0) ? WEIR_OK : WEIR_FAILED;
}
