/* Text: formats, numbers, times and JSON strings. */
#include "internal.h"

/* The decimal digits of `number` at the end of `digits`; the answer is where they begin. */
static char *decimal(uint64_t number, char digits[20]) {
    char *at = digits + 20;
    /* Divisions of 32 bits cost less. */
    for (; number > UINT32_MAX; number /= 10) *--at = (char)('0' + number % 10);
    uint32_t rest = (uint32_t)number;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    return at;
}

void weir_put_u64(weir_buffer *buffer, uint64_t number) {
    char digits[20], *at = decimal(number, digits);
    weir_copy_to(weir_extend(buffer, (size_t)(digits + 20 - at)), at, (size_t)(digits + 20 - at));
}

void weir_put_i64(weir_buffer *buffer, int64_t number) {
    if (number < 0) weir_put_byte(buffer, '-');
    weir_put_u64(buffer, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* The byte as it stands behind a backslash. */
static void put_escape(weir_buffer *buffer, uint8_t byte) {
    static const char hex[] = "0123456789abcdef";
    weir_put_byte(buffer, '\\');
    switch (byte) {
    case '"':
    case '\\': weir_put_byte(buffer, byte); break;
    case '\b': weir_put_byte(buffer, 'b'); break;
    case '\t': weir_put_byte(buffer, 't'); break;
    case '\n': weir_put_byte(buffer, 'n'); break;
    case '\f': weir_put_byte(buffer, 'f'); break;
    case '\r': weir_put_byte(buffer, 'r'); break;
    default:
        weir_put_text(buffer, "u00");
        weir_put_byte(buffer, (uint8_t)hex[byte >> 4]);
        weir_put_byte(buffer, (uint8_t)hex[byte & 15]);
    }
}

void weir_put_json_text(weir_buffer *buffer, weir_bytes text) {
    size_t at = 0;
    /* Most texts have nothing to escape. */
    uint8_t *to = weir_extend(buffer, text.size + 2);
    *to++ = '"';
    for (; at < text.size; at++) {
        uint8_t byte = text.data[at];
        if (byte < 0x20 || byte == '"' || byte == '\\') break;
        *to++ = byte;
    }
    if (at == text.size) {
        *to = '"';
        return;
    }
    buffer->size -= text.size + 1 - at;
    for (; at < text.size; at++) {
        uint8_t byte = text.data[at];
        if (byte < 0x20 || byte == '"' || byte == '\\') put_escape(buffer, byte);
        else weir_put_byte(buffer, byte);
    }
    weir_put_byte(buffer, '"');
}

/* The days are counted as in https://howardhinnant.github.io/date_algorithms.html. */
void weir_put_time(weir_buffer *buffer, int64_t ms) {
    int64_t days = ms / 86400000, of_day = ms % 86400000;
    if (of_day < 0) {
        of_day += 86400000;
        days -= 1;
    }
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153, day = of_year - (153 * shifted + 2) / 5 + 1;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9, year = year_of_era + era * 400 + (month <= 2);
    weir_putf(buffer, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year, (int)month, (int)day, (int)(of_day / 3600000),
              (int)(of_day / 60000 % 60), (int)(of_day / 1000 % 60));
    if (of_day % 1000 != 0) weir_putf(buffer, ".%03d", (int)(of_day % 1000));
    weir_put_byte(buffer, 'Z');
}

/* One conversion of a format. */
typedef struct conversion {
    bool left, zero, plus, has_precision;
    int width, precision;
    /* Of its argument: int, long, long long. */
    int longs;
} conversion;

/* Appends `body` behind `sign`, filled up to the conversion's width. */
static void put_padded(weir_buffer *buffer, const conversion *as, const char *sign, weir_bytes body) {
    size_t written = __builtin_strlen(sign) + body.size, width = as->width > 0 ? (size_t)as->width : 0;
    size_t fill = width > written ? width - written : 0;
    if (!as->left && !as->zero) while (fill > 0) weir_put_byte(buffer, ' '), fill--;
    weir_put_text(buffer, sign);
    if (!as->left && as->zero) while (fill > 0) weir_put_byte(buffer, '0'), fill--;
    weir_put(buffer, body);
    while (fill > 0) weir_put_byte(buffer, ' '), fill--;
}

static void put_hex(weir_buffer *buffer, const conversion *as, uint64_t number, bool upper) {
    char digits[16], *at = digits + 16;
    do {
        *--at = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[number & 15];
        number >>= 4;
    } while (number > 0);
    put_padded(buffer, as, "", weir_bytes_of(at, (size_t)(digits + 16 - at)));
}

/* The upper half of a float's digits. */
static double upper_half(double value) {
    double scaled = value * 134217729.0;
    return scaled - (scaled - value);
}

/* What the product of two floats lacks to be exact (Dekker's algorithm). */
static double product_error(double a, double b, double product) {
    double a_up = upper_half(a), a_low = a - a_up, b_up = upper_half(b), b_low = b - b_up;
    return ((a_up * b_up - product) + a_up * b_low + a_low * b_up) + a_low * b_low;
}

/* A float with a fixed number of digits behind the point, 17 at most. Past 2^64 it shows 19 digits and zeros. */
static void put_fixed(weir_buffer *buffer, const conversion *as, double value) {
    if (value != value || value - value != 0) {
        put_padded(buffer, as, value < 0 ? "-" : "", weir_text(value != value ? "nan" : "inf"));
        return;
    }
    bool negative = value < 0 || (value == 0 && 1 / value < 0);
    if (negative) value = -value;
    int precision = !as->has_precision ? 6 : as->precision > 17 ? 17 : as->precision, zeros = 0;
    while (value >= 9.2e18) value /= 10, zeros++;
    uint64_t whole = (uint64_t)value, scale = 1, part = 0;
    for (int i = 0; i < precision; i++) scale *= 10;
    double fraction = value - (double)whole, rest = fraction * (double)scale, error = product_error(fraction, (double)scale, rest);
    part = (uint64_t)rest;
    double over = rest - (double)part;
    bool is_tie = over == 0.5 && error == 0, is_odd = ((precision == 0 ? whole : part) & 1) != 0;
    if (is_tie ? is_odd : over > 0.5 || (over == 0.5 && error > 0)) part++;
    if (part >= scale) whole += 1, part = 0;
    weir_buffer body = {NULL, 0, 0, buffer->arena};
    weir_put_u64(&body, whole);
    while (zeros-- > 0) weir_put_byte(&body, '0');
    if (precision > 0) {
        conversion digits = {.zero = true, .width = precision};
        char text[20], *at = decimal(part, text);
        weir_put_byte(&body, '.');
        put_padded(&body, &digits, "", weir_bytes_of(at, (size_t)(text + 20 - at)));
    }
    put_padded(buffer, as, negative ? "-" : as->plus ? "+" : "", weir_written(&body));
}

static int64_t signed_argument(va_list *arguments, int longs) {
    return longs == 0 ? va_arg(*arguments, int) : longs == 1 ? va_arg(*arguments, long) : va_arg(*arguments, long long);
}

static uint64_t unsigned_argument(va_list *arguments, int longs) {
    return longs == 0 ? va_arg(*arguments, unsigned) : longs == 1 ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned long long);
}

static weir_bytes text_argument(const char *text, const conversion *as) {
    if (text == NULL) text = "(null)";
    if (!as->has_precision) return weir_text(text);
    size_t size = 0, most = as->precision < 0 ? 0 : (size_t)as->precision;
    while (size < most && text[size] != 0) size++;
    return weir_bytes_of(text, size);
}

/* Reads flags, width, precision and size, and answers with what stands behind them. */
static const char *read_conversion(const char *format, conversion *as, va_list *arguments) {
    for (;; format++) {
        if (*format == '-') as->left = true;
        else if (*format == '0') as->zero = true;
        else if (*format == '+') as->plus = true;
        else if (*format != ' ' && *format != '#') break;
    }
    if (*format == '*') as->width = va_arg(*arguments, int), format++;
    while (*format >= '0' && *format <= '9') as->width = as->width * 10 + (*format++ - '0');
    if (*format == '.') {
        as->has_precision = true;
        if (*++format == '*') as->precision = va_arg(*arguments, int), format++;
        while (*format >= '0' && *format <= '9') as->precision = as->precision * 10 + (*format++ - '0');
    }
    for (;; format++) {
        if (*format == 'l') as->longs++;
        else if (*format == 'z' || *format == 't') as->longs = sizeof(size_t) == sizeof(int) ? 0 : 1;
        else if (*format == 'j') as->longs = 2;
        else if (*format != 'h') break;
    }
    return format;
}

/* The text that `%.*s` shows may have zeros in it where WEIR_SV made it of bytes; it then ends there, as in C. */
void weir_vputf(weir_buffer *buffer, const char *format, va_list given) {
    va_list arguments;
    va_copy(arguments, given);
    if (buffer->arena == NULL) buffer->arena = weir_current_arena;
    while (*format != 0) {
        const char *percent = format;
        while (*percent != 0 && *percent != '%') percent++;
        weir_put(buffer, weir_bytes_of(format, (size_t)(percent - format)));
        if (*percent == 0) break;
        conversion as = {0};
        format = read_conversion(percent + 1, &as, &arguments);
        char byte, digits[20], *at;
        switch (*format) {
        case 0: va_end(arguments); return;
        case 'd':
        case 'i': {
            int64_t number = signed_argument(&arguments, as.longs);
            at = decimal(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, digits);
            put_padded(buffer, &as, number < 0 ? "-" : as.plus ? "+" : "", weir_bytes_of(at, (size_t)(digits + 20 - at)));
            break;
        }
        case 'u':
            at = decimal(unsigned_argument(&arguments, as.longs), digits);
            put_padded(buffer, &as, "", weir_bytes_of(at, (size_t)(digits + 20 - at)));
            break;
        case 'x':
        case 'X': put_hex(buffer, &as, unsigned_argument(&arguments, as.longs), *format == 'X'); break;
        case 'p': put_hex(buffer, &as, (uintptr_t)va_arg(arguments, void *), false); break;
        case 'c': byte = (char)va_arg(arguments, int); put_padded(buffer, &as, "", weir_bytes_of(&byte, 1)); break;
        case 's': put_padded(buffer, &as, "", text_argument(va_arg(arguments, const char *), &as)); break;
        case 'g':
        case 'e': weir_put_f64(buffer, va_arg(arguments, double)); break;
        case 'f':
        case 'F': put_fixed(buffer, &as, va_arg(arguments, double)); break;
        default: weir_put_byte(buffer, (uint8_t)*format);
        }
        format++;
    }
    va_end(arguments);
}

void weir_putf(weir_buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    weir_vputf(buffer, format, arguments);
    va_end(arguments);
}

weir_bytes weir_vformat(const char *format, va_list arguments) {
    weir_buffer buffer = {NULL, 0, 0, weir_current_arena};
    weir_vputf(&buffer, format, arguments);
    return weir_written(&buffer);
}

weir_bytes weir_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    weir_bytes text = weir_vformat(format, arguments);
    va_end(arguments);
    return text;
}
