/* CBOR in its deterministic form (RFC 8949, section 4.2), laid out as wit/schema.md says.
 *
 * One value has one encoding: shortest integers and lengths, definite lengths only, the shortest float that keeps the value (every NaN is
 * f97e00), map keys in the bytewise order of their encodings, no key twice, no tags. Decoding takes that form and no other, and is bounded:
 * nesting by 64, allocation by the bytes that are there. */
#ifndef WEIR_CBOR_PRIVATE_H
#define WEIR_CBOR_PRIVATE_H

#include "internal.h"

#define WEIR_DEPTH_MAX 64

enum { CBOR_UNSIGNED, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_TAG, CBOR_SIMPLE };
enum { CBOR_FALSE = 0xf4, CBOR_TRUE = 0xf5, CBOR_NULL = 0xf6 };

/* The first bytes of an item: a major type, the five low bits of the first byte, and the argument. */
typedef struct cbor_head {
    uint8_t major, info;
    uint64_t argument;
} cbor_head;

/* What is left to be read. */
typedef struct cbor_reader {
    weir_context *ctx;
    const uint8_t *at, *end;
    int depth;
} cbor_reader;

/* Appends a head in its shortest form. */
void weir_cbor_put_head(weir_buffer *out, uint8_t major, uint64_t argument);

/* Appends the shortest encoding of a float. */
void weir_cbor_put_float(weir_buffer *out, double value);

/* Read a head, `size` bytes, the float of a head. They fail, and say false, where there is none in the deterministic form. */
bool weir_cbor_head(cbor_reader *reader, cbor_head *head);
bool weir_cbor_take(cbor_reader *reader, uint64_t size, weir_bytes *taken);
bool weir_cbor_float(cbor_reader *reader, cbor_head head, double *value);

/* What an item is called in failures. */
const char *weir_cbor_name(cbor_head head);

/* Passes one item, whatever it is. */
bool weir_cbor_skip(cbor_reader *reader);

/* Puts the members of a record, tuple or enum where the compiler has put them, and those of a record into the order of their encodings. */
void weir_lay_out(const weir_type *type);

/* True where the value holds no pointers. */
bool weir_type_is_flat(const weir_type *type);

#endif
