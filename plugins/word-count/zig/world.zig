//! The world of wit/operator.wit, as much of it as an operator with value states needs: its types as the canonical ABI lays them out, the memory that
//! both sides put them into, and the exports.
//!
//! An operator is a file with `descriptor` and `process`, and ends with `comptime { world.exportOperator(@This()); }`.

const std = @import("std");

/// A `list<u8>`, and a `string`: where it stands, and how long it is. The pointer of an empty one may be anything.
pub const Bytes = extern struct {
    ptr: ?[*]const u8 = null,
    len: usize = 0,

    pub fn of(bytes: []const u8) Bytes {
        return .{ .ptr = bytes.ptr, .len = bytes.len };
    }

    pub fn slice(self: Bytes) []const u8 {
        return if (self.len == 0) "" else self.ptr.?[0..self.len];
    }

    /// Item `i` of `u32s`, which stand without alignment.
    pub fn u32At(self: Bytes, i: usize) u32 {
        return std.mem.readInt(u32, self.slice()[i * 4 ..][0..4], .little);
    }
};

/// A list of records of the type `T`.
pub fn List(comptime T: type) type {
    return extern struct {
        ptr: ?[*]const T = null,
        len: usize = 0,

        pub fn of(items: []const T) @This() {
            return .{ .ptr = items.ptr, .len = items.len };
        }

        pub fn slice(self: @This()) []const T {
            return if (self.len == 0) &.{} else self.ptr.?[0..self.len];
        }
    };
}

pub const Column = extern struct {
    data: Bytes = .{},
    ends: Bytes = .{},

    pub fn item(self: Column, i: usize) []const u8 {
        const start = if (i == 0) 0 else self.ends.u32At(i - 1);
        return self.data.slice()[start..self.ends.u32At(i)];
    }

    pub fn count(self: Column) usize {
        return self.ends.len / 4;
    }
};

pub const KeyedColumn = extern struct { keys: Bytes = .{}, items: Column = .{} };
pub const Headers = extern struct { ends: Bytes = .{}, names: Column = .{}, values: Column = .{} };
pub const Windows = extern struct { starts: Bytes = .{}, ends: Bytes = .{} };
pub const Context = extern struct { input: u32, watermark: i64, processing_time: i64 };

/// An `option<T>`: a byte that says whether it is there, and behind it, aligned, what may be.
pub fn Option(comptime T: type) type {
    return extern struct { is_some: bool = false, value: T = undefined };
}

pub const Batch = extern struct {
    keys: Column,
    key_of: Bytes,
    keyless: Bytes,
    values: Column,
    valueless: Bytes,
    headers: Headers,
    timestamps: Bytes,
    states: List(KeyedColumn),
    windows: Option(Windows),
};

pub const Output = extern struct {
    output: u32 = 0,
    passes: Bytes = .{},
    cause: Bytes = .{},
    values: Column = .{},
    valueless: Bytes = .{},
    keys: Column = .{},
    keyless: Bytes = .{},
    headers: Option(Headers) = .{},
    timestamps: Bytes = .{},
};

pub const ValueUpdate = extern struct { state: u32, cleared: Bytes = .{}, set: KeyedColumn };

/// What a call has come to. Updates of kinds that no operator here has are empty lists, whatever they would hold.
pub const Effects = extern struct {
    outputs: List(Output) = .{},
    values: List(ValueUpdate) = .{},
    lists: Bytes = .{},
    maps: Bytes = .{},
    broadcasts: Bytes = .{},
    touched: Bytes = .{},
    timers: Bytes = .{},
    metrics: Bytes = .{},
};

pub const Failure = extern struct { cause: Option(u32) = .{}, message: Bytes };

/// A `result<effects, failure>`: a byte that says which of the two it is.
pub const ProcessResult = extern struct {
    failed: bool,
    as: extern union { effects: Effects, failure: Failure },

    pub fn effectsOf(effects: Effects) ProcessResult {
        return .{ .failed = false, .as = .{ .effects = effects } };
    }

    /// Record `i` of the batch is why the call has had no effect.
    pub fn failure(i: u32, message: []const u8) ProcessResult {
        return .{ .failed = true, .as = .{ .failure = .{ .cause = .{ .is_some = true, .value = i }, .message = .of(message) } } };
    }
};

