// What the page knows of the layout, kept up to date by server-sent events.

import { word } from './words.js';

export const model = {
  hello: null, groups: [], parts: new Map(), live: {}, rows: [], marks: [], recent: null, verdicts: [], agree: null, load: null,
  complete: 0, oneOf: 1, at: 0,
};

const keep = 300;
const listeners = { tick: [], second: [], first: [], connection: [] };

// on calls f with every update (tick), with those that have more than the picture (second), with the first one, and
// with true or false as the connection comes and goes.
export const on = (what, f) => listeners[what].push(f);

const tell = (what, arg) => listeners[what].forEach((f) => f(arg));

export function connect() {
  const source = new EventSource('api/events');
  source.onopen = () => tell('connection', true);
  source.onerror = () => tell('connection', false);
  source.onmessage = (e) => take(JSON.parse(e.data));
}

function take(u) {
  const first = !!u.hello;
  model.at = performance.now();
  model.complete = u.complete;
  model.oneOf = u.one_of;
  model.live = u.live;
  if (first) {
    model.hello = u.hello;
    model.rows = [];
    model.marks = [];
  }
  for (const row of u.rows ?? []) {
    if (model.rows.length && row.t <= model.rows.at(-1).t) continue;
    model.rows.push(row);
  }
  while (model.rows.length && model.rows[0].t < model.rows.at(-1).t - keep) model.rows.shift();
  for (const m of u.marks ?? []) {
    m.ms = Date.parse(m.at);
    if (!model.marks.some((o) => o.ms === m.ms && o.text === m.text)) model.marks.push(m);
  }
  if (model.marks.length > 200) model.marks.splice(0, model.marks.length - 200);
  for (const key of ['groups', 'verdicts', 'agree', 'load', 'recent']) if (u[key]) model[key] = u[key];
  if (u.parts) model.parts = new Map(u.parts.map((p) => [p.name, withRates(p, u.looked)]));
  if (first) tell('first', u);
  tell('tick', u);
  if (first || u.parts || u.recent) tell('second', u);
}

// withRates adds to a part how many requests a second each of its processes has answered since the last look.
const looks = new Map();
function withRates(p, now) {
  p.processes = [];
  const before = looks.get(p.name);
  if (p.answered) {
    for (const pid of p.workers.length ? p.workers : [p.pid]) {
      const n = p.answered[pid] ?? 0;
      const was = before?.answered?.[pid];
      p.processes.push({ pid, rate: was == null || now <= before.at ? 0 : Math.max(0, (n - was) / ((now - before.at) / 1000)), total: n });
    }
    if (before && now <= before.at) return { ...p, processes: before.processes };
    looks.set(p.name, { at: now, answered: p.answered, processes: p.processes });
  } else if (p.pid) {
    for (const pid of p.workers.length ? p.workers : [p.pid]) p.processes.push({ pid, rate: 0, total: 0 });
  }
  return p;
}

// arrivals is how many requests a second come, from whomever.
export const arrivals = () => Object.values(model.live).reduce((n, s) => n + s.rate, 0);

// elsewhere says who sends requests that are not the page's.
export function elsewhere() {
  const others = model.load?.elsewhere ?? [];
  if (others.length) return word('elsewhere', others.map((id) => 'loadgen/' + id).join(', '));
  return !model.load?.running && arrivals() ? word('elsewhere', word('otherClients')) : '';
}

export const instances = () => [...model.parts.values()].filter((p) => p.kind === 'instance');

// addressOf is the server of the balancer that an instance is.
export function addressOf(name) {
  for (const g of model.groups) {
    const i = g.instances.indexOf(name);
    if (i >= 0) return g.servers[i].addr;
  }
  return null;
}

export function nameOf(addr) {
  for (const g of model.groups) {
    const i = g.servers.findIndex((s) => s.addr === addr);
    if (i >= 0) return g.instances[i];
  }
  return addr;
}

// colourOf is the number of an instance's colour: its place in the picture.
export function colourOf(name) {
  let n = 0;
  for (const g of model.groups) {
    for (const i of g.instances) {
      if (i === name) return n % 6;
      n++;
    }
  }
  return 0;
}

// worthAMark tells whether an event stands in the timeline.
export function worthAMark(m) {
  if (m.kind === 'action') return true;
  if (m.kind === 'state') return m.part !== 'database' && !/^stopped/.test(m.text) && !(/^ready/.test(m.text) && m === model.marks.find((o) => o.kind === 'state' && o.part === m.part));
  return m.kind === 'notice' && !!m.part;
}

const loads = { 'load begins': 'loadBegins', 'load ends': 'loadEnds', 'load goes on': 'loadGoesOn' };

// whatHappened is a mark in a few words: actions as they are typed, and states.
export function whatHappened(m) {
  if (loads[m.text]) return word(loads[m.text]);
  if (m.kind === 'action') return m.text.startsWith('loadgen') ? word('loadOf', /-rate (\d+)/.exec(m.text)?.[1] ?? '') : m.text;
  return m.part + ' ' + m.text.split(/[,:]/)[0];
}

// why is the reason that an instance is not ready: its own, else what somebody did to it last.
export function why(p) {
  const did = model.marks.findLast((m) => m.kind === 'action' && m.text.split(' ').includes(p.name));
  const reason = p.reason || did?.text.split(' ').filter((w) => w !== p.name).join(' ');
  return reason ? ': ' + reason + (!p.reason && did.by ? ' ' + word('by', did.by) : '') : '';
}
