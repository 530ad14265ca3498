/* Bytes to values. */
#include "cbor.h"

static bool decode(cbor_reader *reader, const weir_type *type, uint8_t *value);

static bool expected(cbor_reader *reader, cbor_head head, const char *what) {
    weir_fail(reader->ctx, "%s where %s was expected", weir_cbor_name(head), what);
    return false;
}

/* A head of this major type whose argument is a number of items that may be there: each has a byte at least. */
static bool items_head(cbor_reader *reader, uint8_t major, const char *what, cbor_head *head) {
    if (!weir_cbor_head(reader, head)) return false;
    if (head->major != major) return expected(reader, *head, what);
    if (head->argument > (uint64_t)(reader->end - reader->at)) {
        weir_fail(reader->ctx, "%llu items in %zu bytes", (unsigned long long)head->argument, (size_t)(reader->end - reader->at));
        return false;
    }
    if (reader->depth == WEIR_DEPTH_MAX) {
        weir_fail(reader->ctx, "the value is nested deeper than %d", WEIR_DEPTH_MAX);
        return false;
    }
    return true;
}

static bool decode_text(cbor_reader *reader, weir_bytes *text) {
    cbor_head head;
    if (!weir_cbor_head(reader, &head)) return false;
    if (head.major != CBOR_TEXT) return expected(reader, head, "a text");
    if (!weir_cbor_take(reader, head.argument, text)) return false;
    if (weir_is_utf8(*text)) return true;
    weir_fail(reader->ctx, "a text is not UTF-8");
    return false;
}

static bool decode_integer(cbor_reader *reader, const weir_type *type, uint8_t *value) {
    cbor_head head;
    if (!weir_cbor_head(reader, &head)) return false;
    if (head.major > CBOR_NEGATIVE) return expected(reader, head, "an integer");
    bool is_signed = type->kind == WEIR_TYPE_SIGNED, negative = head.major == CBOR_NEGATIVE;
    uint64_t largest = UINT64_MAX >> (64 - 8 * (int)type->size + (is_signed ? 1 : 0));
    if (head.argument > largest || (negative && !is_signed)) {
        weir_fail(reader->ctx, "the integer %s%llu is no %s", negative ? "-1-" : "", (unsigned long long)head.argument, type->name);
        return false;
    }
    uint64_t number = negative ? ~head.argument : head.argument;
    weir_copy_to(value, &number, type->size);
    return true;
}

static bool decode_list(cbor_reader *reader, const weir_type *type, uint8_t *value) {
    cbor_head head;
    if (!items_head(reader, CBOR_ARRAY, "a list", &head)) return false;
    size_t len = (size_t)head.argument, room = 1;
    /* Room for a power of two of items, as weir_list_push expects it. */
    while (room < len) room *= 2;
    uint8_t *items = (uint8_t *)weir_arena_zeroed(weir_current_arena, room * type->item->size);
    reader->depth++;
    for (size_t at = 0; at < len; at++) {
        if (!decode(reader, type->item, items + at * type->item->size)) return false;
    }
    reader->depth--;
    __builtin_memcpy(value, &items, sizeof items);
    __builtin_memcpy(value + sizeof items, &len, sizeof len);
    return true;
}

/* The encodings of a map's keys ascend. */
static bool ascends(cbor_reader *reader, weir_bytes *previous, const uint8_t *from) {
    weir_bytes key = weir_bytes_of(from, (size_t)(reader->at - from));
    if (!weir_is_absent(*previous) && weir_compare(*previous, key) >= 0) {
        weir_fail(reader->ctx, "the keys of a map are not in order, or one stands twice");
        return false;
    }
    *previous = key;
    return true;
}

