/* Runs the tests: `make check`. */
#include "check.h"

#include <stdio.h>
#include <string.h>

int checks_failed;

void check_failed(const char *file, int line, const char *what) {
    checks_failed++;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

weir_bytes from_hex(const char *digits) {
    weir_buffer bytes = {0};
    unsigned byte;
    for (; *digits != 0; digits += 2) {
        sscanf(digits, "%2x", &byte);
        weir_put_byte(&bytes, (uint8_t)byte);
    }
    return weir_written(&bytes);
}

const char *to_hex(weir_bytes bytes) {
    weir_buffer digits = {0};
    for (size_t at = 0; at < bytes.size; at++) weir_putf(&digits, "%02x", bytes.data[at]);
    weir_put_byte(&digits, 0);
    return (const char *)digits.data;
}

uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

weir_context *fresh(void) {
    weir_the_context.has_failed = false;
    return &weir_the_context;
}

bool failed_with(const weir_context *ctx, const char *part) {
    return ctx->has_failed && memmem(ctx->message.data, ctx->message.size, part, strlen(part)) != NULL;
}

int main(void) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {{"text", test_text}, {"cbor", test_cbor}, {"json", test_json}, {"csv", test_csv}, {"state", test_state}};
    for (size_t at = 0; at < sizeof tests / sizeof *tests; at++) {
        int before = checks_failed;
        tests[at].run();
        printf("%-8s%s\n", tests[at].name, checks_failed == before ? "ok" : "FAILED");
    }
    return checks_failed > 0;
}
