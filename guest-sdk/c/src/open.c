/* Opens the operator. What it keeps of its configuration, and what it has made of it, stays as long as the instance. */
#include "internal.h"

static bool is_blank(weir_bytes text) {
    size_t at = 0;
    while (at < text.size && (text.data[at] == ' ' || text.data[at] == '\n')) at++;
    return at == text.size;
}

/* The configuration; none at all reads as an empty object. */
static const weir_json *read_config(weir_context *ctx, weir_bytes config) {
    static const char *const no_settings[] = {NULL};
    weir_bytes why = weir_absent();
    const weir_json *json = weir_json_parse(config, &why);
    if (json == NULL && !is_blank(config)) weir_fail(ctx, "read the config of %s: %.*s", weir_the_operator.name, WEIR_SV(why));
    if (json == NULL || json->kind == WEIR_JSON_NULL) return weir_json_parse(weir_text("{}"), NULL);
    const weir_json *unknown = weir_json_unknown(json, no_settings);
    if (weir_the_operator.open == NULL && unknown != NULL) {
        weir_fail(ctx, "read the config of %s: unknown field `%.*s`", weir_the_operator.name, WEIR_SV(unknown->name));
    }
    return json;
}

static const weir_bytes *read_schemas(abi_list schemas) {
    weir_bytes *texts = (weir_bytes *)weir_alloc(schemas.len * sizeof *texts);
    const abi_optional_text *given = (const abi_optional_text *)schemas.items;
    for (size_t at = 0; at < schemas.len; at++) {
        texts[at] = given[at].some ? weir_bytes_of(given[at].text.data, given[at].text.size) : weir_absent();
    }
    return texts;
}

void weir_open(abi_open_result *result, weir_bytes config, abi_list schemas, uint32_t index, uint32_t parallelism, uint64_t seed) {
    weir_context *ctx = &weir_the_context;
    ctx->phase = WEIR_OPENING;
    ctx->has_failed = false;
    ctx->now.key = WEIR_NO_KEY;
    ctx->seed = (uint32_t)(seed ^ seed >> 32);
    ctx->rooms = (weir_room *)weir_alloc(weir_outputs_len() * sizeof *ctx->rooms);
    weir_setup setup = {read_config(ctx, config), read_schemas(schemas), schemas.len, index, parallelism, seed};
    if (!ctx->has_failed && weir_the_operator.open != NULL && weir_the_operator.open(ctx, &setup) != WEIR_OK) {
        weir_fail(ctx, "%s did not open", weir_the_operator.name);
    }
    result->failed = ctx->has_failed;
    result->message = ctx->message;
    weir_is_open = !ctx->has_failed;
    ctx->phase = WEIR_PURE;
    weir_arena_mark(&weir_call_arena);
}
