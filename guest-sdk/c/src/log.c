#include "internal.h"

/* In `migrate` and in merge functions the host is not called: there a line is dropped. */
static void log_line(uint32_t level, const char *format, va_list arguments) {
    if (weir_the_context.phase == WEIR_PURE) return;
    weir_bytes line = weir_valid_text(weir_vformat(format, arguments), weir_current_arena);
    weir_host_log(level, line.data, line.size);
}

#define LOG_AT(level) \
    va_list arguments; \
    va_start(arguments, format); \
    log_line(level, format, arguments); \
    va_end(arguments)

void weir_log_debug(const char *format, ...) { LOG_AT(0); }
void weir_log_info(const char *format, ...) { LOG_AT(1); }
void weir_log_warn(const char *format, ...) { LOG_AT(2); }
void weir_log_error(const char *format, ...) { LOG_AT(3); }

void weir_panic(const char *format, ...) {
    LOG_AT(3);
    __builtin_trap();
}
