import assert from 'node:assert/strict';
import { test } from 'node:test';

import { COUNTRIES } from '../countries.js';
import { describe, handle } from '../plugin.js';
import { fresh } from './host.js';

const FULL = {
  first_name: 'Ada', last_name: 'Lovelace', company: '', address_1: '1 High St', address_2: '', city: 'Exampleton',
  state: '', postcode: '', country: '', email: '', phone: '',
};

function normalise(given) {
  fresh();
  const input = JSON.stringify({ address: { ...FULL, ...given } });
  return JSON.parse(handle({ function: 'normalise', input, workflow: 'w', run: 'r', step: 's' }));
}

const field = (name, given) => normalise(given).address[name];
const warnings = (given) => normalise(given).warnings.map(({ field, problem }) => `${field}: ${problem}`);

test('a complete address becomes what its post wants, with every change named', () => {
  const given = {
    first_name: 'MARIA', last_name: "O'NEILL", address_1: '  1600  PENNSYLVANIA AVENUE NW,', address_2: 'apartment 4b',
    city: 'WASHINGTON', state: 'd.c.', postcode: '205000003', country: 'us', email: 'M.Oneill@EXAMPLE.com', phone: '(202) 456-1111',
  };
  const done = normalise(given);
  assert.deepEqual(done.address, {
    ...FULL, first_name: 'Maria', last_name: "O'Neill", address_1: '1600 Pennsylvania Ave NW', address_2: 'Apt 4B',
    city: 'Washington', state: 'DC', postcode: '20500-0003', country: 'US', email: 'M.Oneill@example.com', phone: '+12024561111',
  });
  assert.deepEqual(done.warnings, []);
  assert.deepEqual(done.changes.find((change) => change.field === 'state'), { field: 'state', from: 'd.c.', to: 'DC' });
  assert.equal(done.changes.length, 10);
});

test('what is right already stays, and doing it twice changes nothing', () => {
  const once = normalise({ country: 'NL', city: 'Amsterdam', postcode: '1012nx', phone: '020 624 1111' });
  const twice = normalise(once.address);
  assert.deepEqual(twice.address, once.address);
  assert.deepEqual(twice.changes, []);
});

test('postcodes of every country', () => {
  for (const [country, given, expected] of [
    ['AT', 'A-1010', '1010'], ['AU', '2000', '2000'], ['BE', 'B-1000', '1000'], ['CA', 'k1a0b1', 'K1A 0B1'],
    ['CH', 'CH-8001', '8001'], ['CZ', '11000', '110 00'], ['DE', 'D-10115', '10115'], ['DK', 'DK-1050', '1050'],
    ['ES', '28013', '28013'], ['FI', 'FI-00100', '00100'], ['FR', 'F-75008', '75008'], ['GB', 'sw1a1aa', 'SW1A 1AA'],
    ['GB', 'M11AE', 'M1 1AE'], ['GB', 'EC1A1BB', 'EC1A 1BB'], ['GB', 'dn551pt', 'DN55 1PT'], ['GB', 'gir0aa', 'GIR 0AA'],
    ['IE', 'd6wxy00', 'D6W XY00'], ['IE', 'A65 F4E2', 'A65 F4E2'], ['IT', 'I-00184', '00184'], ['NL', '1012 nx', '1012 NX'],
    ['NO', '0150', '0150'], ['PL', '00950', '00-950'], ['PT', '1000205', '1000-205'], ['SE', 'SE-11455', '114 55'],
    ['US', '20500', '20500'], ['US', '20500 0003', '20500-0003'],
  ]) {
    assert.equal(field('postcode', { country, postcode: given }), expected, `${country} ${given}`);
    assert.ok(!warnings({ country, postcode: given }).some((one) => one.includes('no postcode')), `${country} ${given}`);
  }
});

test('what is no postcode stays and is told', () => {
  for (const [country, given] of [
    ['AT', '0123'], ['CA', 'D1A 0B1'], ['CZ', '812 00'], ['DE', '1011'], ['DE', '00115'], ['ES', '53000'], ['FR', '7500'], ['GB', 'Q1 1AA'],
    ['GB', 'SW1A 1A'], ['IE', 'B12 3456'], ['NL', '0012 AB'], ['NL', '1012 SS'], ['PL', '1234'], ['PT', '1000'], ['US', '1234'],
  ]) {
    assert.equal(field('postcode', { country, postcode: given }), given);
    assert.ok(warnings({ country, postcode: given }).includes(`postcode: '${given}' is no postcode of ${country}`), given);
  }
});

test('states and provinces become their codes', () => {
  for (const [country, given, expected] of [
    ['US', 'new york', 'NY'], ['US', 'Calif', 'Calif'], ['CA', 'Québec', 'QC'], ['CA', 'on', 'ON'], ['AU', 'Queensland', 'QLD'], ['IT', 'rm', 'RM'],
  ]) assert.equal(field('state', { country, state: given }), expected);
  assert.ok(warnings({ country: 'US', state: 'Calif' }).includes("state: US has no 'Calif'"));
  assert.ok(warnings({ country: 'US', state: 'constructor' }).includes("state: US has no 'constructor'"));
});

