/* Floats as decimal digits, exactly: read to the nearest one, and written with the fewest digits that read back as the same. */
#include "big.h"

/* The float nearest to over / under, to the even one where two are: the quotient bit by bit, 54 of them and whether there is a rest. */
static double quotient(weir_big *over, weir_big *under) {
    int exponent = weir_big_bits(over) - weir_big_bits(under) - 54;
    if (exponent < -1075) exponent = -1075;
    if (exponent < 0) weir_big_shift(over, -exponent);
    else weir_big_shift(under, exponent);
    uint64_t result = 0;
    int top = weir_big_bits(over) - weir_big_bits(under);
    weir_big part;
    for (int bit = top; bit >= 0; bit--) {
        part = *under;
        weir_big_shift(&part, bit);
        if (weir_big_compare(over, &part) < 0) continue;
        weir_big_subtract(over, &part);
        result |= (uint64_t)1 << bit;
    }
    int drop = 64 - __builtin_clzll(result | 1) - 53;
    if (drop < 1) drop = exponent == -1075 ? 1 : drop < 0 ? 0 : drop;
    if (drop > 0) {
        uint64_t rest = result & (((uint64_t)1 << drop) - 1), half = (uint64_t)1 << (drop - 1);
        result >>= drop;
        if (rest > half || (rest == half && (over->len > 0 || (result & 1)))) result++;
    }
    double value = (double)result;
    for (int e = exponent + drop; e != 0; e += e < 0 ? 1 : -1) value *= e < 0 ? 0.5 : 2;
    return value;
}

bool weir_json_as_f64(const weir_json *json, double *out) {
    if (json == NULL || json->kind != WEIR_JSON_NUMBER) return false;
    weir_big over = {{0}, 0}, under = {{1}, 1};
    int exponent = 0, written = 0, digits = 0;
    bool negative = false, fraction = false, minus = false;
    size_t at = 0;
    for (; at < json->text.size && (json->text.data[at] | 0x20) != 'e'; at++) {
        uint8_t byte = json->text.data[at];
        if (byte == '-') negative = true;
        else if (byte == '.') fraction = true;
        else {
            /* Digits past the first 400 cannot tell between two floats. */
            if (digits < 400) {
                weir_big_times(&over, 10, (uint32_t)(byte - '0'));
                digits += over.len > 0;
                exponent -= fraction;
            } else exponent += !fraction;
        }
    }
    for (at++; at < json->text.size; at++) {
        uint8_t byte = json->text.data[at];
        if (byte == '-') minus = true;
        else if (byte != '+' && written < 100000) written = written * 10 + (byte - '0');
    }
    exponent += minus ? -written : written;
    double value = 0;
    if (over.len > 0 && exponent + digits > -330) {
        if (exponent + digits > 310) return false;
        for (int e = exponent; e != 0; e += e < 0 ? 1 : -1) weir_big_times(e < 0 ? &under : &over, 10, 0);
        value = quotient(&over, &under);
    }
    if (value > 1.7976931348623157e308) return false;
    *out = negative ? -value : value;
    return true;
}

/* A float between its neighbours, all as numbers of `under`: `over` is it, and half way to the next is `above`, to the one before `below`. */
typedef struct neighbours {
    weir_big over, under, above, below;
    /* What lies half way reads back as it, too. */
    bool includes;
} neighbours;

static neighbours neighbours_of(uint64_t mantissa, int exponent) {
    neighbours all = {{{(uint32_t)mantissa, (uint32_t)(mantissa >> 32)}, mantissa >> 32 ? 2 : 1}, {{1}, 1}, {{1}, 1}, {{1}, 1}, false};
    bool is_closer_below = mantissa == (uint64_t)1 << 52 && exponent > -1074;
    all.includes = (mantissa & 1) == 0;
    weir_big_shift(&all.over, 1 + is_closer_below + (exponent > 0 ? exponent : 0));
    weir_big_shift(&all.under, 1 + is_closer_below + (exponent < 0 ? -exponent : 0));
    weir_big_shift(&all.above, is_closer_below + (exponent > 0 ? exponent : 0));
    weir_big_shift(&all.below, exponent > 0 ? exponent : 0);
    return all;
}

/* True where `over` and half the way to the next one reach `under`. */
static bool reaches(const neighbours *all) {
    weir_big sum = all->over;
    weir_big_add(&sum, &all->above);
    int order = weir_big_compare(&sum, &all->under);
    return all->includes ? order >= 0 : order > 0;
}

static void ten_times(neighbours *all) {
    weir_big_times(&all->over, 10, 0);
    weir_big_times(&all->above, 10, 0);
    weir_big_times(&all->below, 10, 0);
}

/* The fewest digits that read back as this float (Steele and White, Dybvig). The answer is the power of ten that the point stands behind. */
static int shortest(uint64_t mantissa, int exponent, uint8_t digits[20], int *len) {
    neighbours all = neighbours_of(mantissa, exponent);
    int point = 0;
    while (reaches(&all)) weir_big_times(&all.under, 10, 0), point++;
    for (;;) {
        neighbours next = all;
        ten_times(&next);
        if (reaches(&next)) break;
        all = next;
        point--;
    }
    for (*len = 0;;) {
        uint8_t digit = 0;
        ten_times(&all);
        for (; weir_big_compare(&all.over, &all.under) >= 0; digit++) weir_big_subtract(&all.over, &all.under);
        int order = weir_big_compare(&all.over, &all.below);
        bool is_low = all.includes ? order <= 0 : order < 0, is_high = reaches(&all);
        if (is_low && is_high) {
            weir_big_shift(&all.over, 1);
            is_low = weir_big_compare(&all.over, &all.under) < 0;
            is_high = !is_low;
        }
        digits[(*len)++] = (uint8_t)('0' + digit + is_high);
        if (is_low || is_high) return point;
    }
}

/* Laid out as serde_json does it: 1.0, 0.001, 1.5e300. */
void weir_put_f64(weir_buffer *buffer, double value) {
    uint64_t bits;
    uint8_t digits[20];
    int len, exponent;
    __builtin_memcpy(&bits, &value, 8);
    exponent = (int)(bits >> 52 & 0x7ff);
    uint64_t mantissa = bits & (((uint64_t)1 << 52) - 1);
    if (exponent == 0x7ff) {
        weir_put_text(buffer, "null");
        return;
    }
    if (bits >> 63) weir_put_byte(buffer, '-');
    if (exponent == 0 && mantissa == 0) {
        weir_put_text(buffer, "0.0");
        return;
    }
    if (exponent > 0) mantissa |= (uint64_t)1 << 52;
    int point = shortest(mantissa, exponent > 0 ? exponent - 1075 : -1074, digits, &len);
    if (point > 16 || point <= -5) {
        weir_put_byte(buffer, digits[0]);
        if (len > 1) weir_put_byte(buffer, '.');
        weir_put(buffer, weir_bytes_of(digits + 1, (size_t)len - 1));
        weir_put_byte(buffer, 'e');
        weir_put_i64(buffer, point - 1);
        return;
    }
    if (point <= 0) weir_put_text(buffer, "0.");
    for (int at = point; at < 0; at++) weir_put_byte(buffer, '0');
    for (int at = 0; at < len; at++) {
        if (at > 0 && at == point) weir_put_byte(buffer, '.');
        weir_put_byte(buffer, digits[at]);
    }
    for (int at = len; at < point; at++) weir_put_byte(buffer, '0');
    if (len <= point) weir_put_text(buffer, ".0");
}
