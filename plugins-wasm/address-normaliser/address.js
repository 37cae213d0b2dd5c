// One address, field by field: each rule gives a new value or a warning, and every change is kept.
import { COUNTRIES } from './countries.js';
import { international } from './phone.js';
import { abbreviated, tidy, titled, unit } from './words.js';

const NAMES = ['first_name', 'last_name'];

export function normalised(given) {
  const address = { ...given };
  const warnings = [];
  const warn = (field, problem) => warnings.push({ field, problem });
  for (const [field, value] of Object.entries(address)) {
    if (typeof value === 'string') address[field] = tidy(value);
  }
  // Fields that are absent or no texts stay as they are.
  const change = (field, rule) => {
    if (typeof address[field] === 'string' && address[field] !== '') address[field] = rule(address[field]);
  };
  for (const field of NAMES) change(field, titled);
  change('email', lowerDomain);
  change('country', (code) => countryCode(code, warn));
  const country = COUNTRIES[address.country];
  streets(address, change);
  change('city', (city) => (country?.capitals ? city.toUpperCase() : titled(city)));
  states(address, country, change, warn);
  postcodes(address, country, change, warn);
  change('phone', (phone) => phoneOf(phone, country, warn));
  wanted(address, country, warn);
  return { address, changes: changes(given, address), warnings };
}

function countryCode(code, warn) {
  const upper = code.toUpperCase();
  if (!/^[A-Z]{2}$/.test(upper)) warn('country', `'${code}' is no two-letter code`);
  else if (upper === 'UK') return 'GB';
  return /^[A-Z]{2}$/.test(upper) ? upper : code;
}

function streets(address, change) {
  const isUs = address.country === 'US';
  change('address_1', (line) => (isUs ? abbreviated(titled(line)) : titled(line)));
  change('address_2', (line) => (isUs ? unit(titled(line)) : titled(line)));
}

function states(address, country, change, warn) {
  if (!country?.states) return change('state', (state) => (/^[a-z]{1,3}$/.test(state) ? state.toUpperCase() : state));
  change('state', (state) => {
    const bare = state.replace(/\./g, '').toUpperCase();
    if (Object.hasOwn(country.states, bare)) return bare;
    const plainly = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
    const found = Object.entries(country.states).find(([, name]) => plainly(name) === plainly(state));
    if (found) return found[0];
    warn('state', `${address.country} has no '${state}'`);
    return state;
  });
}

function postcodes(address, country, change, warn) {
  change('postcode', (code) => {
    const upper = code.toUpperCase();
    if (!country) return upper;
    const bare = upper.replace(country.prefix ?? /^/, '').replace(/[\s\-–.]/g, '');
    if (!country.postcode.test(bare)) {
      warn('postcode', `'${code}' is no postcode of ${address.country}`);
      return code;
    }
    if (country.fits && address.state && Object.hasOwn(country.states, address.state) && !country.fits(bare, address.state)) {
      warn('postcode', `${country.write(bare)} is not in ${address.state}`);
    }
    return country.write(bare);
  });
}

function phoneOf(phone, country, warn) {
  const { number, problem } = international(phone, country);
  if (problem) warn('phone', `${problem}; it stays as it is`);
  return number ?? phone;
}

// What a carrier cannot do without; nothing is filled in.
function wanted(address, country, warn) {
  const fields = ['address_1', 'city', 'country', ...(country ? ['postcode'] : []), ...(country?.needsState ? ['state'] : [])];
  for (const field of fields) {
    if (!address[field]) warn(field, 'is missing');
  }
  if (!address.company && !NAMES.some((field) => address[field])) warn('last_name', 'is missing, and so is a company');
  if (address.address_1 && !/\p{N}/u.test(`${address.address_1} ${address.address_2 ?? ''}`)) {
    warn('address_1', 'has no house number');
  }
  if (address.country && !country && /^[A-Z]{2}$/.test(address.country)) {
    warn('country', `${address.country} is not among the countries known here; postcode and phone were not checked`);
  }
}

// Only a mail address's domain is without case.
function lowerDomain(mail) {
  const at = mail.lastIndexOf('@');
  return at < 0 ? mail : mail.slice(0, at) + mail.slice(at).toLowerCase();
}

function changes(given, address) {
  return Object.keys(address)
    .filter((field) => given[field] !== address[field])
    .map((field) => ({ field, from: given[field], to: address[field] }));
}
