/* Lines for the job's log. A line leaves at once: it survives a trap that follows it. In `migrate` and in merge functions it is dropped. */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include "bytes.h"

WEIR_C_BEGIN

void weir_log_debug(const char *format, ...) WEIR_FORMAT(1, 2);
void weir_log_info(const char *format, ...) WEIR_FORMAT(1, 2);
void weir_log_warn(const char *format, ...) WEIR_FORMAT(1, 2);
void weir_log_error(const char *format, ...) WEIR_FORMAT(1, 2);

/* Logs a line at level error and traps: for what cannot be in a right program. A record that cannot be worked on is weir_fail's. */
__attribute__((noreturn)) void weir_panic(const char *format, ...) WEIR_FORMAT(1, 2);

WEIR_C_END
#endif
