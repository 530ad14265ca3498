/* What a libc that is linked too prints becomes lines of the log: puts and printf, perror and whatever else is written to descriptors 1 and 2.
 *
 * A libc for Wasm calls the system by imports, each under a symbol of its own. The two that printing takes are defined here, and so are no
 * imports any more. Where the host may not be called (in `migrate`, while the operator is described) what is printed is dropped. */
#include "internal.h"

#ifdef __wasm__

/* A ciovec of WASI's preview 1. */
typedef struct piece {
    const uint8_t *bytes;
    size_t size;
} piece;

/* A line that has not ended, of one of the two streams. Longer ones leave in pieces. */
typedef struct line {
    uint8_t bytes[1024];
    size_t size;
} line;

enum { ERRNO_SUCCESS = 0, ERRNO_BADF = 8, FILETYPE_CHARACTER_DEVICE = 2 };

static line lines[2];

static void end_line(line *line, uint32_t level, size_t size) {
    weir_bytes told = weir_valid_text(weir_bytes_of(line->bytes, size), weir_current_arena);
    if (weir_the_context.phase != WEIR_PURE) weir_host_log(level, told.data, told.size);
    line->size -= size;
    __builtin_memmove(line->bytes, line->bytes + size, line->size);
}

static void print(line *line, uint32_t level, piece piece) {
    for (size_t at = 0; at < piece.size; at++) {
        bool ends = piece.bytes[at] == '\n';
        if (!ends) line->bytes[line->size++] = piece.bytes[at];
        if (ends) end_line(line, level, line->size);
        else if (line->size == sizeof line->bytes) end_line(line, level, line->size - weir_begun_char(weir_bytes_of(line->bytes, line->size)));
    }
}

int __imported_wasi_snapshot_preview1_fd_write(int fd, int pieces, int count, int written);
int __imported_wasi_snapshot_preview1_fd_write(int fd, int pieces, int count, int written) {
    size_t size = 0;
    if (fd != 1 && fd != 2) return ERRNO_BADF;
    for (int at = 0; at < count; at++) {
        piece piece = ((const struct piece *)(uintptr_t)pieces)[at];
        /* Standard output is told at level info, standard error at level warn. */
        print(&lines[fd - 1], (uint32_t)fd, piece);
        size += piece.size;
    }
    *(size_t *)(uintptr_t)written = size;
    return ERRNO_SUCCESS;
}

/* The two are terminals, so that standard output leaves line by line. */
int __imported_wasi_snapshot_preview1_fd_fdstat_get(int fd, int stat);
int __imported_wasi_snapshot_preview1_fd_fdstat_get(int fd, int stat) {
    if (fd != 1 && fd != 2) return ERRNO_BADF;
    __builtin_memset((void *)(uintptr_t)stat, 0, 24);
    *(uint8_t *)(uintptr_t)stat = FILETYPE_CHARACTER_DEVICE;
    return ERRNO_SUCCESS;
}

#endif
