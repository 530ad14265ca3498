#!/usr/bin/env node
// The command line: `weir-guest build ENTRY [-o FILE]` makes a component of an author's module.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.js';
import { componentize } from './componentize.js';
import { BuildError } from './tools.js';

const USAGE = `Makes a component of an operator.

Usage: weir-guest build ENTRY [-o FILE] [--bundle FILE]

  ENTRY          The module, in JavaScript or TypeScript, whose default export is the operator
  -o, --output   The component; the entry's name with .wasm where it is not said
  --bundle       Where to leave the bundle that the component was made of, to look at
`;

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { output: { type: 'string', short: 'o' }, bundle: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  const [command, entry, ...others] = positionals;
  if (values.help) return void process.stdout.write(USAGE);
  if (command !== 'build' || entry === undefined || others.length > 0) throw new BuildError(USAGE);
  const output = values.output ?? `${path.basename(entry, path.extname(entry)).replaceAll('-', '_')}.wasm`;
  const bundled = await bundle(entry);
  if (values.bundle !== undefined) await writeFile(values.bundle, bundled.source);
  const component = await componentize(bundled, entry);
  await mkdir(path.dirname(path.resolve(output)), { recursive: true });
  await writeFile(output, component);
  process.stderr.write(`${output}: ${component.length} bytes, of which ${bundled.source.length} bytes are the bundle\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof BuildError || error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
