// TextEncoder and TextDecoder, of UTF-8 alone, for packages that want them: QuickJS has neither.

import { decodeText, decodeTextLossy, encodeText } from '../utf8.js';

const LABELS = ['utf-8', 'utf8', 'unicode-1-1-utf-8'];

/** Text to UTF-8. */
export class TextEncoder {
  get encoding() {
    return 'utf-8';
  }

  encode(text = '') {
    return encodeText(String(text));
  }

  encodeInto(text, target) {
    let [read, written] = [0, 0];
    for (const character of text) {
      const bytes = encodeText(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      [read, written] = [read + character.length, written + bytes.length];
    }
    return { read, written };
  }
}

/** UTF-8 to text. */
export class TextDecoder {
  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    if (!LABELS.includes(label.trim().toLowerCase())) throw new RangeError(`the encoding ${label} is not there: utf-8 is`);
    Object.assign(this, { encoding: 'utf-8', fatal, ignoreBOM });
  }

  decode(given = new Uint8Array(0), { stream = false } = {}) {
    if (stream) throw new TypeError('a TextDecoder of the sandbox decodes no streams');
    const bytes = ArrayBuffer.isView(given) ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength) : new Uint8Array(given);
    const text = this.fatal ? fatally(bytes) : decodeTextLossy(bytes);
    return !this.ignoreBOM && text.startsWith('\ufeff') ? text.slice(1) : text;
  }
}

function fatally(bytes) {
  try {
    return decodeText(bytes);
  } catch (error) {
    throw new TypeError(error.message);
  }
}
