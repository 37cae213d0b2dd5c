// A plugin for Cartwright: `describe` says what it offers, `handle` executes one call.
// The host functions it imports are described in wit/plugin.wit; it can use no others.
import { emit } from 'cartwright:plugin/log@1.0.0';
import { increment } from 'cartwright:plugin/state@1.0.0';

const MANIFEST = {
  name: '{{name}}',
  version: '0.1.0',
  description: 'Counts loyalty points of customers',
  functions: {
    award: {
      description: 'Gives one point for each whole unit of an order\'s total',
      input: {
        type: 'object',
        required: ['customer', 'total'],
        additionalProperties: false,
        properties: {
          customer: { type: 'string', minLength: 1, maxLength: 100 },
          total: { type: 'string', pattern: '^[0-9]{1,9}(\\.[0-9]{1,4})?$' },
        },
      },
      output: {
        type: 'object',
        required: ['points', 'balance'],
        properties: { points: { type: 'integer' }, balance: { type: 'integer' } },
      },
    },
  },
  // What a workflow has to grant: { http: ['api.example.com'], woo: ['orders.read'], … }; state and log need nothing.
  needs: {},
};

export function describe() {
  return JSON.stringify(MANIFEST);
}

export function handle(call) {
  if (call.function !== 'award') {
    throw { tag: 'invalid', val: `there is no function ${call.function}` };
  }
  return JSON.stringify(award(JSON.parse(call.input)));
}

// The input fits the schema: the engine has looked.
function award({ customer, total }) {
  const points = Number.parseInt(total, 10);
  const balance = increment(`points:${customer}`, points);
  emit('info', `${points} points, ${balance} in all`);
  return { points, balance };
}
