// Stands in for the engine while tests run: what `cartwright:plugin/…` imports is looked up in `host`, where a test puts
// what it needs. `node --import ./tests/host.js --test` loads it first.
import { register } from 'node:module';

export const host = {};
globalThis.cartwrightHost = host;

// Puts host functions in place: fresh({ state: { increment: () => 1 } }).
export function fresh(interfaces = {}) {
  for (const name of Object.keys(host)) delete host[name];
  Object.assign(host, { log: { emit() {} } }, interfaces);
}

register('./loader.js', import.meta.url);
