// What a build makes of source maps, and which packages it refuses.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { refuseNative } from '../bin/native.js';
import { lineTable, numbersOf } from '../bin/source_lines.js';

test('numbers of a source map are read', () => {
  assert.deepEqual(numbersOf('AAAA'), [0, 0, 0, 0]);
  assert.deepEqual(numbersOf('gBAhB2D'), [16, 0, -16, 59]);
});

test('each line of a bundle has its source, but for the SDK’s own', () => {
  const map = { sources: ['sdk.js', 'mine.ts'], mappings: 'AAAA;ACCA,IAAI;;AAEA;ADFA' };
  assert.deepEqual(lineTable(map, (source) => source === 'sdk.js').lines, [0, [1, 2], 0, [1, 4], 0]);
});

/** What the plugin says of an import, as esbuild would ask it; `installed` are packages that are found. */
async function saysOfImport(name, installed = []) {
  const resolvers = [];
  const resolve = async (path) => ({ path, errors: installed.includes(path) ? [] : [{ text: 'not found' }] });
  refuseNative().setup({ onResolve: ({ filter }, resolver) => resolvers.push([filter, resolver]), onLoad() {}, resolve });
  for (const [, resolver] of resolvers.filter(([filter]) => filter.test(name))) {
    const said = await resolver({ path: name, importer: path.resolve('operator.js') });
    if (said !== undefined) return said.errors?.map(({ text }) => text).join() ?? '';
  }
  return '';
}

test('what is a part of Node is refused by its name and its importer, unless a package stands in for it', async () => {
  const refused = 'which the sandbox does not have (imported by operator.js)';
  assert.equal(await saysOfImport('node:fs'), `node:fs is a part of Node, ${refused}`);
  assert.equal(await saysOfImport('net'), `net is a part of Node, ${refused}`);
  assert.equal(await saysOfImport('./x.node'), `./x.node is an add-on of Node, ${refused}`);
  assert.equal(await saysOfImport('events', ['events']), '');
  assert.equal(await saysOfImport('lodash'), '');
});

test('packages that are native are refused by their names', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'weir-guest-test-'));
  let load;
  refuseNative().setup({ onResolve() {}, onLoad: (_, loader) => (load = loader) });
  const says = async (name, described, files = []) => {
    const root = path.join(folder, 'node_modules', name);
    await mkdir(root, { recursive: true });
    await writeFile(path.join(root, 'package.json'), JSON.stringify({ name, ...described }));
    for (const file of files) await writeFile(path.join(root, file), '');
    return (await load({ path: path.join(root, 'index.js') }))?.errors[0].text;
  };
  try {
    const natives = [
      ['has-gyp', { gypfile: true }],
      ['has-binding', {}, ['binding.gyp']],
      ['has-prebuilds', {}, ['prebuilds']],
      ['has-loader', { dependencies: { 'node-gyp-build': '4' } }],
      ['@scope/has-parts', { optionalDependencies: { '@scope/has-parts-linux-x64': '1' } }],
    ];
    for (const [name, ...described] of natives) assert.match(await says(name, ...described), new RegExp(`^the package ${name} is native`));
    assert.equal(await says('pure', { dependencies: { lodash: '4' } }), undefined);
  } finally {
    await rm(folder, { recursive: true });
  }
});
