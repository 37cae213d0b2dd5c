import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describe, handle } from '../plugin.js';
import { fresh } from './host.js';

const call = (input, name = 'award') =>
  JSON.parse(handle({ function: name, input: JSON.stringify(input), workflow: 'w', run: 'r', step: 's' }));

test('whole units become points that add up for each customer', () => {
  const kept = new Map();
  const increment = (key, by) => kept.set(key, (kept.get(key) ?? 0) + by).get(key);
  fresh({ state: { increment } });
  assert.deepEqual(call({ customer: 'ada', total: '49.90' }), { points: 49, balance: 49 });
  assert.deepEqual(call({ customer: 'ada', total: '10' }), { points: 10, balance: 59 });
  assert.deepEqual(call({ customer: 'grace', total: '0.99' }), { points: 0, balance: 0 });
});

test('an unknown function is refused', () => {
  fresh();
  assert.throws(() => call({}, 'other'), { tag: 'invalid', val: 'there is no function other' });
});

test('the manifest names what handle knows', () => {
  const manifest = JSON.parse(describe());
  assert.equal(manifest.name, '{{name}}');
  assert.deepEqual(Object.keys(manifest.functions), ['award']);
});
