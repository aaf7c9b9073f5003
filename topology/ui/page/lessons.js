// Lessons: each says what to press and what to watch, checks that it has happened, and ends with what it measured here.

import { count, decimal, lang, millis, percent, word } from './words.js';
import { addressOf, model, on } from './model.js';
import { act, command, draw, e, hand, openPanel, register, setLoad } from './panel.js';

let lessons = [];
const asked = fetch('api/lessons').then((r) => r.json()).then((all) => { lessons = all; });
let run = null; // the lesson that is played: {number, step, steps: [{pressed, seen, latest, whole, ...}], begun}
let looking = false;

export function startLessons() {
  register('lessons', list);
  register('lesson', one);
  document.getElementById('lessons').addEventListener('click', () => openPanel(run ? 'lesson' : 'lessons', run?.number));
  on('second', look);
}

export async function openLesson(number) {
  await asked;
  if (!lessons[number - 1]) return;
  if (run?.number !== number) run = { number, steps: lessons[number - 1].steps.map(() => ({})) };
  openPanel('lesson', number);
}

const say = (texts) => texts?.[lang()] ?? texts?.en ?? '';

function list() {
  return {
    title: word('five'),
    key: lessons.length,
    parts: () => [
      ...lessons.map((l, i) => e('button', { type: 'button', class: 'lesson', 'data-lesson': i + 1, click: () => openLesson(i + 1) }, e('b', {}, String(i + 1)), e('span', {}, say(l.title)))),
      e('p', { class: 'about' }, word('keys')),
    ],
  };
}

const now = () => run.steps.findIndex((s) => !s.seen);
const loaded = (l) => !l.load || model.load?.running && model.load.rate === l.load.rate && model.load.scenario === l.load.scenario;

function one(number) {
  const l = lessons[number - 1];
  if (!l || !run) return null;
  return {
    title: `${number}. ${say(l.title)}`,
    key: [run, loaded(l)],
    parts() {
      const out = [e('p', {}, say(l.why))];
      if (l.load) {
        const typed = `loadgen -target :${model.hello.http_port} -rate ${l.load.rate} -scenario ${l.load.scenario}`;
        out.push(hand(word('lessonLoad'), null, { command: typed, key: 'load', class: loaded(l) ? '' : 'main', disabled: loaded(l), click: () => setLoad({ minutes: 10, ...lessLoad(l.load) }) }));
      }
      l.steps.forEach((s, i) => { if (i <= now() || now() < 0) out.push(step(l, s, i)); });
      if (now() < 0) out.push(e('div', { class: 'found', 'data-found': number }, e('h3', {}, word('measured')), e('p', {}, fill(say(l.found)))));
      if (run.steps[0].pressed) out.push(hand(now() < 0 ? word('putBack') : word('again'), null, { command: undo(l).map(command).join('; ') || '–', key: 'undo', click: () => again(l) }));
      out.push(e('button', { type: 'button', class: 'lesson', 'data-key': 'back', click: leave }, word('back')));
      return out;
    },
  };
}

const lessLoad = (l) => ({ rate: l.rate, scenario: l.scenario, pace: l.pace || 'constant' });
const undo = (l) => l.undo ?? [];

function step(l, s, i) {
  const state = run.steps[i];
  const out = e('div', { class: 'step' + (state.seen ? ' done' : i === now() ? ' now' : ''), 'data-step': i + 1, 'data-seen': String(!!state.seen) });
  out.append(e('p', {}, e('b', {}, `${i + 1}. `), say(s.press)));
  if (s.act && !state.pressed) out.append(hand(word('press'), s.act, { command: s.command, key: 'press', class: 'main', disabled: !loaded(l), click: () => press(s, state) }));
  else if (s.act) out.append(e('code', {}, s.command));
  if (state.pressed || !s.act) {
    out.append(e('p', {}, e('b', {}, word('watch') + ': '), say(s.watch)));
    out.append(e('p', { class: 'seen', role: 'status' }, state.seen ? '✓ ' + word('seen', decimal(state.took, 1)) : word('waiting') + (state.unmet ? `: ${state.unmet}` : ' …')));
  }
  return out;
}

async function press(s, state) {
  state.pressed = performance.now();
  state.from = Math.ceil(model.complete / 1000) + 1;
  state.failed = model.load?.failed ?? 0;
  draw(true);
  state.acted = await act(s.act);
  if (!state.acted) { state.pressed = 0; draw(true); }
}