static bool decode_map(cbor_reader *reader, const weir_type *type, uint8_t *value) {
    cbor_head head;
    if (!items_head(reader, CBOR_MAP, "a map", &head)) return false;
    size_t len = (size_t)head.argument, room = 1;
    while (room < len) room *= 2;
    uint8_t *items = (uint8_t *)weir_arena_zeroed(weir_current_arena, room * type->entry_size);
    weir_bytes previous = weir_absent();
    reader->depth++;
    for (size_t at = 0; at < len; at++) {
        uint8_t *entry = items + at * type->entry_size;
        const uint8_t *from = reader->at;
        if (!decode(reader, type->item, entry) || !ascends(reader, &previous, from)) return false;
        if (!decode(reader, type->value, entry + type->value_offset)) return false;
    }
    reader->depth--;
    __builtin_memcpy(value, &items, sizeof items);
    __builtin_memcpy(value + sizeof items, &len, sizeof len);
    return true;
}

static bool decode_tuple(cbor_reader *reader, const weir_type *type, uint8_t *value) {
    cbor_head head;
    if (!items_head(reader, CBOR_ARRAY, "a tuple", &head)) return false;
    if (head.argument != type->members_len) {
        weir_fail(reader->ctx, "%llu items where %zu were expected", (unsigned long long)head.argument, type->members_len);
        return false;
    }
    reader->depth++;
    for (size_t at = 0; at < type->members_len; at++) {
        if (!decode(reader, type->members[at].type, value + type->members[at].offset)) return false;
    }
    reader->depth--;
    return true;
}

static inline bool is_named(const weir_member *member, weir_bytes name) {
    if (member->name_size != name.size) return false;
    for (size_t at = 0; at < name.size; at++) {
        if ((uint8_t)member->name[at] != name.data[at]) return false;
    }
    return true;
}

/* The member that comes at this place in the encoding of a record. */
static const weir_member *in_order(const weir_type *type, size_t at) { return &type->members[type->members[at].in_order]; }

/* Fields that are not there have to be options. */
static bool may_be_missing(cbor_reader *reader, const weir_type *type, size_t from, size_t to) {
    for (size_t at = from; at < to; at++) {
        if (in_order(type, at)->type->kind == WEIR_TYPE_OPTION) continue;
        weir_fail(reader->ctx, "the field `%s` is missing", in_order(type, at)->name);
        return false;
    }
    return true;
}

/* Fields that the type does not have are passed over. */
static bool decode_record(cbor_reader *reader, const weir_type *type, uint8_t *value) {
    cbor_head head;
    if (!items_head(reader, CBOR_MAP, type->name, &head)) return false;
    weir_bytes previous = weir_absent(), name;
    size_t next = 0;
    reader->depth++;
    for (uint64_t entry = 0; entry < head.argument; entry++) {
        const uint8_t *from = reader->at;
        if (!decode_text(reader, &name) || !ascends(reader, &previous, from)) return false;
        size_t at = next;
        while (at < type->members_len && !is_named(in_order(type, at), name)) at++;
        if (at == type->members_len) {
            if (!weir_cbor_skip(reader)) return false;
            continue;
        }
        const weir_member *member = in_order(type, at);
        if (!may_be_missing(reader, type, next, at) || !decode(reader, member->type, value + member->offset)) return false;
        next = at + 1;
    }
    reader->depth--;
    return may_be_missing(reader, type, next, type->members_len);
}

static bool decode_enum(cbor_reader *reader, const weir_type *type, uint8_t *value) {
    bool has_value = reader->at < reader->end && *reader->at == (CBOR_MAP << 5 | 1);
    if (has_value) reader->at++;
    weir_bytes name;
    if (!decode_text(reader, &name)) return false;
    for (int which = 0; which < (int)type->members_len; which++) {
        const weir_member *member = &type->members[which];
        if (!is_named(member, name)) continue;
        if ((member->type != NULL) != has_value) {
            weir_fail(reader->ctx, has_value ? "the case `%s` has no value" : "the case `%s` has a value", member->name);
            return false;
        }
        __builtin_memcpy(value, &which, sizeof which);
        if (!has_value) return true;
        if (reader->depth == WEIR_DEPTH_MAX) {
            weir_fail(reader->ctx, "the value is nested deeper than %d", WEIR_DEPTH_MAX);
            return false;
        }
        reader->depth++;
        if (!decode(reader, member->type, value + member->offset)) return false;
        reader->depth--;
        return true;
    }
    weir_fail(reader->ctx, "%s has no case `%.*s`", type->name, WEIR_SV(name));
    return false;
}

