// The doctor's pouch, the browser's end: makes the key that a question names, and opens what the
// vault sealed for it. HPKE in base mode (RFC 9180) on WebCrypto, without dependencies.
//
//   const pouch = await Pouch.generate();            // a key for one question
//   ask(pouch.header());                             // into <kp:Pouch xmlns:kp="urn:konfido:pouch:1">
//   const { bytes, mediaType } = await pouch.open(part, {
//     from: 'DK', to: 'ES', transaction: 'ITI-39', part: 0, contentId: 'document0@konfido',
//   });
//
// The private key cannot be exported, and is gone with the page. See docs/pouch.md.

/** The media type of an answer's part that is a pouch. */
export const MEDIA_TYPE = 'application/vnd.konfido.pouch';

/** What a browser can do: numbers of KEM, KDF and AEAD (RFC 9180 §7), and WebCrypto's algorithm. */
const SUITES = {
  'P-256': { ids: [0x0010, 1, 2], length: 65, algorithm: { name: 'ECDH', namedCurve: 'P-256' } },
  X25519: { ids: [0x0020, 1, 2], length: 32, algorithm: { name: 'X25519' } },
};
/** The four transactions, in the order of their numbers in a pouch. */
const TRANSACTIONS = ['ITI-55', 'ITI-38', 'ITI-39', 'ITI-41'];
const MAGIC = 'KPP1';
const INFO = ascii('konfido pouch 1');
const TAG = 16;

/** A pouch that is not what its opener expects, or does not open. */
export class PouchError extends Error {
  name = 'PouchError';
}

/** The key of one question, and what opens the answer to it. */
export class Pouch {
  #suite;
  #private;
  #public;

  constructor(suite, privateKey, publicKey) {
    this.#suite = suite;
    this.#private = privateKey;
    this.#public = publicKey;
  }

  /** A new key: 'P-256', which every browser has, or 'X25519', which newer ones have. */
  static async generate(name = 'P-256') {
    const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined;
    if (!suite) throw new PouchError(`suite ${name} is unknown`);
    const pair = await crypto.subtle.generateKey(suite.algorithm, false, ['deriveBits']);
    const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
    return new Pouch(suite, pair.privateKey, new Uint8Array(raw));
  }

  /** The key as a question names it: the suite's numbers, then the public key. */
  publicKey() {
    return concat(...this.#suite.ids.map(u16), this.#public);
  }

  /** The same in base64, for the SOAP header. */
  header() {
    return btoa(String.fromCharCode(...this.publicKey()));
  }

  /** The key's digest in hexadecimal digits, as the evidence of the exchange names it. */
  async digest() {
    return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', this.publicKey())));
  }

  /**
   * Opens a part of the answer. What is expected is what the page knows by itself: the country that
   * was asked (from) and its own (to), the transaction, and which part of the answer this was, under
   * which Content-ID; txid if it is known. A pouch of anything else is refused.
   */
  async open(pouch, expected) {
    const sealed = new Uint8Array(pouch);
    const head = decode(sealed, this.#suite);
    for (const name of ['from', 'to', 'transaction', 'part', 'contentId', 'txid']) {
      if (name === 'txid' && expected.txid === undefined) continue;
      if (expected[name] !== head.context[name]) throw new PouchError(`is of another ${name}`);
    }
    try {
      const { key, nonce } = await schedule(this.#suite, await this.#shared(head.encapsulated));
      const aes = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
      const how = { name: 'AES-GCM', iv: nonce, additionalData: head.clear, tagLength: 8 * TAG };
      const text = await crypto.subtle.decrypt(how, aes, head.text);
      return { ...head.context, bytes: new Uint8Array(text) };
    } catch {
      throw new PouchError('does not open');
    }
  }

  /** Decap (RFC 9180 §4.1): Diffie-Hellman, then both public keys into the secret. */
  async #shared(encapsulated) {
    const { algorithm, ids } = this.#suite;
    const theirs = await crypto.subtle.importKey('raw', encapsulated, algorithm, false, []);
    const agree = { name: algorithm.name, public: theirs };
    const agreed = await crypto.subtle.deriveBits(agree, this.#private, 256);
    // WebCrypto should have refused it (RFC 9180 §7.1.4)
    if (new Uint8Array(agreed).every((byte) => byte === 0)) throw new PouchError('has no key');
    const kem = labelled('KEM', ids.slice(0, 1));
    const secret = await kem.extract([], 'eae_prk', new Uint8Array(agreed));
    return kem.expand(secret, 'shared_secret', concat(encapsulated, this.#public), 32);
  }
}

/** KeySchedule in base mode (RFC 9180 §5.1); the base nonce is that of the one message. */
async function schedule(suite, shared) {
  const hpke = labelled('HPKE', suite.ids);
  const mode = [0];
  const none = await hpke.extract([], 'psk_id_hash', []);
  const info = await hpke.extract([], 'info_hash', INFO);
  const context = concat(mode, none, info);
  const secret = await hpke.extract(shared, 'secret', []);
  return {
    key: await hpke.expand(secret, 'key', context, 32),
    nonce: await hpke.expand(secret, 'base_nonce', context, 12),
  };
}

/** LabeledExtract and LabeledExpand (RFC 9180 §4) on HKDF-SHA256 (RFC 5869). */
function labelled(kind, ids) {
  const suite = concat(ascii(kind), ...ids.map(u16));
  const version = ascii('HPKE-v1');
  return {
    extract: (salt, label, ikm) => hmac(salt, concat(version, suite, ascii(label), ikm)),
    // at most one block of HKDF's output is ever needed
    expand: async (secret, label, info, length) => {
      const said = concat(u16(length), version, suite, ascii(label), info);
      return (await hmac(secret, concat(said, [1]))).slice(0, length);
    },
  };
}

async function hmac(key, data) {
  const hash = { name: 'HMAC', hash: 'SHA-256' };
  // an empty key is one of zeros (RFC 2104), and WebCrypto does not take it empty
  const raw = key.length ? key : new Uint8Array(32);
  const imported = await crypto.subtle.importKey('raw', raw, hash, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, data));
}

/** Takes a pouch apart; what its head says is proven when it opens. */
function decode(bytes, suite) {
  let at = 0;
  const take = (length) => {
    if (at + length > bytes.length) throw new PouchError('is cut off');
    return bytes.subarray(at, (at += length));
  };
  const number = (length) => take(length).reduce((sum, byte) => 256 * sum + byte, 0);
  const name = (length) => String.fromCharCode(...take(length));
  if (name(4) !== MAGIC) throw new PouchError('is no pouch');
  if (suite.ids.some((id) => number(2) !== id)) throw new PouchError('is for another key');
  if (number(2) !== suite.length) throw new PouchError('is no pouch');
  const encapsulated = take(suite.length);
  const end = number(2) + at;
  const context = {
    from: name(2),
    to: name(2),
    transaction: TRANSACTIONS[number(1)],
    txid: hex(take(16)),
    part: number(2),
    contentId: name(number(1)),
    mediaType: name(number(1)),
  };
  if (at !== end) throw new PouchError('is no pouch');
  return { encapsulated, context, clear: bytes.subarray(0, at), text: bytes.subarray(at) };
}

function concat(...parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function u16(number) {
  return [number >> 8, number & 255];
}

function ascii(text) {
  return new TextEncoder().encode(text);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
