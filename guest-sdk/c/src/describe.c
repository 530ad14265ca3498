/* What the operator declares. It is the same in every instance, and calls nothing of the host. */
#include "internal.h"

static weir_bytes text(const char *name) { return weir_valid_text(weir_text(name), weir_current_arena); }

static const weir_input default_input = {"in", WEIR_ANY, NULL, 0};
static const weir_output default_output = {"out", {NULL, 0}};

size_t weir_inputs_len(void) { return weir_the_operator.inputs.len > 0 ? weir_the_operator.inputs.len : 1; }

const weir_input *weir_input_at(uint32_t index) {
    return weir_the_operator.inputs.len > 0 ? &weir_the_operator.inputs.items[index] : &default_input;
}

size_t weir_outputs_len(void) { return weir_the_operator.outputs.len > 0 ? weir_the_operator.outputs.len : 1; }

const weir_output *weir_output_at(uint32_t index) {
    return weir_the_operator.outputs.len > 0 ? &weir_the_operator.outputs.items[index] : &default_output;
}

static abi_list inputs(void) {
    size_t len = weir_inputs_len();
    abi_input *declared = (abi_input *)weir_alloc(len * sizeof *declared);
    for (size_t at = 0; at < len; at++) {
        const weir_input *input = weir_input_at((uint32_t)at);
        abi_record_schema *accepts = (abi_record_schema *)weir_alloc(input->accepts_len * sizeof *accepts);
        for (size_t i = 0; i < input->accepts_len; i++) {
            accepts[i].id = text(input->accepts[i].id);
            accepts[i].version = input->accepts[i].version;
        }
        declared[at].name = text(input->name);
        declared[at].accepts = (abi_list){accepts, input->accepts_len};
        declared[at].partitioning = (uint8_t)input->by;
    }
    return (abi_list){declared, len};
}

static abi_list outputs(void) {
    size_t len = weir_outputs_len();
    abi_output_decl *declared = (abi_output_decl *)weir_alloc(len * sizeof *declared);
    for (size_t at = 0; at < len; at++) {
        const weir_output *output = weir_output_at((uint32_t)at);
        declared[at].name = text(output->name);
        declared[at].has_schema = output->schema.id != NULL;
        if (output->schema.id == NULL) continue;
        declared[at].schema.id = text(output->schema.id);
        declared[at].schema.version = output->schema.version;
    }
    return (abi_list){declared, len};
}

/* A map of raw keys or values is raw as a whole. */
static weir_bytes schema_of(const weir_state *state) {
    weir_bytes value = weir_schema(state->type);
    if (state->key_type == NULL) return value;
    weir_bytes key = weir_schema(state->key_type);
    if (weir_is(key, "raw") || weir_is(value, "raw")) return weir_text("raw");
    return weir_format("map<%.*s,%.*s>", WEIR_SV(key), WEIR_SV(value));
}

static abi_list states(void) {
    size_t len = weir_the_operator.states.len;
    abi_state_decl *declared = (abi_state_decl *)weir_alloc(len * sizeof *declared);
    for (size_t at = 0; at < len; at++) {
        const weir_state *state = weir_the_operator.states.items[at];
        declared[at].name = text(weir_state_name(state));
        declared[at].kind = (uint8_t)state->kind;
        declared[at].schema = schema_of(state);
        declared[at].version = state->version == 0 ? 1 : state->version;
        declared[at].has_ttl = state->ttl.ms > 0;
        declared[at].ttl.ms = state->ttl.ms;
        declared[at].ttl.domain = (uint8_t)state->ttl.domain;
        declared[at].ttl.refresh_on_read = state->ttl.refresh_on_read;
        declared[at].merges = state->merge != NULL;
    }
    return (abi_list){declared, len};
}

static abi_list timers(void) {
    size_t len = weir_the_operator.timers.len;
    abi_timer_decl *declared = (abi_timer_decl *)weir_alloc(len * sizeof *declared);
    for (size_t at = 0; at < len; at++) {
        declared[at].name = text(weir_the_operator.timers.items[at].name);
        declared[at].domain = (uint8_t)weir_the_operator.timers.items[at].domain;
    }
    return (abi_list){declared, len};
}

void weir_describe(abi_descriptor *descriptor) {
    descriptor->name = text(weir_the_operator.name);
    descriptor->version = text(weir_the_operator.version);
    descriptor->inputs = inputs();
    descriptor->outputs = outputs();
    descriptor->states = states();
    descriptor->timers = timers();
    descriptor->windowed = weir_the_operator.windowed;
}