test('a Canadian postcode and its province are held against each other', () => {
  assert.ok(warnings({ country: 'CA', state: 'BC', postcode: 'K1A 0B1' }).includes('postcode: K1A 0B1 is not in BC'));
  assert.ok(!warnings({ country: 'CA', state: 'NU', postcode: 'X0A 0H0' }).some((one) => one.includes('not in')));
});

test('phones become international where that is certain', () => {
  for (const [country, given, expected] of [
    ['DE', '030 / 123 456', '+4930123456'], ['DE', '+49 (0)30 123456', '+4930123456'], ['DE', '0049 30 123456', '+4930123456'],
    ['GB', '020 7946 0958', '+442079460958'], ['FR', '01.23.45.67.89', '+33123456789'], ['IT', '06 6982', '+39066982'],
    ['US', '1-202-456-1111', '+12024561111'], ['US', '+44 20 7946 0958', '+442079460958'], ['NO', '22 12 34 56', '+4722123456'],
    ['SE', '08-123 456 78', '+46812345678'], ['JP', '+81 3-1234-5678', '+81312345678'],
  ]) assert.equal(field('phone', { country, phone: given }), expected, given);
});

test('phones that cannot be right stay and are told', () => {
  for (const [country, given, problem] of [
    ['US', '123', "has 3 digits after the country's number, 10 are possible"],
    ['US', '123 456 7890', 'is no number of the North American plan'],
    ['US', '202-456-1111 ext. 5', 'has an extension, which E.164 cannot hold'],
    ['DE', 'call me', 'has other characters than digits'],
    ['DE', '030+12', 'has a + inside'],
    ['JP', '03-1234-5678', 'cannot be completed: its country is not known here'],
    ['DE', '+1234', 'has 4 digits'],
  ]) {
    assert.equal(field('phone', { country, phone: given }), given);
    assert.ok(warnings({ country, phone: given }).includes(`phone: ${problem}; it stays as it is`), given);
  }
});

test('capitals and small letters are mended, mixed ones were meant so', () => {
  for (const [given, expected] of [
    ['VAN DER BERG', 'Van der Berg'], ['jean-pierre', 'Jean-Pierre'], ['McDonald', 'McDonald'], ['DE', 'DE'], ['éva', 'Éva'],
    ['ÖZGÜR', 'Özgür'], ["D'ANGELO", "D'Angelo"], ['李小龍', '李小龍'],
  ]) assert.equal(field('last_name', { last_name: given }), expected);
  assert.equal(field('city', { country: 'DE', city: 'frankfurt am main' }), 'Frankfurt am Main');
  assert.equal(field('city', { country: 'GB', city: 'Stratford-upon-Avon' }), 'STRATFORD-UPON-AVON');
  assert.equal(field('address_1', { country: 'DE', address_1: 'HAUPTSTRASSE 12A' }), 'Hauptstrasse 12A');
});

test('US streets are abbreviated at their end only', () => {
  for (const [given, expected] of [
    ['100 Main Street', '100 Main St'], ['1290 Avenue of the Americas', '1290 Avenue of the Americas'],
    ['12 Court Street Suite 5', '12 Court St Ste 5'], ['5 Park Avenue S', '5 Park Ave S'], ['PO BOX 12', 'PO Box 12'],
    ['221 5TH AVENUE', '221 5th Ave'], ['9 Street', '9 Street'],
  ]) assert.equal(field('address_1', { country: 'US', address_1: given }), expected);
  assert.equal(field('address_1', { country: 'CA', address_1: '100 Main Street' }), '100 Main Street');
});

test('nothing is made up', () => {
  const done = normalise({ country: 'US', city: '', state: '', postcode: '', last_name: '', first_name: '', address_1: 'Main' });
  assert.deepEqual(done.changes, []);
  assert.deepEqual(done.warnings.map(({ field }) => field), ['city', 'postcode', 'state', 'last_name', 'address_1']);
  assert.ok(warnings({ country: 'ZZ' }).includes('country: ZZ is not among the countries known here; postcode and phone were not checked'));
  assert.ok(warnings({ country: 'Germany' }).includes("country: 'Germany' is no two-letter code"));
});

test('invisible characters and strange input do no harm', () => {
  assert.equal(field('city', { city: '\u200bPar\u00a0is\ufeff ,' }), 'Par is');
  const empty = JSON.parse(handle({ function: 'normalise', input: '{"address":{}}', workflow: 'w', run: 'r', step: 's' }));
  assert.deepEqual(empty.address, {});
  assert.throws(() => handle({ function: 'other', input: '{}' }), { tag: 'invalid', val: 'there is no function other' });
});

test('every country says how its numbers are dialled', () => {
  for (const [code, country] of Object.entries(COUNTRIES)) {
    assert.match(code, /^[A-Z]{2}$/);
    assert.ok(country.calling && country.digits[0] <= country.digits[1] && typeof country.trunk === 'string', code);
  }
  assert.equal(JSON.parse(describe()).name, 'address-normaliser');
});
