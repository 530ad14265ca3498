/* The host's side of the world. In tests that run natively it is a stand-in. */
#ifndef WEIR_HOST_PRIVATE_H
#define WEIR_HOST_PRIVATE_H

#include "abi.h"

#ifdef __wasm__
#define WEIR_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#else
#define WEIR_IMPORT(module, name)
#endif

/* What one page of a list or map may hold: large enough that the call's cost is spread, small against a guest's memory. */
#define WEIR_PAGE_BYTES 65536u

WEIR_IMPORT(WEIR_COLLECTIONS, "list-length") uint64_t weir_host_list_length(uint32_t state, uint32_t key);

WEIR_IMPORT(WEIR_COLLECTIONS, "list-read")
void weir_host_list_read(uint32_t state, uint32_t key, uint64_t start, uint32_t max_bytes, abi_list_page *page);

WEIR_IMPORT(WEIR_COLLECTIONS, "map-get")
void weir_host_map_get(uint32_t state, uint32_t key, const uint8_t *data, size_t data_size, const uint8_t *ends, size_t ends_size,
                       abi_keyed_column *found);

WEIR_IMPORT(WEIR_COLLECTIONS, "map-scan")
void weir_host_map_scan(uint32_t state, uint32_t key, uint32_t has_start, const uint8_t *start, size_t start_size, uint32_t max_bytes,
                        abi_map_page *page);

WEIR_IMPORT(WEIR_COLLECTIONS, "broadcast-get")
void weir_host_broadcast_get(uint32_t state, const uint8_t *data, size_t data_size, const uint8_t *ends, size_t ends_size,
                             abi_keyed_column *found);

WEIR_IMPORT(WEIR_COLLECTIONS, "broadcast-scan")
void weir_host_broadcast_scan(uint32_t state, uint32_t has_start, const uint8_t *start, size_t start_size, uint32_t max_bytes,
                              abi_map_page *page);

WEIR_IMPORT(WEIR_LOGGING, "log") void weir_host_log(uint32_t level, const uint8_t *text, size_t size);

#endif
