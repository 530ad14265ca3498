//! Words in, as keys; after each the word and how often it has come: `{"word":"a","count":1}`. The same as `count` in every other language, to the byte:
//! what it keeps is theirs, too.

const std = @import("std");
const world = @import("world.zig");
const Bytes = world.Bytes;

pub const descriptor: world.Descriptor = .{
    .name = .of("word-count-count"),
    .version = .of("0.1.0"),
    .inputs = .of(&.{.{ .name = .of("words"), .partitioning = .by_key }}),
    .outputs = .of(&.{.{ .name = .of("main") }}),
    .states = .of(&.{.{ .name = .of("occurrences"), .schema = .of("Occurrences{count:u64}"), .version = 1 }}),
};

pub fn process(_: *const world.Context, batch: *const world.Batch, memory: std.mem.Allocator) !world.ProcessResult {
    // The values travel with the batch, for those keys that have one.
    const counts = try memory.alloc(u64, batch.keys.count());
    @memset(counts, 0);
    const kept = batch.states.slice()[0];
    for (0..kept.items.count()) |i| {
        counts[kept.keys.u32At(i)] = decode(kept.items.item(i)) orelse return .failure(0, "decode state `occurrences`");
    }

    const records = batch.key_of.len / 4;
    var causes: Numbers = .{ .memory = memory };
    var lines: Items = .{ .memory = memory };
    for (0..records) |i| {
        const key = batch.key_of.u32At(i);
        const word = batch.keys.item(key);
        if (!std.unicode.utf8ValidateSlice(word)) return .failure(@intCast(i), "the word is no utf-8");
        counts[key] += 1;
        try lines.begin("{\"word\":");
        try putJson(&lines, word);
        try lines.print(",\"count\":{d}}}", .{counts[key]});
        try lines.end();
        try causes.put(@intCast(i));
    }

    // Each key once. A batch names no key that no record has.
    var keys: Numbers = .{ .memory = memory };
    var values: Items = .{ .memory = memory };
    for (counts, 0..) |count, key| {
        try keys.put(@intCast(key));
        try encode(&values, count);
    }
    const outputs = try memory.dupe(world.Output, &.{.{ .cause = causes.bytes(), .values = lines.column() }});
    const updates = try memory.dupe(world.ValueUpdate, &.{.{ .state = 0, .set = .{ .keys = keys.bytes(), .items = values.column() } }});
    return .effectsOf(.{ .outputs = .of(outputs), .values = .of(updates) });
}

/// `u32s` in the making.
const Numbers = struct {
    memory: std.mem.Allocator,
    made: std.ArrayList(u8) = .empty,

    fn put(self: *Numbers, number: u32) !void {
        try self.made.appendSlice(self.memory, &std.mem.toBytes(std.mem.nativeToLittle(u32, number)));
    }

    fn bytes(self: Numbers) Bytes {
        return .of(self.made.items);
    }
};

/// A column in the making.
const Items = struct {
    memory: std.mem.Allocator,
    data: std.ArrayList(u8) = .empty,
    ends: std.ArrayList(u8) = .empty,

    fn begin(self: *Items, text: []const u8) !void {
        try self.data.appendSlice(self.memory, text);
    }

    fn print(self: *Items, comptime text: []const u8, values: anytype) !void {
        try self.data.print(self.memory, text, values);
    }

    fn end(self: *Items) !void {
        const at: u32 = @intCast(self.data.items.len);
        try self.ends.appendSlice(self.memory, &std.mem.toBytes(std.mem.nativeToLittle(u32, at)));
    }

    fn column(self: Items) world.Column {
        return .{ .data = .of(self.data.items), .ends = .of(self.ends.items) };
    }
};

/// As JSON has a text, with no more escapes than it wants.
fn putJson(out: *Items, text: []const u8) !void {
    try out.begin("\"");
    for (text) |byte| switch (byte) {
        '"' => try out.begin("\\\""),
        '\\' => try out.begin("\\\\"),
        '\n' => try out.begin("\\n"),
        '\r' => try out.begin("\\r"),
        '\t' => try out.begin("\\t"),
        0x08 => try out.begin("\\b"),
        0x0c => try out.begin("\\f"),
        0...0x07, 0x0b, 0x0e...0x1f => try out.print("\\u{x:0>4}", .{byte}),
        else => try out.begin(&.{byte}),
    };
    try out.begin("\"");
}

/// `Occurrences{count:u64}` is a CBOR map of one entry, from the text `count` to a number.
const field = "\xa1\x65count";

/// Deterministic CBOR: a number has as few bytes as it can have.
fn encode(out: *Items, count: u64) !void {
    try out.begin(field);
    if (count < 24) {
        try out.begin(&.{@intCast(count)});
    } else inline for (.{ u8, u16, u32, u64 }, 0x18..) |Number, head| {
        if (count <= std.math.maxInt(Number)) {
            try out.begin(&.{head});
            try out.begin(&std.mem.toBytes(std.mem.nativeToBig(Number, @intCast(count))));
            break;
        }
    }
    try out.end();
}

/// Null where the bytes are none that `encode` makes.
fn decode(bytes: []const u8) ?u64 {
    if (!std.mem.startsWith(u8, bytes, field)) return null;
    const number = bytes[field.len..];
    if (number.len == 1) return if (number[0] < 24) number[0] else null;
    inline for (.{ u8, u16, u32, u64 }, 0x18..) |Number, head| {
        if (number.len == 1 + @sizeOf(Number) and number[0] == head) return std.mem.readInt(Number, number[1..][0..@sizeOf(Number)], .big);
    }
    return null;
}

comptime {
    world.exportOperator(@This());
}
