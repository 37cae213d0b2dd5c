// Words of addresses: spaces, capitals, abbreviations.

// USPS Publication 28: the standard abbreviation of what streets and directions are called, where it ends a US street.
const US_SUFFIXES = {
  ALLEY: 'Aly', AVENUE: 'Ave', AVENU: 'Ave', AV: 'Ave', BOULEVARD: 'Blvd', BOULV: 'Blvd', CIRCLE: 'Cir', COURT: 'Ct',
  CRESCENT: 'Cres', DRIVE: 'Dr', DRV: 'Dr', EXPRESSWAY: 'Expy', FREEWAY: 'Fwy', HEIGHTS: 'Hts', HIGHWAY: 'Hwy', LANE: 'Ln',
  PARKWAY: 'Pkwy', PKY: 'Pkwy', PLACE: 'Pl', PLAZA: 'Plz', ROAD: 'Rd', SQUARE: 'Sq', STREET: 'St', STR: 'St',
  TERRACE: 'Ter', TERR: 'Ter', TRAIL: 'Trl', TURNPIKE: 'Tpke',
};
const US_UNITS = { APARTMENT: 'Apt', BUILDING: 'Bldg', FLOOR: 'Fl', ROOM: 'Rm', SUITE: 'Ste' };

// Small words inside names of places stay small.
const SMALL = new Set('am an auf aux bei da de del della den der des di do dos du e en et het i im in la le les of on op sous sur the upon van von y zu zum zur'.split(' '));
// Parts of addresses that are capitals everywhere.
const KEPT = new Set('PO NE NW SE SW II III IV VI VII VIII IX XI XII GPO APO FPO DPO'.split(' '));

// One space between words, none at the ends, nothing invisible.
export function tidy(text) {
  return text
    .normalize('NFC')
    .replace(/[\u0000-\u001f\u007f-\u009f\u00a0\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]+/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/\s+([,;])/g, '$1')
    .replace(/^[\s,;]+|[\s,;]+$/g, '');
}

// Words that are all capitals or all small get a capital first; mixed ones were meant so.
export function titled(text) {
  const letters = text.replace(/[^\p{L}]/gu, '');
  const isOneCase = letters === letters.toUpperCase() || letters === letters.toLowerCase();
  if (letters.length < 3 || !isOneCase) return text;
  let isFirst = true;
  return text.replace(/[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)?/gu, (word) => {
    const first = isFirst;
    isFirst = false;
    return capitalised(word, first);
  });
}

function capitalised(word, isFirst) {
  const upper = word.toUpperCase();
  const lower = word.toLowerCase();
  if (KEPT.has(upper) || /^\p{N}+\p{L}$/u.test(word)) return upper;
  if (/^\p{N}+(?:st|nd|rd|th)$/u.test(lower)) return lower;
  if (/^\p{N}/u.test(word)) return word;
  if (!isFirst && SMALL.has(lower)) return lower;
  const [, prefix, rest] = /^((?:o|d|l)['’])?(.*)$/u.exec(lower);
  if (prefix) return prefix[0] === 'o' || isFirst ? prefix[0].toUpperCase() + prefix.slice(1) + upperFirst(rest) : prefix + upperFirst(rest);
  return upperFirst(lower);
}

function upperFirst(word) {
  const [first = ''] = word;
  return first.toUpperCase() + word.slice(first.length);
}

// The street's kind and the unit as the US post abbreviates them; elsewhere as it is, for abbreviations differ.
export function abbreviated(street) {
  const words = street.split(' ');
  // "Avenue" in "100 Avenue of the Americas" is a name: only the last word before a unit or a direction is a kind.
  const unit = words.findIndex((word, at) => at > 1 && (unitOf(word) || word.startsWith('#')));
  let last = (unit > 0 ? unit : words.length) - 1;
  if (/^(?:[NSEW]|NE|NW|SE|SW)\.?$/i.test(words[last]) && last > 2) last -= 1;
  if (last > 1) words[last] = replaced(words[last], US_SUFFIXES);
  if (unit > 0) words[unit] = replaced(words[unit], US_UNITS);
  return words.join(' ');
}

// A second address line that is only a unit: `Apartment 4`.
export function unit(line) {
  const [first, ...rest] = line.split(' ');
  return rest.length > 0 ? [replaced(first, US_UNITS), ...rest].join(' ') : line;
}

function unitOf(word) {
  const bare = word.replace(/[.,]/g, '').toUpperCase();
  return US_UNITS[bare] || Object.values(US_UNITS).some((short) => short.toUpperCase() === bare);
}

function replaced(word, table) {
  const bare = word.replace(/[.,]+$/, '');
  const kept = word.endsWith(',') ? ',' : '';
  return Object.hasOwn(table, bare.toUpperCase()) ? table[bare.toUpperCase()] + kept : word;
}
