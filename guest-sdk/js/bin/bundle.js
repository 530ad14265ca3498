// The author's module, the packages that it imports and the SDK become one module, with what is native refused by name.

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { refuseNative } from './native.js';
import { lineTable } from './source_lines.js';
import { BuildError, tool } from './tools.js';

const SDK = fileURLToPath(new URL('../src/', import.meta.url));

/** The bundle of the operator that the module `entry` exports, with the table of its lines, which stands at its end as well. */
export async function bundle(entry) {
  const esbuild = await tool('esbuild', entry);
  const root = process.cwd();
  const { outputFiles, warnings } = await esbuild.build({
    stdin: { contents: entryOf(path.resolve(entry)), resolveDir: root, sourcefile: 'weir-entry.js' },
    absWorkingDir: root,
    outfile: path.resolve('weir-bundle.js'),
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['import'],
    target: 'es2023',
    external: ['weir:*'],
    sourcemap: 'external',
    charset: 'utf8',
    logLevel: 'silent',
    plugins: [refuseNative(), sdkFromHere()],
  }).catch((error) => {
    throw new BuildError(errorsOf(error));
  });
  for (const { text, location } of warnings.filter(({ id }) => id !== 'import-is-undefined')) process.stderr.write(`warning: ${placeOf(location)}${text}\n`);
  const [code, map] = ['.js', '.js.map'].map((end) => outputFiles.find((file) => file.path.endsWith(end)).text);
  const table = lineTable(JSON.parse(map), (source) => isOurs(path.resolve(source)));
  return { source: `${code}\nglobalThis.__weirLines = ${JSON.stringify(table)};\n`, table };
}

function entryOf(entry) {
  return `
import ${JSON.stringify(path.join(SDK, 'sandbox/prelude.js'))};
import * as collections from 'weir:operator/collections@0.2.0';
import * as logging from 'weir:operator/logging@0.2.0';
import { guestOf } from ${JSON.stringify(path.join(SDK, 'component.js'))};
import * as author from ${JSON.stringify(entry)};
export const guest = guestOf(author['default'], { collections, logging });
`;
}

/** The author's `weir-guest` is this one, so that there is one only. */
function sdkFromHere() {
  return {
    name: 'weir-guest',
    setup: (build) => build.onResolve({ filter: /^weir-guest$/ }, () => ({ path: path.join(SDK, 'index.js') })),
  };
}

function isOurs(source) {
  return source.startsWith(SDK) || source.endsWith('weir-entry.js');
}

function errorsOf(error) {
  if (error.errors === undefined) return error.message;
  // What a native package imports besides is no news.
  const native = error.errors.filter(({ text }) => text.startsWith('the package '));
  const told = native.length > 0 ? native : error.errors;
  return [...new Set(told.map(({ text, location }) => `${placeOf(location)}${text}`))].join('\n');
}

function placeOf(location) {
  return location ? `${location.file}:${location.line}: ` : '';
}
