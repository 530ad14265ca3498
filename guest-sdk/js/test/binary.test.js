// Bytes, binary strings and text.

import assert from 'node:assert/strict';
import test from 'node:test';
import { binaryOf, bytesOf, isAscii, textOf, utf8Of } from '../src/binary.js';
import { decodeText, decodeTextLossy, encodeText } from '../src/utf8.js';

test('bytes of every value and length come back', () => {
  for (const length of [0, 1, 2, 3, 255, 256, 3 << 16, (3 << 16) + 1]) {
    const bytes = Uint8Array.from({ length }, (_, index) => index);
    assert.deepEqual(bytesOf(binaryOf(bytes)), bytes);
  }
});

test('a byte above 127 is seen wherever it stands', () => {
  for (let length = 1; length < 150; length++) {
    for (let offset = 0; offset < 5; offset++) {
      const bytes = new Uint8Array(length + offset).fill(97).subarray(offset);
      assert.equal(isAscii(bytes), true);
      for (let place = 0; place < length; place++) {
        bytes[place] = 0x80;
        assert.equal(isAscii(bytes), false, `${place} of ${length} at ${offset}`);
        bytes[place] = 97;
      }
    }
  }
});

test('text is UTF-8 as Node has it', () => {
  for (const text of ['', 'abc', 'zażółć', '日本', '🦀 crab', '\u0000\u007f\u0080\u07ff\u0800\uffff', 'a'.repeat(70_000) + '🦀'.repeat(70_000)]) {
    assert.deepEqual(Buffer.from(encodeText(text)), Buffer.from(text));
    assert.equal(decodeText(encodeText(text)), text);
  }
  assert.deepEqual(encodeText('a\ud800b'), encodeText('a\ufffdb'));
});

test('what is no UTF-8 is refused, and replaced as the web has it', () => {
  const decoder = new TextDecoder();
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [97, 0xf0, 0x9f, 0xa6, 98], [0x80, 0x80], [0xe0, 0x80, 0x80]]) {
    assert.throws(() => decodeText(Uint8Array.from(bytes)), /not UTF-8: invalid utf-8 after/);
    assert.equal(decodeTextLossy(Uint8Array.from(bytes)), decoder.decode(Uint8Array.from(bytes)), String(bytes));
  }
});

test('a text that is converted piece by piece is cut between characters', () => {
  for (const shift of ['', 'a', 'ab', 'abc']) {
    const text = shift + '日🦀'.repeat(60_000);
    assert.equal(textOf(utf8Of(text)), text);
  }
});
