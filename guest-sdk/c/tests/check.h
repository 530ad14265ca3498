/* What the tests share. A test is a function whose name says what holds; CHECK says where it does not. */
#ifndef CHECK_H
#define CHECK_H

#include "../src/cbor.h"
#include "../src/internal.h"

extern int checks_failed;
void check_failed(const char *file, int line, const char *what);

#define CHECK(holds) ((holds) ? (void)0 : check_failed(__FILE__, __LINE__, #holds))

/* The bytes that hexadecimal digits say, and the digits of bytes. */
weir_bytes from_hex(const char *digits);
const char *to_hex(weir_bytes bytes);

/* Numbers that look like chance, the same in every run. */
uint32_t next_random(uint32_t *seed);

/* A context in which nothing has failed yet. */
weir_context *fresh(void);

/* True where the last thing failed with a message that has `part` in it. */
bool failed_with(const weir_context *ctx, const char *part);

void test_text(void);
void test_cbor(void);
void test_json(void);
void test_csv(void);
void test_state(void);

#endif
