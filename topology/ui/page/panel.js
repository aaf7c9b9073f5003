// The panel at the side, with the hands: what can be done to a part, and the command that does the same in a terminal.

import { clock, count, millis, onLang, word } from './words.js';
import { elsewhere, model, on, why } from './model.js';

const panel = () => document.getElementById('panel');
let shown = null; // {kind, name, draw}
let last = ''; // what the panel was made of
const makers = { instance, group, balancer, load };

export function startPanel() {
  on('second', () => draw(false));
  onLang(() => draw(true));
}

// register lets another file fill the panel.
export function register(kind, make) { makers[kind] = make; }

export function openPanel(kind, name) {
  const before = shown;
  shown = { kind, name };
  said = null;
  panel().hidden = false;
  draw(true);
  if (!before) window.dispatchEvent(new Event('resize'));
  panel().querySelector('h2')?.focus();
}

export function closePanel() {
  if (!shown) return;
  shown = null;
  panel().hidden = true;
  panel().replaceChildren();
  window.dispatchEvent(new Event('resize'));
}

// draw makes the panel anew if what it shows has changed, but not under the hands of somebody who writes in it.
export function draw(always) {
  if (!shown) return;
  const made = makers[shown.kind](shown.name);
  if (!made) return;
  const now = JSON.stringify([shown, made.key]);
  if (!always && (now === last || panel().contains(document.activeElement) && /^(INPUT|SELECT)$/.test(document.activeElement.tagName))) return;
  last = now;
  const focus = document.activeElement?.dataset?.key;
  const scroll = panel().scrollTop;
  panel().replaceChildren(top(made.title), ...made.parts(), result());
  panel().setAttribute('aria-label', made.title);
  panel().scrollTop = scroll;
  if (focus) panel().querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus();
}

export function e(tag, attributes, ...inside) {
  const out = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes ?? {})) {
    if (k === 'click') out.addEventListener('click', v);
    else if (v === true) out.setAttribute(k, '');
    else if (v !== false && v != null) out.setAttribute(k, v);
  }
  out.append(...inside.filter((i) => i != null));
  return out;
}

function top(title) {
  const close = e('button', { type: 'button', class: 'close', 'aria-label': word('close'), click: closePanel }, '✕');
  return e('div', { class: 'top' }, e('h2', { tabindex: '-1' }, title), close);
}

// What the last action has come to.
let said = null;
function result() {
  const out = e('p', { class: 'said' + (said?.bad ? ' bad' : ''), role: 'status' });
  out.textContent = said?.text ?? '';
  return out;
}

function say(text, bad) {
  said = { text, bad };
  const out = panel().querySelector('.said');
  if (!out) return;
  out.textContent = text;
  out.classList.toggle('bad', !!bad);
}

export async function post(path, body) {
  const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const said = await answer.json();
  if (said.error) throw new Error(said.error);
  return said;
}

// act carries out an action; true: it is done.
export async function act(action) {
  say(word('acting'));
  try {
    const { lines } = await post('api/actions', action);
    say(lines.join('\n') || word('done'));
    return true;
  } catch (err) {
    say(err.message, true);
    return false;
  }
}

// command is what does the same in a terminal.
export function command(a) {
  const words = ['topology', a.verb, ...(a.names ?? [])];
  if (a.signal && a.signal !== 'KILL') words.push('--signal', a.signal);
  if (a.worker) words.push('--worker', a.worker);
  if (a.for) words.push('--for', a.for);
  if (a.verb === 'scale') words.push(a.workers);
  if (a.verb === 'slow') words.push(a.delay);
  if (a.verb === 'balance') words.push(a.group, a.method.includes(' ') ? `'${a.method}'` : a.method);
  if (a.verb === 'weights') words.push(a.group, a.weights.join(','));
  return words.join(' ');
}

