// The examples of the author's page load, and those that are operators are well-formed.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';

const root = path.resolve(import.meta.dirname, '..');
const page = await readFile(path.join(root, 'README.md'), 'utf8');
const examples = [...page.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);

test('the examples of the page load', async () => {
  assert.ok(examples.length >= 5);
  const folder = await mkdtemp(path.join(root, 'test', 'page-'));
  try {
    for (const [number, code] of examples.entries()) {
      const file = path.join(folder, `example_${number}.mjs`);
      await writeFile(file, code);
      const module = await import(pathToFileURL(file));
      if (code.includes('export default')) assert.equal(typeof module.default.describe().name, 'string');
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