pub const Partitioning = enum(u8) { any, by_key, broadcast };
pub const StateKind = enum(u8) { value, list, map, broadcast };
pub const RecordSchema = extern struct { id: Bytes, version: u32 };
pub const InputDecl = extern struct { name: Bytes, accepts: List(RecordSchema) = .{}, partitioning: Partitioning };
pub const OutputDecl = extern struct { name: Bytes, schema: Option(RecordSchema) = .{} };
pub const Ttl = extern struct { ms: u64, domain: u8, refresh_on_read: bool };
pub const StateDecl = extern struct { name: Bytes, kind: StateKind = .value, schema: Bytes, version: u32, ttl: Option(Ttl) = .{}, merges: bool = false };
pub const Descriptor = extern struct {
    name: Bytes,
    version: Bytes,
    inputs: List(InputDecl),
    outputs: List(OutputDecl),
    states: List(StateDecl) = .{},
    timers: Bytes = .{},
    windowed: bool = false,
};

// The sizes that the canonical ABI gives: a field that is missing or of another type does not compile.
comptime {
    std.debug.assert(@sizeOf(Batch) == 132);
    std.debug.assert(@sizeOf(Output) == 120);
    std.debug.assert(@sizeOf(StateDecl) == 56);
    std.debug.assert(@sizeOf(Descriptor) == 52);
    std.debug.assert(@sizeOf(ProcessResult) == 68);
}

/// What a call is given and gives: the host puts its arguments here through `cabi_realloc`, the operator its effects, and all of it goes when the host has
/// read them and calls `cabi_post_…`.
var arena = std.heap.ArenaAllocator.init(std.heap.wasm_allocator);

fn realloc(old: ?[*]u8, old_len: usize, alignment: usize, len: usize) callconv(.c) [*]u8 {
    const new = arena.allocator().rawAlloc(len, .fromByteUnits(alignment), @returnAddress()) orelse @trap();
    if (old) |bytes| @memcpy(new[0..@min(old_len, len)], bytes[0..@min(old_len, len)]);
    return new;
}

/// Behind a call that is over. What one batch has needed is kept for the next, and no more than a megabyte.
fn post(_: *const anyopaque) callconv(.c) void {
    _ = arena.reset(.{ .retain_with_limit = 1 << 20 });
}

/// Exports `Operator`: every function of the interface has to be there, also those that nobody calls.
pub fn exportOperator(comptime Operator: type) void {
    const exports = struct {
        var result: ProcessResult = undefined;
        /// A `result<_, string>`.
        const opened: Option(Bytes) = .{};

        fn describe() callconv(.c) *const Descriptor {
            return &Operator.descriptor;
        }

        /// More than one result comes back by a pointer, up to 16 parameters one by one.
        fn open(_: ?[*]u8, _: usize, _: ?[*]u8, _: usize, _: u32, _: u32, _: u64) callconv(.c) *const Option(Bytes) {
            return &opened;
        }

        /// More than 16 parameters come behind one pointer, laid out as a record of them.
        fn process(call: *const extern struct { context: Context, batch: Batch }) callconv(.c) *const ProcessResult {
            result = Operator.process(&call.context, &call.batch, arena.allocator()) catch @trap();
            return &result;
        }

        // Without timers, windows and older versions these are never called. Their types are looked at nevertheless.
        fn onTimers(_: u32, _: i64, _: i64, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32) callconv(.c) u32 {
            @trap();
        }

        fn onWindows(_: u32) callconv(.c) u32 {
            @trap();
        }

        fn merge(_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32) callconv(.c) u32 {
            @trap();
        }

        fn migrate(_: u32, _: u32, _: u32, _: u32, _: u32, _: u32) callconv(.c) u32 {
            @trap();
        }
    };
    const guest = "weir:operator/guest@0.2.0#";
    @export(&realloc, .{ .name = "cabi_realloc" });
    @export(&exports.describe, .{ .name = guest ++ "describe" });
    @export(&exports.open, .{ .name = guest ++ "open" });
    @export(&exports.process, .{ .name = guest ++ "process" });
    @export(&exports.onTimers, .{ .name = guest ++ "on-timers" });
    @export(&exports.onWindows, .{ .name = guest ++ "on-windows" });
    @export(&exports.merge, .{ .name = guest ++ "merge" });
    @export(&exports.migrate, .{ .name = guest ++ "migrate" });
    @export(&post, .{ .name = "cabi_post_" ++ guest ++ "open" });
    @export(&post, .{ .name = "cabi_post_" ++ guest ++ "process" });
}
