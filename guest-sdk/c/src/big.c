#include "big.h"

void weir_big_times(weir_big *number, uint32_t factor, uint32_t more) {
    uint64_t carry = more;
    for (int at = 0; at < number->len; at++) {
        carry += (uint64_t)number->limbs[at] * factor;
        number->limbs[at] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0 && number->len < WEIR_LIMBS) number->limbs[number->len++] = (uint32_t)carry;
}

void weir_big_shift(weir_big *number, int bits) {
    for (; bits >= 31; bits -= 31) weir_big_times(number, 1u << 31, 0);
    weir_big_times(number, 1u << bits, 0);
}

int weir_big_compare(const weir_big *a, const weir_big *b) {
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    for (int at = a->len - 1; at >= 0; at--) {
        if (a->limbs[at] != b->limbs[at]) return a->limbs[at] < b->limbs[at] ? -1 : 1;
    }
    return 0;
}

int weir_big_bits(const weir_big *number) {
    return number->len == 0 ? 0 : 32 * number->len - __builtin_clz(number->limbs[number->len - 1]);
}

void weir_big_subtract(weir_big *from, const weir_big *number) {
    int64_t borrow = 0;
    for (int at = 0; at < from->len; at++) {
        borrow += (int64_t)from->limbs[at] - (at < number->len ? number->limbs[at] : 0);
        from->limbs[at] = (uint32_t)borrow;
        borrow >>= 32;
    }
    while (from->len > 0 && from->limbs[from->len - 1] == 0) from->len--;
}

void weir_big_add(weir_big *to, const weir_big *number) {
    uint64_t carry = 0;
    for (int at = 0; at < WEIR_LIMBS && (at < to->len || at < number->len || carry != 0); at++) {
        if (at == to->len) to->limbs[to->len++] = 0;
        carry += (uint64_t)to->limbs[at] + (at < number->len ? number->limbs[at] : 0);
        to->limbs[at] = (uint32_t)carry;
        carry >>= 32;
    }
}
