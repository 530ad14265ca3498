/* Types of state. An author describes a type once; that makes the C type, the schema text of wit/schema.md and the encoding, deterministic
 * CBOR, which every language reads.
 *
 *     #define VISITS(FIELD) FIELD(u64, count) FIELD(string, last)
 *     WEIR_RECORD(Visits, VISITS)                  struct Visits {uint64_t count; weir_bytes last;}
 *
 *     WEIR_LIST(Names, string)                     struct Names {weir_bytes *items; size_t len;}
 *     WEIR_OPTION(MaybeName, string)               struct MaybeName {bool some; weir_bytes value;}
 *     WEIR_MAP(Counts, string, u64)                struct Counts {struct {weir_bytes key; uint64_t value;} *items; size_t len;}
 *
 *     #define ROUTE(FIELD) FIELD(string, from) FIELD(string, to)
 *     WEIR_TUPLE(Route, ROUTE)                     struct Route {weir_bytes from, to;}, kept without the names
 *
 *     #define ORDER(CASE, CASE_OF) CASE(ORDER_PENDING, pending) CASE_OF(ORDER_SHIPPED, shipped, Route)
 *     WEIR_ENUM(Order, ORDER)                      struct Order {enum Order_case which; union {Route shipped;};}
 *
 * Types are named by words: those of the schema (u64, i32, f64, bool, string, bytes, unit), `raw`, and the names of types that were made
 * before. What is left out of a value is zero: an empty string, an empty list, an option without a value, the first case. */
#ifndef WEIR_TYPES_H
#define WEIR_TYPES_H

#if defined(__GNUC__)
/* What the macros below expand to is not held to the warnings of the file that uses them. */
#pragma GCC system_header
#endif

#include "context.h"

WEIR_C_BEGIN

typedef enum weir_type_kind {
    WEIR_TYPE_BOOL,
    WEIR_TYPE_UNSIGNED,
    WEIR_TYPE_SIGNED,
    WEIR_TYPE_FLOAT,
    WEIR_TYPE_STRING,
    WEIR_TYPE_BYTES,
    WEIR_TYPE_UNIT,
    WEIR_TYPE_LIST,
    WEIR_TYPE_MAP,
    WEIR_TYPE_TUPLE,
    WEIR_TYPE_OPTION,
    WEIR_TYPE_RECORD,
    WEIR_TYPE_ENUM,
    /* Bytes of the author's own: a weir_bytes, or a struct as it lies in memory. */
    WEIR_TYPE_RAW,
    WEIR_TYPE_RAW_STRUCT
} weir_type_kind;

struct weir_type;

/* A field of a record, an item of a tuple, a case of an enum. */
typedef struct weir_member {
    const char *name;
    size_t name_size;
    /* NULL: a case without a value. */
    const struct weir_type *type;
    size_t align;
    /* Where it stands in the struct, once the type has been laid out. */
    size_t offset;
    /* Of a record: which member comes at this place in the encoding. */
    size_t in_order;
} weir_member;

/* A type as the codec sees it. The macros below fill it in. */
typedef struct weir_type {
    weir_type_kind kind;
    const char *name;
    size_t size;
    /* Of a list its item, of an option what it may hold, of a map the keys of its entries. */
    const struct weir_type *item;
    /* Of a map the values of its entries. */
    const struct weir_type *value;
    /* Of an option where its value stands, of a map where the value stands in an entry. */
    size_t value_offset;
    /* Of a map the size of an entry. */
    size_t entry_size;
    weir_member *members;
    size_t members_len;
    /* True once the members have been laid out. */
    bool *laid_out;
} weir_type;

typedef bool weir_c_bool, weir_c__Bool;
typedef uint8_t weir_c_u8;
typedef uint16_t weir_c_u16;
typedef uint32_t weir_c_u32;
typedef uint64_t weir_c_u64;
typedef int8_t weir_c_i8;
typedef int16_t weir_c_i16;
typedef int32_t weir_c_i32;
typedef int64_t weir_c_i64;
typedef float weir_c_f32;
typedef double weir_c_f64;
typedef weir_bytes weir_c_string;
typedef weir_bytes weir_c_bytes;
typedef weir_bytes weir_c_raw;
/* There is one value of it, which says nothing. */
typedef uint8_t weir_c_unit;

extern const weir_type weir_type_bool, weir_type_u8, weir_type_u16, weir_type_u32, weir_type_u64, weir_type_i8, weir_type_i16,
    weir_type_i32, weir_type_i64, weir_type_f32, weir_type_f64, weir_type_string, weir_type_bytes, weir_type_raw, weir_type_unit;
#define weir_type__Bool weir_type_bool

/* The description of a type, in the grammar of wit/schema.md. */
weir_bytes weir_schema(const weir_type *type);

/* Appends the encoding of a value. It fails where the value has none: a text that is not UTF-8, a map with one key twice. */
weir_status weir_encode(weir_context *ctx, const weir_type *type, const void *value, weir_buffer *out);

/* Reads the value that `bytes`, all of them, encode. Bytes and texts of it point into `bytes`. It fails where they are no such encoding. */
weir_status weir_decode(weir_context *ctx, const weir_type *type, weir_bytes bytes, void *value);

/* The zeroed place of one more item behind the `len` items of a list, which counts up. */
void *weir_list_push(void *items_at, size_t *len, size_t item_size);

WEIR_C_END

#define WEIR_UNUSED __attribute__((unused))

#ifdef __cplusplus
#define WEIR_ALIGN_(T) alignof(T)
#else
#define WEIR_ALIGN_(T) _Alignof(T)
#endif

