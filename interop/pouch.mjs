// The doctor's pouch under Node: node pouch.mjs MODULE SEALER. Says what fails, and how many passed.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [module, sealer] = process.argv.slice(2);
const { Pouch } = await import(module);
const child = spawn(sealer, { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
let failed = 0;
for (const suite of ['P-256', 'X25519']) {
  const pouch = await Pouch.generate(suite);
  child.stdin.write(`${pouch.header()}\n`);
  const { digest, cases } = JSON.parse((await lines.next()).value);
  if (digest !== (await pouch.digest())) throw new Error('another digest');
  for (const { name, pouch: sealed, expected, text } of cases) {
    let got = null;
    try {
      const { bytes, mediaType } = await pouch.open(Buffer.from(sealed, 'base64'), expected);
      got = mediaType === 'text/xml' ? Buffer.from(bytes).toString('base64') : mediaType;
    } catch (error) {
      got = error.name === 'PouchError' ? null : error.message;
    }
    if (got !== text) failed += 1;
    if (got !== text) console.log(`pouch: FAILED: node ${suite}: ${name}: ${got}`);
  }
  console.log(`pouch: node ${suite}: ${cases.length} pouches`);
}
child.stdin.end();
process.exitCode = failed ? 1 : 0;
