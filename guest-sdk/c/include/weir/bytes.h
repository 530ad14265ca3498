/* Byte strings, buffers that grow, and the memory that both are in. */
#ifndef WEIR_BYTES_H
#define WEIR_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define WEIR_C_BEGIN extern "C" {
#define WEIR_C_END }
#else
#define WEIR_C_BEGIN
#define WEIR_C_END
#endif

/* The compiler checks arguments against the format. */
#define WEIR_FORMAT(at, first) __attribute__((__format__(__printf__, at, first)))

WEIR_C_BEGIN

/* Bytes that somebody else owns. `data` is NULL where there are none at all, which is not the empty string: a record without a value or
 * without a key has such. */
typedef struct weir_bytes {
    const uint8_t *data;
    size_t size;
} weir_bytes;

/* No bytes at all. */
static inline weir_bytes weir_absent(void) {
    weir_bytes none = {NULL, 0};
    return none;
}

/* True where there are no bytes at all. */
static inline bool weir_is_absent(weir_bytes bytes) { return bytes.data == NULL; }

/* `size` bytes from `data` on; where `data` is NULL, the empty string. */
static inline weir_bytes weir_bytes_of(const void *data, size_t size) {
    weir_bytes bytes = {data == NULL ? (const uint8_t *)"" : (const uint8_t *)data, size};
    return bytes;
}

/* The bytes of a C string, without its zero. */
static inline weir_bytes weir_text(const char *text) { return weir_bytes_of(text, __builtin_strlen(text)); }

/* True where both are the same bytes, or both are absent. */
bool weir_equal(weir_bytes a, weir_bytes b);

/* True where the bytes are those of the C string. */
static inline bool weir_is(weir_bytes bytes, const char *text) {
    size_t size = __builtin_strlen(text);
    return bytes.size == size && !weir_is_absent(bytes) && __builtin_memcmp(bytes.data, text, size) == 0;
}

/* Below, at or above zero as `a` comes before, with or behind `b` in the order of bytes. */
int weir_compare(weir_bytes a, weir_bytes b);

/* True where the bytes are UTF-8. */
bool weir_is_utf8(weir_bytes bytes);

/* The character that `bytes`, which are UTF-8, have at `at`; `at` moves behind it. */
uint32_t weir_next_char(weir_bytes bytes, size_t *at);

/* Read all of the bytes as a whole number in decimal digits. False where they are none that fits; `number` is then left as it was. */
bool weir_parse_u64(weir_bytes bytes, uint64_t *number);
bool weir_parse_i64(weir_bytes bytes, int64_t *number);

/* Divides bytes at the first `at`, which is in neither part. False where there is none; `before` is then all of them and `behind` empty. */
bool weir_split(weir_bytes bytes, char at, weir_bytes *before, weir_bytes *behind);

/* `size` bytes of memory, zeroed and aligned for any type. It traps where there is no memory left, as everything below does. */
void *weir_alloc(size_t size);

/* A copy of the bytes. */
weir_bytes weir_copy(weir_bytes bytes);

/* Text as `printf` makes it: %s %.*s %c %d %i %u %x %p %% with flags, widths and the sizes l, ll, z and j, %f with a precision, and %g
 * for the fewest digits, as weir_put_f64 has it. */
weir_bytes weir_format(const char *format, ...) WEIR_FORMAT(1, 2);
weir_bytes weir_vformat(const char *format, va_list arguments) WEIR_FORMAT(1, 0);

/* What `%.*s` takes: weir_format("%.*s", WEIR_SV(bytes)). */
#define WEIR_SV(bytes) (int)(bytes).size, (const char *)(bytes).data

/* Bytes that are being written. Zeroed, it is empty. */
typedef struct weir_buffer {
    uint8_t *data;
    size_t size;
    size_t room;
    /* The memory that it grows in, which is the SDK's business. */
    struct weir_arena *arena;
} weir_buffer;

/* What has been written. */
static inline weir_bytes weir_written(const weir_buffer *buffer) { return weir_bytes_of(buffer->data, buffer->size); }

/* Makes room for `size` more bytes at the end of the buffer. */
void weir_grow(weir_buffer *buffer, size_t size);

/* Where the next `size` bytes go, which count as written. */
static inline uint8_t *weir_extend(weir_buffer *buffer, size_t size) {
    if (buffer->room - buffer->size < size) weir_grow(buffer, size);
    uint8_t *end = buffer->data + buffer->size;
    buffer->size += size;
    return end;
}

/* Copies bytes that do not overlap. Short ones cost less than with memcpy, which is a call out of the guest. */
void weir_copy_to(void *to, const void *from, size_t size);

/* Appends bytes. */
static inline void weir_put(weir_buffer *buffer, weir_bytes bytes) {
    uint8_t *to = weir_extend(buffer, bytes.size);
    if (__builtin_constant_p(bytes.size) && bytes.size <= 64) __builtin_memcpy(to, bytes.data, bytes.size);
    else weir_copy_to(to, bytes.data, bytes.size);
}

/* Appends one byte. */
static inline void weir_put_byte(weir_buffer *buffer, uint8_t byte) { *weir_extend(buffer, 1) = byte; }

/* Appends a C string. */
static inline void weir_put_text(weir_buffer *buffer, const char *text) {
    size_t size = __builtin_strlen(text);
    __builtin_memcpy(weir_extend(buffer, size), text, size);
}

/* Append a number in decimal digits. */
void weir_put_u64(weir_buffer *buffer, uint64_t number);
void weir_put_i64(weir_buffer *buffer, int64_t number);

/* Appends a float with the fewest digits that read back as the same, as JSON has it; what is none (NaN and the infinities) as null. */
void weir_put_f64(weir_buffer *buffer, double number);

/* Appends text as a JSON string, with its quotes. It has to be UTF-8. */
void weir_put_json_text(weir_buffer *buffer, weir_bytes text);

/* Appends a time, ms since the Unix epoch, as people read it: 2013-01-01T10:00:00Z, with .250 where it has a part of a second. */
void weir_put_time(weir_buffer *buffer, int64_t ms);

/* Appends formatted text, as weir_format makes it. */
void weir_putf(weir_buffer *buffer, const char *format, ...) WEIR_FORMAT(2, 3);
void weir_vputf(weir_buffer *buffer, const char *format, va_list arguments) WEIR_FORMAT(2, 0);

WEIR_C_END
#endif
