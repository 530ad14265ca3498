// The tools that a build needs, which the author's project has: esbuild and componentize-qjs.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** A build that cannot be, told by its message alone. */
export class BuildError extends Error {}

/** Loads a tool from the project of `entry`, from where the build runs, or from beside the SDK. */
export async function tool(name, entry) {
  const places = [path.resolve(entry), path.resolve('package.json'), import.meta.filename];
  for (const place of places) {
    const found = resolve(name, place);
    if (found !== undefined) return import(pathToFileURL(found));
  }
  throw new BuildError(`${name} is not installed, and a build needs it: npm install --save-dev esbuild componentize-qjs`);
}

function resolve(name, place) {
  try {
    return createRequire(place).resolve(name);
  } catch {
    return undefined;
  }
}
