/* Reads JSON (RFC 8259) into a tree. */
#include "internal.h"

#define DEPTH_MAX 64

typedef struct json_reader {
    weir_bytes text;
    size_t at;
    int depth;
    const char *wrong;
} json_reader;

static bool read_value(json_reader *reader, weir_json *into);

static bool refuse(json_reader *reader, const char *what) {
    if (reader->wrong == NULL) reader->wrong = what;
    return false;
}

static uint8_t peek(const json_reader *reader) { return reader->at < reader->text.size ? reader->text.data[reader->at] : 0; }

static void skip_space(json_reader *reader) {
    while (peek(reader) == ' ' || peek(reader) == '\n' || peek(reader) == '\r' || peek(reader) == '\t') reader->at++;
}

/* Passes `byte`, behind white space. */
static bool pass(json_reader *reader, uint8_t byte) {
    skip_space(reader);
    if (peek(reader) != byte) return false;
    reader->at++;
    return true;
}

static bool read_hex(json_reader *reader, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t digit = peek(reader), lower = digit | 0x20;
        if (digit >= '0' && digit <= '9') *unit = *unit << 4 | (uint32_t)(digit - '0');
        else if (lower >= 'a' && lower <= 'f') *unit = *unit << 4 | (uint32_t)(lower - 'a' + 10);
        else return refuse(reader, "\\u wants four hexadecimal digits");
        reader->at++;
    }
    return true;
}

static void put_utf8(weir_buffer *out, uint32_t c) {
    if (c < 0x80) {
        weir_put_byte(out, (uint8_t)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    weir_put_byte(out, (uint8_t)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | c >> (6 * more)));
    while (more-- > 0) weir_put_byte(out, (uint8_t)(0x80 | (c >> (6 * more) & 0x3f)));
}

/* What stands behind a backslash. */
static bool read_escape(json_reader *reader, weir_buffer *out) {
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint8_t name = peek(reader);
    reader->at++;
    for (size_t i = 0; i < sizeof names - 1; i++) {
        if (name == (uint8_t)names[i]) {
            weir_put_byte(out, (uint8_t)meant[i]);
            return true;
        }
    }
    uint32_t unit, low;
    if (name != 'u') return refuse(reader, "there is no such escape");
    if (!read_hex(reader, &unit)) return false;
    if (unit >= 0xd800 && unit < 0xdc00) {
        if (peek(reader) != '\\') return refuse(reader, "half of a surrogate pair stands alone");
        reader->at++;
        if (peek(reader) != 'u') return refuse(reader, "half of a surrogate pair stands alone");
        reader->at++;
        if (!read_hex(reader, &low)) return false;
        if (low < 0xdc00 || low > 0xdfff) return refuse(reader, "half of a surrogate pair stands alone");
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    } else if (unit >= 0xdc00 && unit < 0xe000) {
        return refuse(reader, "half of a surrogate pair stands alone");
    }
    put_utf8(out, unit);
    return true;
}

static bool read_text(json_reader *reader, weir_bytes *text) {
    if (!pass(reader, '"')) return refuse(reader, "a text was expected");
    size_t start = reader->at;
    while (reader->at < reader->text.size && peek(reader) != '"' && peek(reader) != '\\' && peek(reader) >= 0x20) reader->at++;
    *text = weir_bytes_of(reader->text.data + start, reader->at - start);
    if (peek(reader) == '"') {
        reader->at++;
        return true;
    }
    weir_buffer out = {NULL, 0, 0, weir_current_arena};
    weir_put(&out, *text);
    while (reader->at < reader->text.size && peek(reader) >= 0x20) {
        uint8_t byte = peek(reader);
        reader->at++;
        if (byte == '"') {
            *text = weir_written(&out);
            return true;
        }
        if (byte != '\\') weir_put_byte(&out, byte);
        else if (!read_escape(reader, &out)) return false;
    }
    return refuse(reader, "a text does not end");
}

static size_t pass_digits(json_reader *reader) {
    size_t from = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9') reader->at++;
    return reader->at - from;
}

static bool read_number(json_reader *reader, weir_json *into) {
    size_t start = reader->at;
    if (peek(reader) == '-') reader->at++;
    bool zero = peek(reader) == '0';
    size_t digits = pass_digits(reader);
    if (digits == 0 || (zero && digits > 1)) return refuse(reader, "a value was expected");
    if (peek(reader) == '.') {
        reader->at++;
        if (pass_digits(reader) == 0) return refuse(reader, "digits have to follow the point");
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-') reader->at++;
        if (pass_digits(reader) == 0) return refuse(reader, "an exponent has no digits");
    }
    into->kind = WEIR_JSON_NUMBER;
    into->text = weir_bytes_of(reader->text.data + start, reader->at - start);
    return true;
}

/* The items of an array or the members of an object, behind the bracket. */
static bool read_items(json_reader *reader, weir_json *into, uint8_t close) {
    weir_json **last = &into->first;
    if (reader->depth == DEPTH_MAX) return refuse(reader, "it is nested deeper than 64");
    if (pass(reader, close)) return true;
    reader->depth++;
    do {
        weir_json *item = (weir_json *)weir_alloc(sizeof *item);
        if (into->kind == WEIR_JSON_OBJECT) {
            if (!read_text(reader, &item->name)) return false;
            if (!pass(reader, ':')) return refuse(reader, "`:` was expected");
        }
        if (!read_value(reader, item)) return false;
        *last = item;
        last = &item->next;
    } while (pass(reader, ','));
    reader->depth--;
    return pass(reader, close) || refuse(reader, close == '}' ? "`,` or `}` was expected" : "`,` or `]` was expected");
}

static bool read_word(json_reader *reader, const char *word, weir_json *into, weir_json_kind kind) {
    size_t size = __builtin_strlen(word);
    if (reader->text.size - reader->at < size || !weir_is(weir_bytes_of(reader->text.data + reader->at, size), word)) {
        return refuse(reader, "a value was expected");
    }
    reader->at += size;
    into->kind = kind;
    return true;
}

static bool read_value(json_reader *reader, weir_json *into) {
    skip_space(reader);
    switch (peek(reader)) {
    case '{':
    case '[':
        into->kind = peek(reader) == '{' ? WEIR_JSON_OBJECT : WEIR_JSON_ARRAY;
        reader->at++;
        return read_items(reader, into, into->kind == WEIR_JSON_OBJECT ? '}' : ']');
    case '"': into->kind = WEIR_JSON_TEXT; return read_text(reader, &into->text);
    case 't': return read_word(reader, "true", into, WEIR_JSON_TRUE);
    case 'f': return read_word(reader, "false", into, WEIR_JSON_FALSE);
    case 'n': return read_word(reader, "null", into, WEIR_JSON_NULL);
    default: return read_number(reader, into);
    }
}

const weir_json *weir_json_parse(weir_bytes text, weir_bytes *why) {
    json_reader reader = {text, 0, 0, NULL};
    weir_json *json = (weir_json *)weir_alloc(sizeof *json);
    bool read = weir_is_utf8(text) ? read_value(&reader, json) : refuse(&reader, "it is not UTF-8");
    if (read) skip_space(&reader);
    if (read && reader.at < text.size) read = refuse(&reader, "something follows the value");
    if (read) return json;
    if (why != NULL) *why = weir_format("%s at byte %zu of the JSON", reader.wrong, reader.at);
    return NULL;
}