/* What each type that is made here has: T_encode and T_decode. */
#define WEIR_CODEC_(T) \
    WEIR_UNUSED static inline weir_status T##_encode(weir_context *ctx, const T *value, weir_buffer *out) { \
        return weir_encode(ctx, &weir_type_##T, value, out); \
    } \
    WEIR_UNUSED static inline weir_status T##_decode(weir_context *ctx, weir_bytes bytes, T *value) { \
        return weir_decode(ctx, &weir_type_##T, bytes, value); \
    }

#define WEIR_LAYOUT_(T, kind, MEMBERS) \
    typedef T weir_c_##T; \
    WEIR_UNUSED static weir_member weir_members_##T[] = {MEMBERS}; \
    WEIR_UNUSED static bool weir_laid_out_##T; \
    WEIR_UNUSED static const weir_type weir_type_##T = { \
        kind, #T, sizeof(T), NULL, NULL, 0, 0, weir_members_##T, sizeof weir_members_##T / sizeof *weir_members_##T, &weir_laid_out_##T}; \
    WEIR_CODEC_(T)

#define WEIR_FIELD_(T, name) weir_c_##T name;
#define WEIR_FIELD_MEMBER_(T, name) {#name, sizeof(#name) - 1, &weir_type_##T, WEIR_ALIGN_(weir_c_##T), 0, 0},
#define WEIR_CASE_(constant, name) constant,
#define WEIR_CASE_OF_(constant, name, T) constant,
#define WEIR_NO_CASE_(constant, name)
#define WEIR_CASE_FIELD_(constant, name, T) weir_c_##T name;
#define WEIR_CASE_MEMBER_(constant, name) {#name, sizeof(#name) - 1, NULL, 1, 0, 0},
#define WEIR_CASE_OF_MEMBER_(constant, name, T) {#name, sizeof(#name) - 1, &weir_type_##T, WEIR_ALIGN_(weir_c_##T), 0, 0},

/* A record: a struct with the fields that FIELDS(FIELD) says, each as FIELD(type, name). */
#define WEIR_RECORD(T, FIELDS) \
    typedef struct T { FIELDS(WEIR_FIELD_) } T; \
    WEIR_LAYOUT_(T, WEIR_TYPE_RECORD, FIELDS(WEIR_FIELD_MEMBER_))

/* A tuple: the same in C, and kept without the names. */
#define WEIR_TUPLE(T, FIELDS) \
    typedef struct T { FIELDS(WEIR_FIELD_) } T; \
    WEIR_LAYOUT_(T, WEIR_TYPE_TUPLE, FIELDS(WEIR_FIELD_MEMBER_))

/* An enum: CASES(CASE, CASE_OF) says its cases, CASE(CONSTANT, name) without a value and CASE_OF(CONSTANT, name, type) with one. `which` of
 * the struct is one of the constants, and the value is the member of the case's name. */
#define WEIR_ENUM(T, CASES) \
    enum T##_case { CASES(WEIR_CASE_, WEIR_CASE_OF_) }; \
    typedef struct T { \
        enum T##_case which; \
        union { \
            uint8_t nothing; \
            CASES(WEIR_NO_CASE_, WEIR_CASE_FIELD_) \
        }; \
    } T; \
    WEIR_LAYOUT_(T, WEIR_TYPE_ENUM, CASES(WEIR_CASE_MEMBER_, WEIR_CASE_OF_MEMBER_))

#define WEIR_GENERIC_(T, kind, item, value, value_offset, entry_size) \
    typedef T weir_c_##T; \
    WEIR_UNUSED static const weir_type weir_type_##T = {kind, #T, sizeof(T), item, value, value_offset, entry_size, NULL, 0, NULL}; \
    WEIR_CODEC_(T)

/* A list, with T_push to add an item. */
#define WEIR_LIST(T, Item) \
    typedef struct T { \
        weir_c_##Item *items; \
        size_t len; \
    } T; \
    WEIR_GENERIC_(T, WEIR_TYPE_LIST, &weir_type_##Item, NULL, 0, 0) \
    WEIR_UNUSED static inline void T##_push(T *list, weir_c_##Item item) { \
        *(weir_c_##Item *)weir_list_push(&list->items, &list->len, sizeof item) = item; \
    }

/* A value that may be missing. */
#define WEIR_OPTION(T, Item) \
    typedef struct T { \
        bool some; \
        weir_c_##Item value; \
    } T; \
    WEIR_GENERIC_(T, WEIR_TYPE_OPTION, &weir_type_##Item, NULL, offsetof(T, value), 0)

/* A map as an array of its entries, with T_push to add one. They are put into order when it is encoded; no key may stand twice. */
#define WEIR_MAP(T, Key, Value) \
    typedef struct T##_entry { \
        weir_c_##Key key; \
        weir_c_##Value value; \
    } T##_entry; \
    typedef struct T { \
        T##_entry *items; \
        size_t len; \
    } T; \
    WEIR_GENERIC_(T, WEIR_TYPE_MAP, &weir_type_##Key, &weir_type_##Value, offsetof(T##_entry, value), sizeof(T##_entry)) \
    WEIR_UNUSED static inline void T##_push(T *map, weir_c_##Key key, weir_c_##Value value) { \
        T##_entry *entry = (T##_entry *)weir_list_push(&map->items, &map->len, sizeof *entry); \
        entry->key = key; \
        entry->value = value; \
    }

/* A struct that was defined before and is kept as it lies in memory, little-endian: without padding and without pointers. Its schema is
 * `raw`, which says nothing to other languages; it is there where nanoseconds count. */
#define WEIR_RAW_STRUCT(T) WEIR_GENERIC_(T, WEIR_TYPE_RAW_STRUCT, NULL, NULL, 0, 0)

#endif
