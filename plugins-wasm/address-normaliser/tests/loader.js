// Makes a module for each host interface, whose functions ask `host` (see host.js) when they are called.
const PREFIX = 'cartwright:plugin/';
const FUNCTIONS = {
  log: ['emit'],
  http: ['send'],
  woo: ['get', 'list', 'write'],
  state: ['get', 'set', 'compareAndSet', 'increment', 'delete'],
  clock: ['now', 'sleep', 'sleepUntil'],
  random: ['bytes'],
  events: ['emit', 'waitFor'],
  secrets: ['get'],
};

export async function resolve(specifier, context, next) {
  return specifier.startsWith(PREFIX) ? { url: specifier, shortCircuit: true } : next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith(PREFIX)) return next(url, context);
  const name = url.slice(PREFIX.length).split('@')[0];
  if (!FUNCTIONS[name]) throw new Error(`the engine has no interface ${name}`);
  const lines = FUNCTIONS[name].map((one) => {
    const called = `globalThis.cartwrightHost[${JSON.stringify(name)}]?.[${JSON.stringify(one)}]`;
    const missing = `throw new Error("the test gives no ${name}.${one}")`;
    return `function _${one}(...given) { const made = ${called}; if (!made) ${missing}; return made(...given); }
export { _${one} as ${one} };`;
  });
  return { format: 'module', source: lines.join('\n'), shortCircuit: true };
}
