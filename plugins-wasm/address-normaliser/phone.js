// Phone numbers as E.164 writes them: `+4930123456`. Only where the country is known and the length can be right.

const MAX_DIGITS = 15;

// The number, or what is wrong with it: { number } or { problem }.
export function international(given, country) {
  const [main, extension] = given.split(/\s*(?:ext\.?|x|#|;ext=)\s*(?=\d+\s*$)/i);
  if (extension) return { problem: 'has an extension, which E.164 cannot hold' };
  if (/[^\d\s()+./\-–\u00a0]/.test(main)) return { problem: 'has other characters than digits' };
  // (0) inside an international number is dialled inside the country only.
  let digits = main.replace(/^(\s*(?:\+|00).*)\(0\)/, '$1').replace(/[^\d+]/g, '');
  if (digits.lastIndexOf('+') > 0) return { problem: 'has a + inside' };
  if (digits.startsWith('+') || digits.startsWith('00')) return abroad(digits.replace(/^(?:\+|00)/, ''), country);
  if (!country) return { problem: 'cannot be completed: its country is not known here' };
  if (country.calling === '1' && digits.length === 11 && digits.startsWith('1')) digits = digits.slice(1);
  else if (country.trunk === '0' && digits.startsWith('0')) digits = digits.slice(1);
  return national(digits, country);
}

function abroad(digits, country) {
  if (country && digits.startsWith(country.calling)) {
    const rest = digits.slice(country.calling.length);
    // +49 030 …: the zero does not belong there.
    return national(country.trunk === '0' && rest.startsWith('0') ? rest.slice(1) : rest, country);
  }
  if (digits.length < 8 || digits.length > MAX_DIGITS || digits.startsWith('0')) return { problem: `has ${digits.length} digits` };
  return { number: `+${digits}` };
}

function national(digits, { calling, digits: [min, max] }) {
  if (digits.length < min || digits.length > max) {
    const wanted = min === max ? `${min}` : `${min} to ${max}`;
    return { problem: `has ${digits.length} digits after the country's number, ${wanted} are possible` };
  }
  // Area codes and exchanges of North America begin with 2 to 9.
  if (calling === '1' && !/^[2-9]\d\d[2-9]/.test(digits)) return { problem: 'is no number of the North American plan' };
  return { number: `+${calling}${digits}` };
}
