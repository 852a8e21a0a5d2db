// Verifies a .tlog-proof (c2sp.org/tlog-proof) under a policy (c2sp.org/tlog-policy) where it is read: no server
// is asked, and none could lie. SHA-256 and Ed25519 are the browser's; ML-DSA-44 is where the browser has it, else
// its cosignatures count as absent and are named in `unchecked`.

export class ProofError extends Error {
  constructor(step, why) {
    super(`${step}: ${why}`);
    this.name = 'ProofError';
    this.step = step;
  }
}

const KINDS = {
  1: { length: 32, algorithm: 'Ed25519', format: 'raw' },
  4: { length: 32, algorithm: 'Ed25519', format: 'raw' },
  6: { length: 1312, algorithm: 'ML-DSA-44', format: 'raw-public' },
};
// as many as our own verifier takes
const LIMITS = { file: 1 << 20, lines: 256, path: 64, policy: 512 << 10, nodes: 512 };

const bytes = new TextEncoder();
const fail = (step, why) => { throw new ProofError(step, why); };
const join = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
};
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', join(...parts)));
const u64 = (number) => { const out = new Uint8Array(8); new DataView(out.buffer).setBigUint64(0, number); return out; };

function text(raw, step) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return fail(step, 'it is not UTF-8');
  }
}

function unbase64(word, step) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(word) || word.length % 4) fail(step, 'it is not base64');
  const letters = atob(word);
  if (btoa(letters) !== word) fail(step, 'its base64 is not canonical');
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

function decimal(word, step) {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(word)) fail(step, `${word} is no decimal`);
  const number = BigInt(word);
  return number >> 64n ? fail(step, `${word} is too large`) : number;
}

// c2sp.org/signed-note, verifier keys
async function verifierKey(vkey) {
  const [, name, id, material] = /^([^\s+]+)\+([0-9a-fA-F]{8})\+(.+)$/.exec(vkey) || fail('policy', 'it has no verifier key');
  const raw = unbase64(material, 'policy');
  const kind = KINDS[raw[0]];
  if (!kind || raw.length !== kind.length + 1) fail('policy', 'a key is of a kind that is not known');
  const digest = (await sha256(bytes.encode(`${name}\n`), raw)).subarray(0, 4);
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex !== id.toLowerCase()) fail('policy', `the id of ${name} is not that of its key`);
  return { name, id: hex, type: raw[0], kind, public: raw.subarray(1) };
}

async function readPolicy(file) {
  if (file.length > LIMITS.policy) fail('policy', 'it is too large');
  const policy = { logs: [], nodes: new Map(), quorum: null };
  const seen = { log: new Set(), witness: new Set(), grouped: new Set() };
  const define = (name, what) => {
    if (name === 'none' || policy.nodes.has(name) || policy.nodes.size === LIMITS.nodes) fail('policy', `the name ${name} is taken`);
    policy.nodes.set(name, what);
  };
  const key = async (list, vkey, types) => {
    const read = await verifierKey(vkey);
    if (!types.includes(read.type) || list.has(read.public.join())) fail('policy', `the key of ${read.name} cannot stand there`);
    list.add(read.public.join());
    return read;
  };
  for (const line of text(file, 'policy').split('\n')) {
    if (/[\x00-\x08\x0b-\x1f\x7f]/.test(line)) fail('policy', 'it has a control character');
    const words = line.split(/[ \t]+/).filter((word) => word);
    const [first, name, ...rest] = words;
    if (!first || first.startsWith('#')) continue;
    if (first === 'log' && name && rest.length <= 1) {
      policy.logs.push(await key(seen.log, name, [1, 6]));
    } else if (first === 'witness' && (rest.length === 1 || rest.length === 2)) {
      define(name, { key: await key(seen.witness, rest[0], [4, 6]) });
    } else if (first === 'group' && rest.length >= 2) {
      const [threshold, ...members] = rest;
      const named = new Map([['all', members.length], ['any', 1]]);
      const count = named.get(threshold) ?? Number(decimal(threshold, 'policy'));
      if (count < 1 || count > members.length) fail('policy', `${count} of ${members.length} is no threshold`);
      for (const member of members) {
        if (!policy.nodes.has(member) || seen.grouped.has(member)) fail('policy', `${member} cannot be in the group ${name}`);
        seen.grouped.add(member);
      }
      define(name, { count, members });
    } else if (first === 'quorum' && name && !rest.length && policy.quorum === null) {
      if (name !== 'none' && !policy.nodes.has(name)) fail('policy', `${name} is not defined`);
      policy.quorum = name;
    } else {
      fail('policy', `a line that begins with ${first} is not in form`);
    }
  }
  return policy.quorum === null ? fail('policy', 'it has no quorum') : policy;
}

