// A bundle becomes a component: QuickJS with the loaded module in its memory, and no imports but the world's.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inSource } from '../src/failure.js';
import { BuildError, tool } from './tools.js';

const WIT = fileURLToPath(new URL('../wit/operator.wit', import.meta.url));

/** The component of a bundle. */
export async function componentize({ source, table }, entry) {
  const { componentize } = await tool('componentize-qjs', entry);
  const directory = await mkdtemp(path.join(tmpdir(), 'weir-guest-'));
  try {
    const jsPath = path.join(directory, 'operator.js');
    await writeFile(jsPath, source);
    const { component } = await componentize({ witPath: WIT, world: 'operator', jsSource: source, jsPath, stubWasi: true, sync: true });
    return component;
  } catch (error) {
    throw new BuildError(`${entry} does not load: ${told(error.message, table)}`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What QuickJS says, with the author's lines in place of the bundle's. */
function told(message, table) {
  globalThis.__weirLines = table;
  const [text, ...stack] = message.trim().replace(/^[^]*evaluation: /, '').split('\n');
  return [text, ...stack.map((line) => (/^\s+at /.test(line) ? inSource(line) : line)).filter((line) => line !== undefined)].join('\n');
}
