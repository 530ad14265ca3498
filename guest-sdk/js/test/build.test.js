// What a build makes of source maps, and which packages it refuses.

import assert from 'node:assert/strict';
import test from 'node:test';
import { lineTable, numbersOf } from '../bin/source_lines.js';

test('numbers of a source map are read', () => {
  assert.deepEqual(numbersOf('AAAA'), [0, 0, 0, 0]);
  assert.deepEqual(numbersOf('gBAhB2D'), [16, 0, -16, 59]);
});

test('each line of a bundle has its source, but for the SDK’s own', () => {
  const map = { sources: ['sdk.js', 'mine.ts'], mappings: 'AAAA;ACCA,IAAI;;AAEA;ADFA' };
  assert.deepEqual(lineTable(map, (source) => source === 'sdk.js').lines, [0, [1, 2], 0, [1, 4], 0]);
});
