// Address normaliser: writes an order's address as its country's post wants it, says what it changed, and warns of what
// cannot be right. It makes nothing up: what is missing stays missing. Rules and sources stand in README.md.
import { emit } from 'cartwright:plugin/log@1.0.0';

import { normalised } from './address.js';
import { COUNTRIES } from './countries.js';

const text = { type: 'string', maxLength: 500 };
const FIELDS = ['first_name', 'last_name', 'company', 'address_1', 'address_2', 'city', 'state', 'postcode', 'country', 'email', 'phone'];
const address = { type: 'object', properties: Object.fromEntries(FIELDS.map((name) => [name, text])) };
const MANIFEST = {
  name: 'address-normaliser',
  version: '0.1.0',
  description: `Writes addresses as posts want them, for ${Object.keys(COUNTRIES).length} countries`,
  functions: {
    normalise: {
      description: 'Normalises one address as WooCommerce keeps it',
      input: { type: 'object', required: ['address'], additionalProperties: false, properties: { address } },
      output: {
        type: 'object',
        required: ['address', 'changes', 'warnings'],
        properties: {
          address,
          changes: {
            type: 'array',
            items: {
              type: 'object',
              required: ['field', 'from', 'to'],
              properties: { field: { enum: FIELDS }, from: text, to: text },
            },
          },
          warnings: {
            type: 'array',
            items: {
              type: 'object',
              required: ['field', 'problem'],
              properties: { field: { enum: FIELDS }, problem: { type: 'string' } },
            },
          },
        },
      },
    },
  },
  needs: {},
};

export function describe() {
  return JSON.stringify(MANIFEST);
}

export function handle(call) {
  if (call.function !== 'normalise') {
    throw { tag: 'invalid', val: `there is no function ${call.function}` };
  }
  const done = normalised(JSON.parse(call.input).address);
  emit('info', `${done.changes.length} changes, ${done.warnings.length} warnings`);
  return JSON.stringify(done);
}
