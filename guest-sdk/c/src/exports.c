/* The exports of the component: the flat parameters of the canonical ABI, and where its results stand. */
#include "component_type.h"
#include "internal.h"

const char weir_exports_are_linked = 1;

#ifdef __wasm__

#define EXPORT(name) __attribute__((export_name(name)))

extern void __wasm_call_ctors(void);

/* Runs constructors of static objects, once. A libc's own start-up takes its place. */
__attribute__((weak, export_name("_initialize"))) void _initialize(void) { __wasm_call_ctors(); }

/* The host may be called by nothing that this calls. */
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size);
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    return weir_arena_resize(weir_current_arena, old, old_size, align, size);
}

EXPORT(WEIR_GUEST "#describe") abi_descriptor *weir_export_describe(void);
abi_descriptor *weir_export_describe(void) {
    static abi_descriptor descriptor;
    /* The linker says the name of this where no file has WEIR_OPERATOR. */
    if (no_file_has_WEIR_OPERATOR) __builtin_trap();
    weir_describe(&descriptor);
    return &descriptor;
}

EXPORT(WEIR_GUEST "#open")
abi_open_result *weir_export_open(const uint8_t *config, size_t config_size, const abi_optional_text *schemas, size_t schemas_len,
                                  uint32_t index, uint32_t parallelism, uint64_t seed);
abi_open_result *weir_export_open(const uint8_t *config, size_t config_size, const abi_optional_text *schemas, size_t schemas_len,
                                  uint32_t index, uint32_t parallelism, uint64_t seed) {
    static abi_open_result result;
    weir_open(&result, weir_bytes_of(config, config_size), (abi_list){schemas, schemas_len}, index, parallelism, seed);
    return &result;
}

static abi_effects_result effects;

EXPORT(WEIR_GUEST "#process") abi_effects_result *weir_export_process(const abi_process_call *call);
abi_effects_result *weir_export_process(const abi_process_call *call) {
    weir_process(&effects, call);
    return &effects;
}

EXPORT(WEIR_GUEST "#on-timers")
abi_effects_result *weir_export_on_timers(uint32_t input, int64_t watermark, int64_t processing_time, const uint8_t *keys, size_t keys_size,
                                          const uint8_t *key_ends, size_t key_ends_size, const uint8_t *key_of, size_t key_of_size,
                                          const uint8_t *timers, size_t timers_size, const uint8_t *times, size_t times_size,
                                          const abi_keyed_column *states, size_t states_len);
abi_effects_result *weir_export_on_timers(uint32_t input, int64_t watermark, int64_t processing_time, const uint8_t *keys, size_t keys_size,
                                          const uint8_t *key_ends, size_t key_ends_size, const uint8_t *key_of, size_t key_of_size,
                                          const uint8_t *timers, size_t timers_size, const uint8_t *times, size_t times_size,
                                          const abi_keyed_column *states, size_t states_len) {
    abi_context call = {input, watermark, processing_time};
    abi_batch fired = {0};
    fired.keys.data = weir_bytes_of(keys, keys_size);
    fired.keys.ends = weir_bytes_of(key_ends, key_ends_size);
    fired.key_of = weir_bytes_of(key_of, key_of_size);
    fired.timestamps = weir_bytes_of(times, times_size);
    fired.states = (abi_list){states, states_len};
    weir_on_timers(&effects, &call, &fired, weir_bytes_of(timers, timers_size));
    return &effects;
}

EXPORT(WEIR_GUEST "#on-windows") abi_effects_result *weir_export_on_windows(const abi_windows_call *call);
abi_effects_result *weir_export_on_windows(const abi_windows_call *call) {
    weir_on_windows(&effects, call);
    return &effects;
}

static abi_column_result column;

EXPORT(WEIR_GUEST "#merge")
abi_column_result *weir_export_merge(uint32_t state, const uint8_t *earlier, size_t earlier_size, const uint8_t *earlier_ends,
                                     size_t earlier_ends_size, const uint8_t *later, size_t later_size, const uint8_t *later_ends,
                                     size_t later_ends_size);
abi_column_result *weir_export_merge(uint32_t state, const uint8_t *earlier, size_t earlier_size, const uint8_t *earlier_ends,
                                     size_t earlier_ends_size, const uint8_t *later, size_t later_size, const uint8_t *later_ends,
                                     size_t later_ends_size) {
    abi_column first = {weir_bytes_of(earlier, earlier_size), weir_bytes_of(earlier_ends, earlier_ends_size)};
    abi_column second = {weir_bytes_of(later, later_size), weir_bytes_of(later_ends, later_ends_size)};
    weir_merge_values(&column, state, &first, &second);
    return &column;
}

EXPORT(WEIR_GUEST "#migrate")
abi_column_result *weir_export_migrate(uint32_t state, uint32_t from_version, const uint8_t *values, size_t values_size, const uint8_t *ends,
                                       size_t ends_size);
abi_column_result *weir_export_migrate(uint32_t state, uint32_t from_version, const uint8_t *values, size_t values_size, const uint8_t *ends,
                                       size_t ends_size) {
    abi_column old = {weir_bytes_of(values, values_size), weir_bytes_of(ends, ends_size)};
    weir_migrate_values(&column, state, from_version, &old);
    return &column;
}

#define POST(name, function) \
    EXPORT("cabi_post_" WEIR_GUEST "#" name) void function(const void *result); \
    void function(const void *result) { \
        (void)result; \
        weir_after_call(); \
    }
POST("describe", weir_post_describe)
POST("open", weir_post_open)
POST("process", weir_post_process)
POST("on-timers", weir_post_on_timers)
POST("on-windows", weir_post_on_windows)
POST("merge", weir_post_merge)
POST("migrate", weir_post_migrate)

#endif
