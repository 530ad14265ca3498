#include "cbor.h"

void weir_cbor_put_head(weir_buffer *out, uint8_t major, uint64_t argument) {
    if (argument < 24) {
        weir_put_byte(out, (uint8_t)(major << 5 | (uint8_t)argument));
        return;
    }
    uint8_t *to = weir_extend(out, 9);
    int size = argument <= 0xff ? 1 : argument <= 0xffff ? 2 : argument <= 0xffffffff ? 4 : 8;
    to[0] = (uint8_t)(major << 5 | (size == 1 ? 24 : size == 2 ? 25 : size == 4 ? 26 : 27));
    for (int i = 0; i < size; i++) to[1 + i] = (uint8_t)(argument >> (8 * (size - 1 - i)));
    out->size -= (size_t)(8 - size);
}

bool weir_cbor_take(cbor_reader *reader, uint64_t size, weir_bytes *taken) {
    size_t left = (size_t)(reader->end - reader->at);
    if (size > left) {
        weir_fail(reader->ctx, "an item of %llu bytes with %zu left", (unsigned long long)size, left);
        return false;
    }
    *taken = weir_bytes_of(reader->at, (size_t)size);
    reader->at += size;
    return true;
}

/* True where a head with this `info` has its argument in the shortest form. */
static bool is_shortest(uint8_t major, uint8_t info, uint64_t argument) {
    switch (info) {
    case 24: return argument >= 24 && (major != CBOR_SIMPLE || argument >= 32);
    case 25: return major == CBOR_SIMPLE || argument > 0xff;
    case 26: return major == CBOR_SIMPLE || argument > 0xffff;
    case 27: return major == CBOR_SIMPLE || argument > 0xffffffff;
    default: return true;
    }
}

bool weir_cbor_head(cbor_reader *reader, cbor_head *head) {
    weir_bytes taken;
    if (reader->at == reader->end) {
        weir_fail(reader->ctx, "an item of 1 bytes with 0 left");
        return false;
    }
    uint8_t first = *reader->at++;
    head->major = first >> 5;
    head->info = first & 31;
    head->argument = head->info;
    if (head->info >= 28) {
        weir_fail(reader->ctx, head->info == 31 ? "an item of indefinite length is not deterministic" : "the byte 0x%02x begins no item", first);
        return false;
    }
    if (head->info < 24) return true;
    if (!weir_cbor_take(reader, (uint64_t)1 << (head->info - 24), &taken)) return false;
    head->argument = 0;
    for (size_t i = 0; i < taken.size; i++) head->argument = head->argument << 8 | taken.data[i];
    if (is_shortest(head->major, head->info, head->argument)) return true;
    weir_fail(reader->ctx, "the number %llu is not in its shortest form", (unsigned long long)head->argument);
    return false;
}

const char *weir_cbor_name(cbor_head head) {
    static const char *const names[] = {"an integer", "an integer", "bytes", "a text", "an array", "a map", "a tag", "a simple value or float"};
    return names[head.major];
}

bool weir_cbor_skip(cbor_reader *reader) {
    cbor_head head;
    weir_bytes taken;
    if (!weir_cbor_head(reader, &head)) return false;
    if (head.major == CBOR_TAG) {
        weir_fail(reader->ctx, "a tag is not used here");
        return false;
    }
    if (head.major == CBOR_BYTES || head.major == CBOR_TEXT) return weir_cbor_take(reader, head.argument, &taken);
    if (head.major != CBOR_ARRAY && head.major != CBOR_MAP) return true;
    if (reader->depth == WEIR_DEPTH_MAX) {
        weir_fail(reader->ctx, "the value is nested deeper than %d", WEIR_DEPTH_MAX);
        return false;
    }
    reader->depth++;
    for (uint64_t i = 0; i < head.argument; i++) {
        if (!weir_cbor_skip(reader) || (head.major == CBOR_MAP && !weir_cbor_skip(reader))) return false;
    }
    reader->depth--;
    return true;
}

/* The half-precision bits of a float where no bit of it is lost. */
static bool half_of(float value, uint16_t *half) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    int exponent = (int)(bits >> 23 & 0xff) - 127;
    uint32_t mantissa = bits & 0x7fffff;
    if (exponent == 128 && mantissa == 0) {
        *half = sign | 0x7c00;
    } else if (exponent == -127 && mantissa == 0) {
        *half = sign;
    } else if (exponent >= -14 && exponent <= 15 && (mantissa & 0x1fff) == 0) {
        *half = (uint16_t)(sign | (uint32_t)(exponent + 15) << 10 | mantissa >> 13);
    } else if (exponent >= -24 && exponent <= -15) {
        /* A subnormal half: the leading one becomes a bit of the mantissa, in units of 2^-24. */
        uint32_t significand = mantissa | 0x800000, dropped = (uint32_t)(-1 - exponent);
        if ((significand & (((uint32_t)1 << dropped) - 1)) != 0) return false;
        *half = (uint16_t)(sign | significand >> dropped);
    } else {
        return false;
    }
    return true;
}

/* The value of half-precision bits, as RFC 8949, appendix D, computes it. */
static double half_value(uint16_t bits) {
    int exponent = bits >> 10 & 0x1f;
    double mantissa = bits & 0x3ff, magnitude;
    if (exponent == 31) {
        magnitude = mantissa == 0 ? __builtin_inf() : __builtin_nan("");
    } else {
        magnitude = exponent == 0 ? mantissa : mantissa + 1024;
        for (int shift = exponent == 0 ? -24 : exponent - 25; shift != 0; shift += shift < 0 ? 1 : -1) magnitude *= shift < 0 ? 0.5 : 2;
    }
    return bits & 0x8000 ? -magnitude : magnitude;
}

static void put_number(weir_buffer *out, uint8_t first, uint64_t bits, int size) {
    uint8_t *to = weir_extend(out, (size_t)size + 1);
    to[0] = first;
    for (int i = 0; i < size; i++) to[1 + i] = (uint8_t)(bits >> (8 * (size - 1 - i)));
}

void weir_cbor_put_float(weir_buffer *out, double value) {
    uint64_t bits, again;
    uint32_t single_bits;
    uint16_t half;
    if (value != value) {
        put_number(out, 0xf9, 0x7e00, 2);
        return;
    }
    float single = (float)value;
    double widened = single;
    __builtin_memcpy(&bits, &value, 8);
    __builtin_memcpy(&again, &widened, 8);
    if (bits != again) {
        put_number(out, 0xfb, bits, 8);
    } else if (half_of(single, &half)) {
        put_number(out, 0xf9, half, 2);
    } else {
        __builtin_memcpy(&single_bits, &single, 4);
        put_number(out, 0xfa, single_bits, 4);
    }
}

bool weir_cbor_float(cbor_reader *reader, cbor_head head, double *value) {
    if (head.info == 25) {
        *value = half_value((uint16_t)head.argument);
    } else if (head.info == 26) {
        float single;
        uint32_t bits = (uint32_t)head.argument;
        __builtin_memcpy(&single, &bits, 4);
        *value = single;
    } else {
        __builtin_memcpy(value, &head.argument, 8);
    }
    uint8_t room[9];
    weir_buffer shortest = {room, 0, sizeof room, NULL};
    weir_cbor_put_float(&shortest, *value);
    int size = 1 << (head.info - 24);
    bool same = shortest.size == (size_t)size + 1;
    for (int i = 0; same && i < size; i++) same = room[1 + i] == (uint8_t)(head.argument >> (8 * (size - 1 - i)));
    if (!same) weir_fail(reader->ctx, "a float is not in its shortest form");
    return same;
}
