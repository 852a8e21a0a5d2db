// The page of a validator: looks up an exchange and shows what the ledger says of it.
// Texts go into the page as text, never as markup.

import { verifyProof } from './proof.js';

const at = (id) => document.getElementById(id);

const WORDS = {
  whole: ['good', 'both countries signed'],
  closed: ['good', 'both countries signed, the second one later'],
  'closed-late': ['good', 'both countries signed, the second one after its deadline'],
  alone: ['quiet', 'one country signed; the other has no KONFIDO'],
  half: ['quiet', 'one country signed; the other has until its deadline'],
  open: ['bad', 'one country signed; the deadline of the other has passed'],
  offered: ['quiet', 'a document was offered; the receipt is due'],
  receipted: ['quiet', 'the document was received; its key is due'],
  released: ['good', 'the key was given'],
  'released-late': ['good', 'the key was given after its deadline'],
  lapsed: ['quiet', 'nobody took the offer up'],
  defaulted: ['bad', 'the key was not given in time'],
};

async function read(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.title || `status ${answer.status}`);
  return body;
}

function rows(list, pairs) {
  list.replaceChildren();
  for (const [name, value, style] of pairs) {
    const term = document.createElement('dt');
    const definition = document.createElement('dd');
    term.textContent = name;
    if (value instanceof Node) definition.append(value);
    else definition.textContent = value;
    if (style) definition.className = style;
    list.append(term, definition);
  }
}

function code(text) {
  const element = document.createElement('code');
  element.textContent = text;
  return element;
}

function link(href, text) {
  const element = document.createElement('a');
  element.href = href;
  element.textContent = text;
  return element;
}

async function raw(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// The browser does the sums; whom to believe is this server's word here, which `konfido verify --policy` does not need.
function check(index) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'check it here';
  button.addEventListener('click', async () => {
    const said = document.createElement('span');
    try {
      const path = `/v1/entries/${index}`;
      const [entry, proof, policy] = await Promise.all([raw(path), raw(`${path}/proof`), raw('/policy')]);
      await verifyProof(proof, entry, policy);
      said.className = 'good';
      said.textContent = 'it stands in the ledger, under the policy of this server';
    } catch (error) {
      said.className = 'bad';
      said.textContent = error.message;
    }
    button.replaceWith(said);
  });
  return button;
}

async function show() {
  const [status, members] = await Promise.all([read('/v1/status'), read('/v1/members')]);
  at('ledger').textContent = status.ledger;
  rows(at('status'), [
    ['entries', String(status.size)],
    ['root', code(status.root)],
    ['block', String(status.height)],
    ['block time', status.time],
    ['under a checkpoint', String(status.published)],
  ]);
  rows(at('members'), members.map((member) => {
    const here = status.online.includes(member.name);
    const role = member.votes ? 'votes' : 'observes';
    return [member.name, `${role}, ${here ? 'connected' : 'not connected'}`, here ? '' : 'quiet'];
  }));
}

async function find(txid) {
  const found = document.createElement('dl');
  try {
    const exchange = await read(`/v1/exchanges/${txid}`);
    const [style, words] = WORDS[exchange.state] || ['quiet', exchange.state];
    const pairs = [['exchange', code(exchange.txid)], ['state', words, style]];
    if (exchange.deadline) pairs.push(['deadline', `block ${exchange.deadline}`]);
    for (const index of exchange.entries) {
      const links = document.createElement('span');
      links.append(link(`/v1/entries/${index}/proof`, 'proof'), ' · ', link(`/v1/entries/${index}`, 'entry'), ' · ', check(index));
      pairs.push([`entry ${index}`, links]);
    }
    rows(found, pairs);
  } catch (error) {
    rows(found, [['not found', error.message, 'bad']]);
  }
  at('found').replaceChildren(found);
}

at('find').addEventListener('submit', (event) => {
  event.preventDefault();
  history.replaceState(null, '', `#${at('txid').value}`);
  find(at('txid').value);
});

if (location.hash.length === 33) {
  at('txid').value = location.hash.slice(1);
  find(at('txid').value);
}
show();
setInterval(show, 5000);
