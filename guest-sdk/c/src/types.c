/* Types: those that are words of the grammar, where members of the others stand, and how they are described. */
#include "cbor.h"

#define SCALAR(word, kind, T) const weir_type weir_type_##word = {kind, #word, sizeof(T), NULL, NULL, 0, 0, NULL, 0, NULL};
SCALAR(bool, WEIR_TYPE_BOOL, bool)
SCALAR(u8, WEIR_TYPE_UNSIGNED, uint8_t)
SCALAR(u16, WEIR_TYPE_UNSIGNED, uint16_t)
SCALAR(u32, WEIR_TYPE_UNSIGNED, uint32_t)
SCALAR(u64, WEIR_TYPE_UNSIGNED, uint64_t)
SCALAR(i8, WEIR_TYPE_SIGNED, int8_t)
SCALAR(i16, WEIR_TYPE_SIGNED, int16_t)
SCALAR(i32, WEIR_TYPE_SIGNED, int32_t)
SCALAR(i64, WEIR_TYPE_SIGNED, int64_t)
SCALAR(f32, WEIR_TYPE_FLOAT, float)
SCALAR(f64, WEIR_TYPE_FLOAT, double)
SCALAR(string, WEIR_TYPE_STRING, weir_bytes)
SCALAR(bytes, WEIR_TYPE_BYTES, weir_bytes)
SCALAR(raw, WEIR_TYPE_RAW, weir_bytes)
SCALAR(unit, WEIR_TYPE_UNIT, weir_c_unit)

/* The order of two names' encodings: the head says the length first. */
static int compare_names(const weir_member *a, const weir_member *b) {
    if (a->name_size != b->name_size) return a->name_size < b->name_size ? -1 : 1;
    return __builtin_memcmp(a->name, b->name, a->name_size);
}

static void put_in_order(const weir_type *type) {
    for (size_t at = 0; at < type->members_len; at++) {
        size_t to = at;
        while (to > 0 && compare_names(&type->members[type->members[to - 1].in_order], &type->members[at]) > 0) {
            type->members[to].in_order = type->members[to - 1].in_order;
            to--;
        }
        type->members[to].in_order = at;
    }
}

void weir_lay_out(const weir_type *type) {
    if (type->laid_out == NULL || *type->laid_out) return;
    size_t end = 0, align = 1, largest = 0;
    for (size_t at = 0; at < type->members_len; at++) {
        weir_member *member = &type->members[at];
        size_t size = member->type == NULL ? 0 : member->type->size;
        member->offset = (end + member->align - 1) & ~(member->align - 1);
        if (member->align > align) align = member->align;
        if (size > largest) largest = size;
        end = member->offset + size;
    }
    if (type->kind == WEIR_TYPE_ENUM) {
        /* The values share one place behind the constant that says which it is. */
        size_t offset = (sizeof(int) + align - 1) & ~(align - 1);
        for (size_t at = 0; at < type->members_len; at++) type->members[at].offset = offset;
        end = offset + (largest > 1 ? largest : 1);
        if (align < _Alignof(int)) align = _Alignof(int);
    }
    /* The compiler laid the struct out by the same rules. */
    if (((end + align - 1) & ~(align - 1)) != type->size) __builtin_trap();
    if (type->kind == WEIR_TYPE_RECORD) put_in_order(type);
    *type->laid_out = true;
}

bool weir_type_is_flat(const weir_type *type) {
    switch (type->kind) {
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_UNSIGNED:
    case WEIR_TYPE_SIGNED:
    case WEIR_TYPE_FLOAT:
    case WEIR_TYPE_UNIT:
    case WEIR_TYPE_RAW_STRUCT: return true;
    case WEIR_TYPE_STRING:
    case WEIR_TYPE_BYTES:
    case WEIR_TYPE_RAW:
    case WEIR_TYPE_LIST:
    case WEIR_TYPE_MAP: return false;
    case WEIR_TYPE_OPTION: return weir_type_is_flat(type->item);
    case WEIR_TYPE_TUPLE:
    case WEIR_TYPE_RECORD:
    case WEIR_TYPE_ENUM:
        for (size_t at = 0; at < type->members_len; at++) {
            if (type->members[at].type != NULL && !weir_type_is_flat(type->members[at].type)) return false;
        }
        return true;
    }
    return false;
}

static void describe(weir_buffer *out, const weir_type *type) {
    const char *brackets = type->kind == WEIR_TYPE_TUPLE ? "<>" : type->kind == WEIR_TYPE_RECORD ? "{}" : "[]";
    switch (type->kind) {
    case WEIR_TYPE_RAW:
    case WEIR_TYPE_RAW_STRUCT: weir_put_text(out, "raw"); break;
    case WEIR_TYPE_LIST:
    case WEIR_TYPE_OPTION:
        weir_put_text(out, type->kind == WEIR_TYPE_LIST ? "list<" : "option<");
        describe(out, type->item);
        weir_put_byte(out, '>');
        break;
    case WEIR_TYPE_MAP:
        weir_put_text(out, "map<");
        describe(out, type->item);
        weir_put_byte(out, ',');
        describe(out, type->value);
        weir_put_byte(out, '>');
        break;
    case WEIR_TYPE_TUPLE:
    case WEIR_TYPE_RECORD:
    case WEIR_TYPE_ENUM:
        weir_put_text(out, type->kind == WEIR_TYPE_TUPLE ? "tuple" : type->name);
        weir_put_byte(out, (uint8_t)brackets[0]);
        for (size_t at = 0; at < type->members_len; at++) {
            const weir_member *member = &type->members[at];
            if (at > 0) weir_put_byte(out, ',');
            if (type->kind != WEIR_TYPE_TUPLE) weir_put_text(out, member->name);
            if (type->kind == WEIR_TYPE_RECORD) weir_put_byte(out, ':');
            if (type->kind == WEIR_TYPE_ENUM && member->type != NULL) weir_put_byte(out, '(');
            if (member->type != NULL) describe(out, member->type);
            if (type->kind == WEIR_TYPE_ENUM && member->type != NULL) weir_put_byte(out, ')');
        }
        weir_put_byte(out, (uint8_t)brackets[1]);
        break;
    default: weir_put_text(out, type->name);
    }
}

weir_bytes weir_schema(const weir_type *type) {
    weir_buffer text = {NULL, 0, 0, weir_current_arena};
    describe(&text, type);
    return weir_written(&text);
}

void *weir_list_push(void *items_at, size_t *len, size_t item_size) {
    uint8_t *items, *more;
    __builtin_memcpy(&items, items_at, sizeof items);
    size_t used = *len * item_size;
    /* A list has room for a power of two of its items. One that was read may have less, and is then copied. */
    if (*len == 0 || (*len & (*len - 1)) == 0) {
        more = (uint8_t *)weir_arena_alloc(weir_current_arena, (*len == 0 ? 1 : *len * 2) * item_size, 16);
        weir_copy_to(more, items, used);
        items = more;
        __builtin_memcpy(items_at, &items, sizeof items);
    }
    *len += 1;
    weir_zero(items + used, item_size);
    return items + used;
}