export function hand(label, action, more = {}) {
  const text = more.command ?? command(action);
  const button = e('button', { type: 'button', class: 'hand ' + (more.class ?? ''), 'data-key': more.key ?? text, disabled: !!more.disabled },
    e('b', {}, label), e('code', {}, text));
  button.addEventListener('click', () => (more.click ? more.click() : act(typeof action === 'function' ? action() : action)));
  return button;
}

function instance(name) {
  const p = model.parts.get(name);
  if (!p) return null;
  const down = p.state === 'stopped' || p.state === 'failed';
  return {
    title: name,
    key: [down, p.mode, p.workers.length, p.wanted_workers, p.delay_s ?? 0, p.state, p.reason, p.pid],
    parts() {
      const names = [name];
      const out = [e('p', { class: 'about' }, `:${p.port} ${p.mode}, pid ${p.pid || '–'}, ${word(p.state)}${p.state === 'ready' ? '' : why(p)}`), e('h3', {}, word('hands'))];
      const off = { disabled: down }; // they stay where they are: nothing moves under the pointer
      out.push(
        hand(word('kill'), { verb: 'kill', names, for: '10s' }, off),
        hand(word('killOnce'), { verb: 'kill', names }, off),
        hand(word('freeze'), { verb: 'kill', names, signal: 'STOP', for: '10s' }, off),
        down ? hand(word('bringUp'), { verb: 'restart', names }, { key: 'toggle' }) : hand(word('takeDown'), { verb: 'down', names }, { key: 'toggle' }),
        hand(word('restart'), { verb: 'restart', names }, off),
        hand(word('reload'), { verb: 'reload', names }, off),
      );
      out.push(e('h3', {}, word('slow')), choice([0, 50, 200, 1000].map((ms) => ({
        label: ms ? millis(ms) : '0', on: Math.round((p.delay_s ?? 0) * 1000) === ms, act: { verb: 'slow', names, delay: ms ? ms + 'ms' : '0s' },
      }))));
      if (p.mode === 'CLUSTER') {
        const n = p.wanted_workers || p.workers.length;
        out.push(e('h3', {}, word('workersSet')), choice([...new Set([1, 2, 3, 4, 6, n])].sort((a, b) => a - b).map((k) => ({
          label: String(k), on: n === k, act: { verb: 'scale', names, workers: k },
        }))));
      }
      return out;
    },
  };
}

// choice is a line of buttons of which one is on; below it stands the command of the one that is pointed at.
function choice(options) {
  const code = e('code', {}, command((options.find((o) => o.on) ?? options[0]).act));
  const buttons = options.map((o) => {
    const b = e('button', { type: 'button', 'aria-pressed': String(o.on), 'data-key': command(o.act), title: command(o.act), click: () => act(o.act) }, o.label);
    for (const event of ['pointerenter', 'focus']) b.addEventListener(event, () => { code.textContent = command(o.act); });
    return b;
  });
  return e('div', {}, e('div', { class: 'choice' }, ...buttons), code);
}

function group(name) {
  const g = model.groups.find((o) => o.name === name);
  if (!g) return null;
  const method = [g.method, ...(g.args ?? [])].join(' ');
  return {
    title: name,
    key: [method, g.servers.map((s) => s.weight)],
    parts() {
      const inputs = g.servers.map((s) => e('input', { type: 'number', min: 1, max: 100, value: s.weight, inputmode: 'numeric' }));
      const wanted = () => ({ verb: 'weights', group: name, weights: inputs.map((i) => Math.max(1, Math.round(Number(i.value)) || 1)) });
      const apply = hand(word('apply'), wanted, { command: command(wanted()), key: 'weights' });
      for (const i of inputs) i.addEventListener('input', () => { apply.querySelector('code').textContent = command(wanted()); });
      return [
        e('p', { class: 'about' }, g.promise?.because ?? ''),
        e('h3', {}, word('method')),
        choice([...new Set([...model.hello.methods, method])].map((m) => ({ label: m, on: m === method, act: { verb: 'balance', group: name, method: m } }))),
        e('h3', {}, word('weights')),
        e('div', { class: 'fields' }, ...g.servers.map((s, i) => e('label', {}, g.instances[i], inputs[i]))),
        apply,
      ];
    },
  };
}

