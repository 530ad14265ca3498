/* Words in, as keys; after each the word and how often it has come: `{"word":"a","count":1}`. */
#include <weir.h>

/* The state of a word. */
#define OCCURRENCES(FIELD) FIELD(u64, count)
WEIR_RECORD(Occurrences, OCCURRENCES)

WEIR_VALUE_STATE(occurrences, Occurrences)
static weir_state *const states[] = {&occurrences};

static weir_status process(weir_context *ctx, const weir_record *record) {
    if (weir_is_absent(record->key)) return weir_fail(ctx, "a word is the key of its record, and this record has none");
    if (weir_expect_text(ctx, record->key, "key") != WEIR_OK) return WEIR_FAILED;
    Occurrences *word = occurrences_update(ctx);
    word->count++;

    weir_buffer *out = weir_begin(ctx, 0);
    weir_put_text(out, "{\"word\":");
    weir_put_json_text(out, record->key);
    weir_put_text(out, ",\"count\":");
    weir_put_u64(out, word->count);
    weir_put_byte(out, '}');
    weir_end(ctx, 0);
    return WEIR_OK;
}

WEIR_OPERATOR = {.name = "word-count-count", .version = "0.1.0", .states = WEIR_ARRAY(states), .process = process};
