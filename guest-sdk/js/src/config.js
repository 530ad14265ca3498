// The job file's `config`, read as the operator declares it.

import { Failure } from './failure.js';
import { parseJson } from './json.js';
import { fieldsFromJson } from './types/compounds.js';
import { Misfit, Type } from './types/type.js';

/** The config of an operator as its author has it; none at all reads as an empty object. Fails with what is wrong. */
export function readConfig({ name, config: declared }, text) {
  const json = ['', 'null'].includes(text.trim()) ? {} : parseJson(text);
  try {
    return declared instanceof Type ? declared.fromJson(json) : fieldsFromJson(declared, json, 'the config');
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new Failure(`read the config of ${name}: ${error.message.replace(/^\./, '')}`);
  }
}
