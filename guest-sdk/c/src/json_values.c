/* Values of a JSON tree as types of C. */
#include "internal.h"

const weir_json *weir_json_get(const weir_json *json, const char *name) {
    if (json == NULL || json->kind != WEIR_JSON_OBJECT) return NULL;
    const weir_json *found = NULL;
    for (const weir_json *member = json->first; member != NULL; member = member->next) {
        if (weir_is(member->name, name)) found = member;
    }
    return found;
}

const weir_json *weir_json_unknown(const weir_json *json, const char *const *names) {
    if (json == NULL || json->kind != WEIR_JSON_OBJECT) return NULL;
    for (const weir_json *member = json->first; member != NULL; member = member->next) {
        size_t at = 0;
        while (names[at] != NULL && !weir_is(member->name, names[at])) at++;
        if (names[at] == NULL) return member;
    }
    return NULL;
}

bool weir_json_as_u64(const weir_json *json, uint64_t *out) {
    return json != NULL && json->kind == WEIR_JSON_NUMBER && weir_parse_u64(json->text, out);
}

bool weir_json_as_i64(const weir_json *json, int64_t *out) {
    return json != NULL && json->kind == WEIR_JSON_NUMBER && weir_parse_i64(json->text, out);
}

bool weir_json_as_bool(const weir_json *json, bool *out) {
    if (json == NULL || (json->kind != WEIR_JSON_TRUE && json->kind != WEIR_JSON_FALSE)) return false;
    *out = json->kind == WEIR_JSON_TRUE;
    return true;
}

bool weir_json_as_text(const weir_json *json, weir_bytes *out) {
    if (json == NULL || json->kind != WEIR_JSON_TEXT) return false;
    *out = json->text;
    return true;
}
