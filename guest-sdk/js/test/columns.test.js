// Columns, read and written.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Column, hasNumber, u32sOf } from '../src/columns.js';
import { ColumnWriter, columnOf, S64Writer } from '../src/column_writer.js';

function check(items) {
  const writer = new ColumnWriter();
  for (const item of items) writer.push(item);
  const column = new Column(writer.finish());
  assert.equal(column.count, items.length);
  items.forEach((item, index) => assert.deepEqual(Buffer.from(column.item(index)), Buffer.from(item)));
  return column;
}

test('texts and bytes come back as they were pushed', () => {
  check([]);
  check(['a', '', 'bcd']);
  check(['a', Uint8Array.of(0xff, 0), 'é', 'z', Uint8Array.of(), '日本', '']);
  check(Array.from({ length: 3000 }, (_, index) => 'x'.repeat(index % 7)));
  check(['x'.repeat(300_000), 'é'.repeat(300_000), 'Ā']);
});

test('a column is text where it is UTF-8', () => {
  const column = check(['plain', 'zażółć', Uint8Array.of(0xff)]);
  assert.equal(column.text(1, 'the value'), 'zażółć');
  assert.equal(column.text(0, 'the value'), 'plain');
  assert.throws(() => column.text(2, 'the value'), /the value is not UTF-8/);
  assert.equal(check(['plain', 'text']).text(1, 'it'), 'text');
});

test('numbers may stand anywhere in memory', () => {
  const bytes = Uint8Array.of(9, 1, 0, 0, 0, 255, 255, 255, 255).subarray(1);
  assert.deepEqual([...u32sOf(bytes)], [1, 0xffffffff]);
  const writer = new S64Writer();
  for (let number = -50n; number < 50n; number++) writer.push(number);
  assert.equal(writer.finish().length, 800);
});

test('binary strings make a column', () => {
  const column = new Column(columnOf(['\xa1', '', '\x00\xff']));
  assert.deepEqual([0, 1, 2].map((index) => column.binary(index)), ['\xa1', '', '\x00\xff']);
});

test('a number is found in an ascending list', () => {
  for (let number = 0; number < 12; number++) assert.equal(hasNumber([1, 3, 4, 9], number), [1, 3, 4, 9].includes(number));
});
