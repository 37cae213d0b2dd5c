// Means harm, in the ways that an interpreted language can; see ../expected.txt.
import { emit } from 'cartwright:plugin/log@1.0.0';
import { increment } from 'cartwright:plugin/state@1.0.0';
import { send } from 'cartwright:plugin/http@1.0.0';

const attacks = {
  loop() { for (;;); },
  recursion() { const deeper = (n) => 1 + deeper(n + 1); return deeper(0); },
  memory() { const kept = []; for (;;) kept.push(new Uint8Array(1 << 20).fill(1)); },
  string() { let text = 'x'; for (;;) text += text; },
  'many-calls'() { for (let i = 0; i < 1e6; i += 1) emit('info', 'flood'); },
  throw() { throw new Error('boom'); },
  'throw-variant'() { throw { tag: 'rate-limited', val: 1500n }; },
  'throw-number'() { throw { tag: 'rate-limited', val: 1500 }; },
  'throw-text'() { throw { tag: 'invalid', val: 'as it should be' }; },
  'big-integer'() { return { sum: String(increment('k', 5n)) }; },
  counts() { const sum = increment('k', 5); return { sum, type: typeof sum }; },
  'throw-nonsense'() { throw { tag: 'no-such-case', val: 1 }; },
  'not-granted'() {
    return send({ method: 'GET', url: 'http://169.254.169.254/', headers: [], expect: [] });
  },
  'not-json'() { return Symbol('not JSON'); },
};

export function describe() {
  const functions = Object.fromEntries([...Object.keys(attacks), 'again'].map((name) => [name, {}]));
  return JSON.stringify({ name: 'hostile-js', version: '1.0.0', description: 'Means harm', functions, needs: {} });
}

export function handle(call) {
  const attack = attacks[call.function];
  if (!attack) return JSON.stringify({ visits: globalThis.visits = (globalThis.visits ?? 0) + 1 });
  const given = attack();
  return typeof given === 'symbol' ? "{'no': json}" : JSON.stringify(given ?? null);
}
