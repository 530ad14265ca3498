// Operators for weir: what an author imports. Types and documentation stand in `index.d.ts`.

export { operator } from './operator.js';
export { broadcast, from, list, map, value } from './state/declaration.js';
export { bool, bytes, f32, f64, i16, i32, i64, i8, json, raw, string, u16, u32, u64, u8, unit } from './types/scalars.js';
export { listOf, mapOf, option, record, setting, tuple, variant } from './types/compounds.js';
export { Failure } from './failure.js';
export { log } from './log.js';
export { CsvColumns } from './csv.js';
export { decodeText, decodeTextLossy, encodeText } from './utf8.js';