function balancer() {
  const name = model.hello.balancer;
  return {
    title: name,
    key: model.parts.get(name)?.state,
    parts: () => [
      e('p', { class: 'about' }, `:${model.hello.http_port}, pid ${model.parts.get(name)?.pid ?? '–'}`),
      e('h3', {}, word('hands')),
      hand(word('reloadBalancer'), { verb: 'reload', names: [name] }),
      hand(word('restart'), { verb: 'restart', names: [name] }),
    ],
  };
}

const paces = ['constant', 'poisson', 'sine:{0}:{1}:30s', 'ramp:{1}:{0}'];
const paceNames = ['constant', 'poisson', 'sine', 'ramp'];

function load() {
  const l = model.load;
  return {
    title: word('load'),
    key: [l?.running, l?.command, l?.last, l?.said, elsewhere()],
    parts() {
      if (!l?.possible) return [e('p', {}, word('noLoadgen'))];
      const field = (key, input) => e('label', {}, word(key), input);
      const number = e('input', { type: 'number', min: 1, max: 20000, value: l.rate || 200, inputmode: 'numeric', 'data-key': 'rate' });
      const what = e('select', {}, ...['mix', 'site', 'randoms', 'session', 'ws'].map((s) => e('option', { selected: s === l.scenario }, s)));
      const pace = e('select', {}, ...paces.map((p, i) => e('option', { value: p, selected: (l.pace ?? '').startsWith(paceNames[i]) }, word(paceNames[i]))));
      const minutes = e('input', { type: 'number', min: 1, max: model.hello.max_minutes, value: l.minutes || 10, inputmode: 'numeric' });
      const wanted = () => ({
        rate: Number(number.value), scenario: what.value, minutes: Number(minutes.value),
        pace: pace.value.replace('{0}', number.value).replace('{1}', Math.round(Number(number.value) / 2)),
      });
      const typed = (w) => `loadgen -target :${model.hello.http_port} -rate ${w.rate} -scenario ${w.scenario} -duration ${w.minutes}m` + (w.pace === 'constant' ? '' : ` -pace ${w.pace}`);
      const start = hand(word(l.running ? 'change' : 'start'), null, { command: typed(wanted()), key: 'start', class: 'main', click: () => setLoad(wanted()) });
      for (const i of [number, what, pace, minutes]) i.addEventListener('input', () => { start.querySelector('code').textContent = typed(wanted()); });
      return [
        e('p', { class: 'about' }, l.running ? word('runsUntil', clock(l.until)) : elsewhere() || word('nobody')),
        e('div', { class: 'fields' }, field('rateSet', number), field('scenario', what), field('pace', pace), field('minutes', minutes)),
        start,
        l.running ? hand(word('stop'), null, { command: 'Ctrl-C', key: 'stop', click: () => setLoad({ rate: 0 }) }) : null,
        l.last ? e('p', { class: 'about' }, word('lastLoad', ended(l.last))) : null,
        l.said ? e('p', { class: 'about' }, l.said) : null,
      ].filter(Boolean);
    },
  };
}

function ended(last) {
  const n = (v) => (v == null ? '?' : count(v));
  if (last.unexplained === 0) return word('agreed', n(last.client), n(last.nginx), n(last.servers), millis(last.p99_s * 1000));
  return word('disagreed', n(last.client), n(last.nginx), n(last.servers), n(last.unexplained));
}

export async function setLoad(wanted) {
  say(word('acting'));
  try {
    model.load = { ...model.load, ...await post('api/load', wanted) };
    say(word('done'));
    draw(true);
    return true;
  } catch (err) {
    say(err.message, true);
    return false;
  }
}
