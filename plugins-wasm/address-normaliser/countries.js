// What posts and numbering plans say about each country (see README.md).
//
// `postcode`: what it has to look like without spaces and dashes; `write` puts them back. `prefix` may stand before it.
// `calling`, `trunk`: the country's number and what is dialled before national numbers inside it; `digits`: how long
// national numbers are without it. `states`: codes with the names that people write; `needsState`: the post wants one.
// `capitals`: the post wants towns in capitals.

const plain = (code) => code;
const split = (at, by) => (code) => `${code.slice(0, at)}${by}${code.slice(at)}`;
const fromEnd = (count) => (code) => `${code.slice(0, -count)} ${code.slice(-count)}`;

const US = {
  AL: 'Alabama', AK: 'Alaska', AZ: 'Arizona', AR: 'Arkansas', CA: 'California', CO: 'Colorado', CT: 'Connecticut',
  DE: 'Delaware', DC: 'District of Columbia', FL: 'Florida', GA: 'Georgia', HI: 'Hawaii', ID: 'Idaho', IL: 'Illinois',
  IN: 'Indiana', IA: 'Iowa', KS: 'Kansas', KY: 'Kentucky', LA: 'Louisiana', ME: 'Maine', MD: 'Maryland',
  MA: 'Massachusetts', MI: 'Michigan', MN: 'Minnesota', MS: 'Mississippi', MO: 'Missouri', MT: 'Montana', NE: 'Nebraska',
  NV: 'Nevada', NH: 'New Hampshire', NJ: 'New Jersey', NM: 'New Mexico', NY: 'New York', NC: 'North Carolina',
  ND: 'North Dakota', OH: 'Ohio', OK: 'Oklahoma', OR: 'Oregon', PA: 'Pennsylvania', RI: 'Rhode Island',
  SC: 'South Carolina', SD: 'South Dakota', TN: 'Tennessee', TX: 'Texas', UT: 'Utah', VT: 'Vermont', VA: 'Virginia',
  WA: 'Washington', WV: 'West Virginia', WI: 'Wisconsin', WY: 'Wyoming', AS: 'American Samoa', GU: 'Guam',
  MP: 'Northern Mariana Islands', PR: 'Puerto Rico', VI: 'US Virgin Islands', AA: 'Armed Forces Americas',
  AE: 'Armed Forces Europe', AP: 'Armed Forces Pacific',
};
const CA = {
  AB: 'Alberta', BC: 'British Columbia', MB: 'Manitoba', NB: 'New Brunswick', NL: 'Newfoundland and Labrador',
  NS: 'Nova Scotia', NT: 'Northwest Territories', NU: 'Nunavut', ON: 'Ontario', PE: 'Prince Edward Island',
  QC: 'Quebec', SK: 'Saskatchewan', YT: 'Yukon',
};
const AU = {
  ACT: 'Australian Capital Territory', NSW: 'New South Wales', NT: 'Northern Territory', QLD: 'Queensland',
  SA: 'South Australia', TAS: 'Tasmania', VIC: 'Victoria', WA: 'Western Australia',
};

// First letters of Canadian postcodes and the province that they are in; X is shared by two.
const CA_LETTERS = {
  A: ['NL'], B: ['NS'], C: ['PE'], E: ['NB'], G: ['QC'], H: ['QC'], J: ['QC'], K: ['ON'], L: ['ON'], M: ['ON'],
  N: ['ON'], P: ['ON'], R: ['MB'], S: ['SK'], T: ['AB'], V: ['BC'], X: ['NT', 'NU'], Y: ['YT'],
};

export const COUNTRIES = {
  AT: { postcode: /^[1-9]\d{3}$/, write: plain, prefix: /^A-?/, calling: '43', trunk: '0', digits: [4, 13] },
  AU: { postcode: /^\d{4}$/, write: plain, calling: '61', trunk: '0', digits: [9, 9], states: AU, needsState: true, capitals: true },
  BE: { postcode: /^[1-9]\d{3}$/, write: plain, prefix: /^B-?/, calling: '32', trunk: '0', digits: [8, 9] },
  CA: {
    postcode: /^[ABCEGHJKLMNPRSTVXY]\d[ABCEGHJ-NPRSTV-Z]\d[ABCEGHJ-NPRSTV-Z]\d$/, write: split(3, ' '),
    calling: '1', trunk: '1', digits: [10, 10], states: CA, needsState: true,
    fits: (code, state) => !CA_LETTERS[code[0]] || CA_LETTERS[code[0]].includes(state),
  },
  CH: { postcode: /^[1-9]\d{3}$/, write: plain, prefix: /^CH-?/, calling: '41', trunk: '0', digits: [9, 9] },
  CZ: { postcode: /^[1-7]\d{4}$/, write: split(3, ' '), prefix: /^CZ-?/, calling: '420', trunk: '', digits: [9, 9] },
  DE: { postcode: /^(?!00)\d{5}$/, write: plain, prefix: /^D(?:E)?-?/, calling: '49', trunk: '0', digits: [5, 13] },
  DK: { postcode: /^\d{4}$/, write: plain, prefix: /^DK-?/, calling: '45', trunk: '', digits: [8, 8] },
  ES: { postcode: /^(?:0[1-9]|[1-4]\d|5[0-2])\d{3}$/, write: plain, calling: '34', trunk: '', digits: [9, 9] },
  FI: { postcode: /^\d{5}$/, write: plain, prefix: /^FI-?/, calling: '358', trunk: '0', digits: [5, 12] },
  FR: { postcode: /^(?!00)\d{5}$/, write: plain, prefix: /^F-?/, calling: '33', trunk: '0', digits: [9, 9], capitals: true },
  GB: {
    postcode: /^(?:[A-PR-UWYZ](?:\d[\dA-HJKPSTUW]?|[A-HK-Y]\d[\dABEHMNPRVWXY]?)\d[ABD-HJLNP-UW-Z]{2}|GIR0AA)$/,
    write: fromEnd(3), calling: '44', trunk: '0', digits: [9, 10], capitals: true,
  },
  IE: { postcode: /^(?:[AC-FHKNPRTV-Y]\d{2}|D6W)[0-9AC-FHKNPRTV-Y]{4}$/, write: split(3, ' '), calling: '353', trunk: '0', digits: [7, 10] },
  // Italian numbers keep their zero abroad.
  IT: { postcode: /^\d{5}$/, write: plain, prefix: /^I(?:T)?-?/, calling: '39', trunk: '', digits: [6, 11], needsState: true },
  NL: { postcode: /^[1-9]\d{3}(?!SA|SD|SS)[A-Z]{2}$/, write: split(4, ' '), prefix: /^NL-?/, calling: '31', trunk: '0', digits: [9, 9], capitals: true },
  NO: { postcode: /^\d{4}$/, write: plain, prefix: /^NO-?/, calling: '47', trunk: '', digits: [8, 8] },
  PL: { postcode: /^\d{5}$/, write: split(2, '-'), prefix: /^PL-?/, calling: '48', trunk: '', digits: [9, 9] },
  PT: { postcode: /^[1-9]\d{6}$/, write: split(4, '-'), prefix: /^P(?:T)?-?/, calling: '351', trunk: '', digits: [9, 9] },
  SE: { postcode: /^[1-9]\d{4}$/, write: split(3, ' '), prefix: /^SE?-?/, calling: '46', trunk: '0', digits: [7, 10] },
  US: {
    postcode: /^\d{5}(?:\d{4})?$/, write: (code) => (code.length > 5 ? split(5, '-')(code) : code),
    calling: '1', trunk: '1', digits: [10, 10], states: US, needsState: true,
  },
};