static bool decode_simple(cbor_reader *reader, const weir_type *type, uint8_t *value) {
    cbor_head head;
    double number;
    if (!weir_cbor_head(reader, &head)) return false;
    uint8_t first = (uint8_t)(head.major << 5 | head.info);
    if (type->kind == WEIR_TYPE_BOOL) {
        *value = first == CBOR_TRUE;
        return first == CBOR_TRUE || first == CBOR_FALSE || expected(reader, head, "a bool");
    }
    if (type->kind == WEIR_TYPE_UNIT) return first == CBOR_NULL || expected(reader, head, "null");
    if (head.major != CBOR_SIMPLE || head.info < 25 || head.info > 27) return expected(reader, head, "a float");
    if (!weir_cbor_float(reader, head, &number)) return false;
    float single = (float)number;
    if (type->size == 4) __builtin_memcpy(value, &single, 4);
    else __builtin_memcpy(value, &number, 8);
    return true;
}

static bool decode_bytes(cbor_reader *reader, uint8_t *value) {
    cbor_head head;
    weir_bytes bytes;
    if (!weir_cbor_head(reader, &head)) return false;
    if (head.major != CBOR_BYTES) return expected(reader, head, "bytes");
    if (!weir_cbor_take(reader, head.argument, &bytes)) return false;
    __builtin_memcpy(value, &bytes, sizeof bytes);
    return true;
}

static bool decode(cbor_reader *reader, const weir_type *type, uint8_t *value) {
    weir_bytes text;
    weir_lay_out(type);
    switch (type->kind) {
    case WEIR_TYPE_UNSIGNED:
    case WEIR_TYPE_SIGNED: return decode_integer(reader, type, value);
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_UNIT:
    case WEIR_TYPE_FLOAT: return decode_simple(reader, type, value);
    case WEIR_TYPE_STRING:
        if (!decode_text(reader, &text)) return false;
        __builtin_memcpy(value, &text, sizeof text);
        return true;
    case WEIR_TYPE_BYTES: return decode_bytes(reader, value);
    case WEIR_TYPE_OPTION:
        if (reader->at < reader->end && *reader->at == CBOR_NULL) {
            reader->at++;
            return true;
        }
        *value = 1;
        return decode(reader, type->item, value + type->value_offset);
    case WEIR_TYPE_LIST: return decode_list(reader, type, value);
    case WEIR_TYPE_MAP: return decode_map(reader, type, value);
    case WEIR_TYPE_TUPLE: return decode_tuple(reader, type, value);
    case WEIR_TYPE_RECORD: return decode_record(reader, type, value);
    case WEIR_TYPE_ENUM: return decode_enum(reader, type, value);
    case WEIR_TYPE_RAW:
    case WEIR_TYPE_RAW_STRUCT: break;
    }
    weir_fail(reader->ctx, "a raw value stands alone, and not in another");
    return false;
}

weir_status weir_decode(weir_context *ctx, const weir_type *type, weir_bytes bytes, void *value) {
    if (type->kind == WEIR_TYPE_RAW) {
        __builtin_memcpy(value, &bytes, sizeof bytes);
        return WEIR_OK;
    }
    if (type->kind == WEIR_TYPE_RAW_STRUCT) {
        if (bytes.size != type->size) return weir_fail(ctx, "%zu bytes are no %s", bytes.size, type->name);
        weir_copy_to(value, bytes.data, bytes.size);
        return WEIR_OK;
    }
    cbor_reader reader = {ctx, bytes.data, bytes.data + bytes.size, 0};
    weir_zero(value, type->size);
    if (!decode(&reader, type, (uint8_t *)value)) return WEIR_FAILED;
    if (reader.at != reader.end) return weir_fail(ctx, "%zu bytes follow the value", (size_t)(reader.end - reader.at));
    return WEIR_OK;
}