// look checks, once a second, whether the step has come to what it is to.
async function look() {
  if (!run || looking) return;
  const l = lessons[run.number - 1];
  const i = now();
  const state = run.steps[i];
  if (i < 0 || !loaded(l)) return;
  const s = l.steps[i];
  if (!s.act && !state.pressed) {
    Object.assign(state, { acted: true, pressed: performance.now(), from: Math.ceil(model.complete / 1000), failed: model.load?.failed ?? 0 });
    draw(true);
  }
  if (!state.acted) return;
  const to = Math.floor(model.complete / 1000);
  const from = Math.max(state.from, to - s.seconds);
  if (to - from < s.seconds) return;
  looking = true;
  try {
    const latest = await sum(from, to);
    const whole = await sum(state.from, to);
    const total = await sum(run.steps[0].from, to);
    Object.assign(state, { latest, whole, total, seconds: s.seconds, fails: (model.load?.failed ?? 0) - state.failed, processes: processesNow() });
    const unmet = s.check.find((c) => !holds(c, state));
    state.unmet = unmet && shownCheck(unmet, state);
    if (!unmet) {
      state.took = (performance.now() - state.pressed) / 1000;
      state.seen = true;
    }
  } catch { /* asked again in a second */ } finally { looking = false; }
  draw(state.seen);
}

const sum = (from, to) => fetch(`api/window?from=${from}&to=${to}`).then((r) => r.json());

function processesNow() {
  const out = {};
  for (const p of model.parts.values()) {
    const all = p.processes.reduce((n, q) => n + q.rate, 0);
    const busy = p.processes.filter((q) => q.rate > all / 20).length;
    out[p.name] = { busy, idle: p.processes.length - busy, restarts: p.restarts };
  }
  return out;
}

// measure is what a step has measured; see lessons/README.md.
function measure(words, state) {
  let row = state.latest;
  if (words[0] === 'whole' || words[0] === 'total') { row = state[words[0]]; words = words.slice(1); }
  const [what, name] = words;
  if (what === 'took' || what === 'seconds') return state[what];
  if (what === 'failed') return state.fails;
  if (what === 'busy' || what === 'idle' || what === 'restarts') return state.processes[name]?.[what];
  const group = model.groups.find((g) => g.name === name || g.instances.includes(name));
  const cell = group?.name === name ? row.groups[name] : row.servers[addressOf(name)];
  switch (what) {
    case 'share': return (cell?.n ?? 0) / Math.max(1, group.servers.reduce((n, s) => n + (row.servers[s.addr]?.n ?? 0), 0));
    case 'errors': return cell?.e ?? 0;
    case 'retried': return cell?.r ?? 0;
    case 'rate': return (cell?.n ?? 0) / state.seconds;
    default: return cell?.[what] ?? 0;
  }
}

function holds(check, state) {
  const words = check.split(' ');
  const [op, limit] = words.splice(-2);
  if (words[0] === 'state') return model.parts.get(words[1])?.state === limit;
  const n = measure(words, state);
  return op === '<' ? n < Number(limit) : n > Number(limit);
}

// shownCheck is a check with what is so now.
function shownCheck(check, state) {
  const words = check.split(' ');
  if (words[0] === 'state') return `${check}, ${word(model.parts.get(words[1])?.state)}`;
  return `${check}, ${word('now')} ${shown(words.slice(0, -2), state)}`;
}

function shown(words, state) {
  const n = measure(words, state);
  if (words.includes('share')) return percent(n);
  if (words.includes('p50') || words.includes('p99')) return millis(n);
  return count(n);
}

// fill writes into the sentence what was measured.
function fill(text) {
  const l = lessons[run.number - 1];
  return text.replace(/\{(\w+)\.([^}]+)\}/g, (_, name, words) => {
    const state = run.steps[l.steps.findIndex((s) => s.name === name)];
    return shown(words.split(' '), state);
  });
}

// again puts everything back and begins anew.
async function again(l) {
  run = { number: run.number, steps: l.steps.map(() => ({})) };
  for (const a of undo(l)) await act(a);
  draw(true);
}

async function leave() {
  const l = lessons[run.number - 1];
  const touched = run.steps.some((s) => s.pressed);
  run = null;
  openPanel('lessons');
  if (touched) for (const a of undo(l)) await act(a);
}
