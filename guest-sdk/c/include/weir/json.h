/* JSON as it comes: the operator's configuration, and whatever values of records are. Numbers keep all their digits until they are asked for
 * as one type or another. */
#ifndef WEIR_JSON_H
#define WEIR_JSON_H

#include "bytes.h"

WEIR_C_BEGIN

typedef enum weir_json_kind {
    WEIR_JSON_NULL,
    WEIR_JSON_FALSE,
    WEIR_JSON_TRUE,
    WEIR_JSON_NUMBER,
    WEIR_JSON_TEXT,
    WEIR_JSON_ARRAY,
    WEIR_JSON_OBJECT
} weir_json_kind;

/* A JSON value. */
typedef struct weir_json {
    weir_json_kind kind;
    /* Of a member of an object: its name. */
    weir_bytes name;
    /* A text without quotes and escapes, or the digits of a number. */
    weir_bytes text;
    /* The first item of an array or member of an object, in order. */
    struct weir_json *first;
    /* What comes behind this one in its array or object. */
    struct weir_json *next;
} weir_json;

/* Reads `text` as JSON. NULL where it is none; `why`, unless it is NULL, then says what is wrong. Nesting is bounded by 64. */
const weir_json *weir_json_parse(weir_bytes text, weir_bytes *why);

/* The member of an object with this name; NULL where there is none, or `json` is NULL or no object. */
const weir_json *weir_json_get(const weir_json *json, const char *name);

/* The value as one type. False where `json` is NULL, of another kind or out of range; `out` is then left as it was, so that it may hold the
 * default before. A whole number may be written as such only: 1, not 1.0. */
bool weir_json_as_i64(const weir_json *json, int64_t *out);
bool weir_json_as_u64(const weir_json *json, uint64_t *out);
bool weir_json_as_f64(const weir_json *json, double *out);
bool weir_json_as_bool(const weir_json *json, bool *out);
bool weir_json_as_text(const weir_json *json, weir_bytes *out);

/* The first member of the object whose name is not among `names`, which end with NULL: what configurations refuse. NULL where there is none. */
const weir_json *weir_json_unknown(const weir_json *json, const char *const *names);

WEIR_C_END
#endif
