// What a sandbox cannot have is refused where it is imported, by its name and its importer: add-ons of Node, and Node's own modules.

import { access, readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import path from 'node:path';

/** Packages that find or build an add-on: who depends on one has one. */
const LOADERS = ['bindings', 'node-gyp-build', 'node-pre-gyp', '@mapbox/node-pre-gyp', 'prebuild-install', 'node-addon-api', 'nan'];
/** The names of packages that are an add-on for one platform. */
const PLATFORM = /(linux|darwin|win32)[-_.](x64|arm64|ia32)/;

/** The plugin of esbuild that refuses them. */
export function refuseNative() {
  return {
    name: 'weir-native',
    setup(build) {
      build.onResolve({ filter: /\.node$/ }, ({ path: name, importer }) => refused(`${name} is an add-on of Node`, importer));
      build.onResolve({ filter: /^node:/ }, ({ path: name, importer }) => refused(`${name} is a part of Node`, importer));
      // A package may stand in for a part of Node, as those called buffer, events and util do: so what is installed comes first.
      build.onResolve({ filter: /^[a-z][\w/]*$/ }, async ({ path: name, importer, pluginData, ...others }) => {
        if (!isBuiltin(name) || pluginData === 'tried') return undefined;
        const found = await build.resolve(name, { ...others, importer, pluginData: 'tried' });
        return found.errors.length === 0 ? found : refused(`${name} is a part of Node`, importer);
      });
      build.onLoad({ filter: /[\\/]node_modules[\\/]/ }, async ({ path: file }) => {
        const found = await nativePackage(file);
        return found === undefined ? undefined : { errors: [{ text: `the package ${found} is native: it needs an add-on of Node, which the sandbox does not have; packages that are JavaScript alone can be bundled` }] };
      });
    },
  };
}

function refused(what, importer) {
  return { errors: [{ text: `${what}, which the sandbox does not have (imported by ${path.relative(process.cwd(), importer)})` }] };
}

const known = new Map();

/** The name of the package that a file is of, where it is native. */
async function nativePackage(file) {
  const [, root] = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(file) ?? [];
  if (root === undefined) return undefined;
  if (!known.has(root)) known.set(root, await isNative(root));
  return known.get(root);
}

async function isNative(root) {
  const { name, gypfile, binary, dependencies = {}, optionalDependencies = {} } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  const has = (file) => access(path.join(root, file)).then(() => true, () => false);
  const byParts = LOADERS.some((loader) => loader in dependencies) || Object.keys(optionalDependencies).some((part) => PLATFORM.test(part));
  return gypfile || binary || byParts || (await has('binding.gyp')) || (await has('prebuilds')) ? name : undefined;
}