// c2sp.org/tlog-checkpoint
function readCheckpoint(note) {
  const step = 'ledger';
  const blank = note.lastIndexOf('\n\n');
  if (blank < 0 || !note.endsWith('\n') || /[\x00-\x09\x0b-\x1f]/.test(note)) fail(step, 'the checkpoint is no signed note');
  const body = note.slice(0, blank + 1);
  const lines = body.slice(0, -1).split('\n');
  if (lines.length < 3 || lines.some((line) => !line)) fail(step, 'the checkpoint is too short, or has an empty line');
  const root = unbase64(lines[2], step);
  if (root.length !== 32) fail(step, 'the root is no SHA-256');
  const signatures = new Map();
  for (const line of note.slice(blank + 2, -1).split('\n')) {
    const [, name, word] = /^\u2014 ([^\s+]+) (\S+)$/.exec(line) || fail(step, 'a signature line is not in form');
    const blob = unbase64(word, step);
    const id = Array.from(blob.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join('');
    if (blob.length <= 4 || signatures.has(`${name} ${id}`) || signatures.size === LIMITS.lines) fail(step, 'a signature line is not in form, or there twice');
    signatures.set(`${name} ${id}`, blob.subarray(4));
  }
  return { body, origin: lines[0], size: decimal(lines[1], step), root, signatures };
}

// c2sp.org/tlog-cosignature; null where the browser has no such algorithm
async function isSigned(checkpoint, key) {
  const blob = checkpoint.signatures.get(`${key.name} ${key.id}`);
  if (!blob) return false;
  const body = bytes.encode(checkpoint.body);
  let [message, signature] = [body, blob];
  if (key.type !== 1) {
    if (blob.length <= 8 || blob[0] & 0x80) fail('ledger', `the signature of ${key.name} is not in form`);
    const time = blob.subarray(0, 8);
    signature = blob.subarray(8);
    if (key.type === 4) {
      const seconds = new DataView(time.buffer, time.byteOffset).getBigUint64(0);
      message = join(bytes.encode(`cosignature/v1\ntime ${seconds}\n`), body);
    } else {
      const [name, origin] = [bytes.encode(key.name), bytes.encode(checkpoint.origin)];
      if (name.length > 255 || origin.length > 255) fail('ledger', `the name of ${key.name} is too long`);
      message = join(bytes.encode('subtree/v1\n\0'), [name.length], name, time, [origin.length], origin, u64(0n), u64(checkpoint.size), checkpoint.root);
    }
  }
  let usable;
  try {
    usable = await crypto.subtle.importKey(key.kind.format, key.public, key.kind.algorithm, false, ['verify']);
  } catch (error) {
    if (key.type === 6) return null;
    throw error;
  }
  if (!(await crypto.subtle.verify(key.kind.algorithm, usable, signature, message))) fail('ledger', `the signature of ${key.name} is wrong`);
  return true;
}

// RFC 9162 section 2.1.3.2
async function rootOf(leaf, index, size, path) {
  let [at, last, hash] = [index, size - 1n, leaf];
  for (const sibling of path) {
    if (last === 0n) return null;
    if (at & 1n || at === last) {
      hash = await sha256([1], sibling, hash);
      while (!(at & 1n) && at !== 0n) { at >>= 1n; last >>= 1n; }
    } else {
      hash = await sha256([1], hash, sibling);
    }
    at >>= 1n;
    last >>= 1n;
  }
  return last === 0n ? hash : null;
}

/**
 * Throws a ProofError, or says where the entry stands and who signed that. All three are bytes (Uint8Array);
 * `origin` is the ledger's name and needed when the policy names no log.
 */
export async function verifyProof(proof, entry, policy, origin) {
  if (proof.length > LIMITS.file) fail('file', 'it is too large');
  const whole = text(proof, 'file');
  const split = whole.indexOf('\n\n');
  if (split < 0) fail('file', 'it has no checkpoint');
  const lines = whole.slice(0, split).split('\n');
  if (lines.shift() !== 'c2sp.org/tlog-proof@v1') fail('file', 'it is no tlog-proof');
  if (lines.length && lines[0].startsWith('extra ')) unbase64(lines.shift().slice(6), 'file');
  const [, word] = /^index (\S+)$/.exec(lines.shift() || '') || fail('file', 'it has no index');
  const index = decimal(word, 'file');
  if (lines.length > LIMITS.path) fail('file', 'its path is longer than any tree is high');
  const path = lines.map((line) => unbase64(line, 'file'));
  if (path.some((hash) => hash.length !== 32)) fail('file', 'a line of its path is no hash');

  const believed = await readPolicy(policy);
  const checkpoint = readCheckpoint(whole.slice(split + 2));
  if (origin === undefined && !believed.logs.length) fail('policy', 'it names no log: say which one is expected');
  const logs = believed.logs.filter((log) => log.name === checkpoint.origin);
  if (origin === undefined ? !logs.length : origin !== checkpoint.origin) fail('ledger', `the checkpoint is of ${checkpoint.origin}, which is not expected`);
  let signed = !believed.logs.length;
  for (const log of logs) signed = (await isSigned(checkpoint, log)) === true || signed;
  if (!signed) fail('ledger', 'no log of the policy signed the checkpoint');
  const [cosigned, unchecked, holds] = [[], [], new Map()];
  for (const [name, node] of believed.nodes) {
    if (node.key) {
      const found = await isSigned(checkpoint, node.key);
      holds.set(name, found === true);
      if (found) cosigned.push(name);
      if (found === null) unchecked.push(name);
    } else {
      holds.set(name, node.members.filter((member) => holds.get(member)).length >= node.count);
    }
  }
  if (believed.quorum !== 'none' && !holds.get(believed.quorum)) {
    const more = unchecked.length ? `; this browser cannot check ${unchecked.length} of them (ML-DSA-44)` : '';
    fail('ledger', `the quorum ${believed.quorum} is missed${more}`);
  }
  const root = index < checkpoint.size ? await rootOf(await sha256([0], entry), index, checkpoint.size, path) : null;
  if (!root || !same(root, checkpoint.root)) fail('ledger', 'the entry does not stand at this place');
  return { origin: checkpoint.origin, index, size: checkpoint.size, cosigned, unchecked };
}
