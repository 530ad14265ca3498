//! Faults that happen inside a call.

use std::hint::black_box;
use weir_guest::bindings::weir::operator::collections;
use weir_guest::{Error, Result, log};

/// Another title, an empty screen, and a line that is read from its end.
const ESCAPES: &str = "\u{1b}]0;weir\u{7}\u{1b}[2J\u{202e}lla si llew";

/// Does what `request` asks for, if it is one of
///
/// - `trap`, `panic`, `divide` (by zero), `recurse` (until the stack ends), `index` (past a slice's end)
/// - `spin`: never returns
/// - `alloc`: allocates without end; `alloc:<bytes>` so many at once
/// - `leak:<bytes>`: allocates so many and forgets them, which is no fault
/// - `flood`: emits without end; `flood:<bytes>` so many bytes in one record (for many records see [`records_to_emit`], for much state [`to_keep`])
/// - `log`: logs without end; `log:<lines>` so many; `log-long:<bytes>` one line of that length
/// - `fail`: returns an error, which names the record; `say:<text>` one of that text
/// - `escape`: logs what a terminal would obey, and returns an error of that
/// - `read:<what>`: a host call with a wrong `list-key`, `list-state`, `list-kind`, `map-key`, `map-kind`, `scan-key`
///   or `broadcast`; in `open`, where none is legal, `list-key` serves
///
/// False where it is none of them. What is emitted goes to the end of `out`.
pub fn commit(request: &[u8], out: &mut Vec<u8>) -> Result<bool> {
    let Ok(request) = std::str::from_utf8(request) else { return Ok(false) };
    let (word, argument) = request.split_once(':').unwrap_or((request, ""));
    let count = argument.parse::<usize>().ok();
    match (word, count) {
        ("trap", _) => trap(),
        ("panic", _) => panic!("as requested"),
        ("divide", _) => drop(black_box(black_box(1u32) / black_box(0u32))),
        ("index", _) => drop(black_box([1u8, 2][black_box(2)])),
        ("recurse", _) => drop(black_box(recurse(black_box(1)))),
        ("spin", _) => spin(),
        ("alloc", None) => allocate_without_end(),
        ("alloc", Some(bytes)) => drop(black_box(vec![1u8; bytes])),
        ("leak", Some(bytes)) => std::mem::forget(black_box(vec![1u8; bytes])),
        ("flood", None) => flood(out),
        ("flood", Some(bytes)) => out.resize(out.len() + bytes, b'x'),
        ("log", None) => log_lines(usize::MAX),
        ("log", Some(lines)) => log_lines(lines),
        ("log-long", Some(bytes)) => log::info!("{}", "x".repeat(bytes)),
        ("escape", _) => {
            log::error!("{ESCAPES}");
            return Err(Error::new(ESCAPES));
        }
        ("fail", _) => return Err(Error::new("failed as requested")),
        ("say", _) => return Err(Error::new(argument)),
        ("read", _) => read(argument)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// How many records the request `records:<count>` asks for.
pub fn records_to_emit(request: &[u8]) -> Option<usize> {
    std::str::from_utf8(request).ok()?.strip_prefix("records:")?.parse().ok()
}

/// How many `timers`, `items` of a list or `entries` of a map a request such as `timers:<count>` asks for.
pub fn to_keep(request: &[u8]) -> Option<(&str, i64)> {
    let (what, count) = std::str::from_utf8(request).ok()?.split_once(':')?;
    ["timers", "items", "entries"].contains(&what).then_some(())?;
    Some((what, count.parse().ok()?))
}

#[cfg(target_arch = "wasm32")]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() -> ! {
    panic!("trap")
}

fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    let frame = black_box([depth; 64]);
    black_box(recurse(black_box(depth + 1))) + frame[(depth % 64) as usize]
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

fn allocate_without_end() -> ! {
    loop {
        // Touched, so that it counts as used.
        std::mem::forget(black_box(vec![1u8; 1 << 20]));
    }
}

fn flood(out: &mut Vec<u8>) -> ! {
    loop {
        out.extend_from_slice(black_box(&[b'x'; 4096]));
    }
}

fn log_lines(lines: usize) {
    for line in 0..lines {
        log::info!("line {line}");
    }
}

/// Reads what there is no right to read.
fn read(what: &str) -> Result<()> {
    const FAR: u32 = 1 << 20;
    let entry = || weir_guest::bindings::weir::operator::types::Column { data: vec![1], ends: vec![1, 0, 0, 0] };
    match what {
        "list-key" => drop(black_box(collections::list_length(crate::VALUES, FAR))),
        "list-state" => drop(black_box(collections::list_length(FAR, 0))),
        "list-kind" => drop(black_box(collections::list_read(crate::COUNT, 0, 0, 1))),
        "map-key" => drop(black_box(collections::map_get(crate::BY_VALUE, FAR, &entry()))),
        "map-kind" => drop(black_box(collections::map_get(crate::VALUES, 0, &entry()))),
        "scan-key" => drop(black_box(collections::map_scan(crate::BY_VALUE, FAR, None, 1))),
        "broadcast" => drop(black_box(collections::broadcast_get(crate::BY_VALUE, &entry()))),
        _ => return Err(Error::new(format_args!("no such read: {what}"))),
    }
    Ok(())
}
