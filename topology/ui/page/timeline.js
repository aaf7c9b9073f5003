// The last five minutes: shares of each group, p99, retries and errors, second by second, with a mark for each event.

import { clock, count, millis, onLang, percent, word } from './words.js';
import { colourOf, model, on, whatHappened, worthAMark } from './model.js';

const span = 300;
const plot = () => document.getElementById('plot');
let at = null; // where the pointer is, in pixels
let colours = {};

export function startTimeline() {
  on('second', draw);
  onLang(draw);
  addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  const c = plot();
  c.addEventListener('pointermove', (e) => { at = e.offsetX; draw(); });
  c.addEventListener('pointerleave', () => { at = null; draw(); });
}

// frame is where everything lies: lanes from top to bottom, seconds from left to right.
function frame(w, h, em) {
  const left = 0;
  const right = w - em * 6.4;
  const top = em * 2.6;
  const bottom = h - em * 1.4;
  const gap = em * 0.5;
  const lanes = model.groups.length + 2;
  const unit = (bottom - top - gap * (lanes - 1)) / (model.groups.length * 1.35 + 1.8);
  const out = [];
  let y = top;
  for (const g of model.groups) { out.push({ kind: 'shares', group: g, y, h: unit * 1.35 }); y += unit * 1.35 + gap; }
  for (const kind of ['latency', 'troubles']) { out.push({ kind, y, h: unit * 0.9 }); y += unit * 0.9 + gap; }
  return { left, right, top, bottom, lanes: out };
}

function draw() {
  const c = plot();
  const box = c.getBoundingClientRect();
  if (!model.hello || box.width < 10) return;
  const scale = Math.min(2, devicePixelRatio || 1);
  const [w, h] = [Math.round(box.width * scale), Math.round(box.height * scale)];
  if (c.width !== w || c.height !== h) { c.width = w; c.height = h; }
  const style = getComputedStyle(document.documentElement);
  for (const key of ['line', 'muted', 'ink', 'bad', 'retry', 'surface', 'accent']) colours[key] = style.getPropertyValue('--' + key).trim();
  colours.of = [0, 1, 2, 3, 4, 5].map((i) => style.getPropertyValue('--c' + i).trim());
  const em = parseFloat(style.fontSize) * 0.78;
  const g = c.getContext('2d');
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, box.width, box.height);
  g.font = `${em}px ${style.fontFamily}`;
  g.textBaseline = 'middle';
  const f = frame(box.width, box.height, em);
  const end = Math.floor(model.complete / 1000);
  f.end = end;
  f.x = (second) => f.left + ((second - end + span) / span) * (f.right - f.left);
  f.w = (f.right - f.left) / span;
  f.px = (x) => Math.round(x * scale) / scale; // no seams between bands
  axis(g, f, em);
  for (const lane of f.lanes) ({ shares, latency, troubles })[lane.kind](g, f, lane, em);
  marks(g, f, em);
  readout(g, f);
}

const rowsIn = (f) => model.rows.filter((r) => r.t >= f.end - span && r.t < f.end);

function axis(g, f, em) {
  g.strokeStyle = colours.line;
  g.fillStyle = colours.muted;
  g.lineWidth = 1;
  for (let m = 0; m <= 5; m++) {
    const x = Math.round(f.x(f.end - m * 60)) + 0.5;
    g.beginPath();
    g.moveTo(x, f.top);
    g.lineTo(x, f.bottom);
    g.stroke();
    if (f.right - f.left < em * 36 && (m === 1 || m === 2 || m === 4)) continue;
    g.textAlign = m === 5 ? 'left' : m === 0 ? 'right' : 'center';
    g.fillText(m ? `−${m} min` : word('now'), x, f.bottom + em * 0.8);
  }
}

function label(g, f, lane, text, y, colour = colours.muted) {
  g.textAlign = 'left';
  g.fillStyle = colour;
  g.fillText(text, f.right + 8, y);
}

// shares are bands that fill the lane; where the bands are to meet is marked.
function shares(g, f, lane, em) {
  const { group } = lane;
  g.fillStyle = colours.line;
  g.globalAlpha = 0.35;
  g.fillRect(f.left, lane.y, f.right - f.left, lane.h);
  g.globalAlpha = 1;
  for (const row of rowsIn(f)) {
    const counts = group.servers.map((s) => row.servers[s.addr]?.n ?? 0);
    const total = counts.reduce((a, b) => a + b, 0);
    if (!total) continue;
    let y = lane.y;
    counts.forEach((n, i) => {
      const height = (n / total) * lane.h;
      g.fillStyle = colours.of[colourOf(group.instances[i])];
      g.fillRect(f.px(f.x(row.t)), y, f.px(f.x(row.t + 1)) - f.px(f.x(row.t)), height);
      y += height;
    });
  }
  let expected = 0;
  g.strokeStyle = colours.surface;
  g.lineWidth = 1.5;
  const every = Math.ceil((em * 0.95) / (lane.h / group.servers.length)); // names that have room
  group.servers.forEach((s, i) => {
    const middle = lane.y + (expected + group.expected[i] / 2) * lane.h;
    if (i % every === 0) label(g, f, lane, group.instances[i], middle, colours.ink);
    g.fillStyle = colours.of[colourOf(group.instances[i])];
    g.fillRect(f.right + 2, lane.y + expected * lane.h + 1, 3, group.expected[i] * lane.h - 2);
    expected += group.expected[i];
    if (i === group.servers.length - 1) return;
    g.setLineDash([2, 4]);
    g.beginPath();
    g.moveTo(f.left, lane.y + expected * lane.h);
    g.lineTo(f.right, lane.y + expected * lane.h);
    g.stroke();
    g.setLineDash([]);
  });
}

// nice is a round number that is not below n.
function nice(n) {
  for (let p = 1; ; p *= 10) for (const k of [1, 2, 5]) if (k * p >= n) return k * p;
}

function latency(g, f, lane, em) {
  const rows = rowsIn(f).filter((r) => r.all.p99 >= 0);
  const most = nice(Math.max(10, ...rows.map((r) => r.all.p99)));
  base(g, f, lane);
  g.strokeStyle = colours.accent;
  g.lineWidth = 1.8;
  g.lineJoin = 'round';
  g.beginPath();
  let before = null;
  for (const r of rows) {
    const [x, y] = [f.x(r.t) + f.w / 2, lane.y + lane.h - (r.all.p99 / most) * (lane.h - 2)];
    if (before === r.t - 1) g.lineTo(x, y); else { g.moveTo(x - f.w / 2, y); g.lineTo(x, y); }
    before = r.t;
  }
  g.stroke();
  label(g, f, lane, 'p99', lane.y + lane.h * 0.3, colours.ink);
  if (lane.h > em * 2) label(g, f, lane, `0–${millis(most)}`, lane.y + lane.h * 0.3 + em * 1.15);
}

// troubles are retries, hollow, and errors, filled.
function troubles(g, f, lane, em) {
  base(g, f, lane);
  const rows = rowsIn(f);
  const retried = (r) => Object.values(r.groups).reduce((n, c) => n + (c.r ?? 0), 0);
  const most = nice(Math.max(10, ...rows.map((r) => Math.max(retried(r), r.all.e ?? 0))));
  for (const r of rows) {
    const [n, e] = [retried(r), r.all.e ?? 0];
    if (n) {
      const height = Math.max(2, (n / most) * (lane.h - 1));
      g.fillStyle = colours.retry;
      g.fillRect(f.x(r.t), lane.y + lane.h - height, Math.max(1, f.w - 0.5), height);
    }
    if (e) {
      const height = Math.max(3, (e / most) * (lane.h - 1));
      g.fillStyle = colours.bad;
      g.fillRect(f.x(r.t), lane.y + lane.h - height, Math.max(2, f.w), height);
    }
  }
  const room = lane.h > em * 2;
  label(g, f, lane, word('retries'), lane.y + lane.h * (room ? 0.3 : 0.5), colours.retry);
  if (room) label(g, f, lane, word('errors'), lane.y + lane.h * 0.3 + em * 1.15, colours.bad);
}

function base(g, f, lane) {
  g.strokeStyle = colours.line;
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(f.left, Math.round(lane.y + lane.h) + 0.5);
  g.lineTo(f.right, Math.round(lane.y + lane.h) + 0.5);
  g.stroke();
}

// marks are lines with a flag. Where flags would lie on each other, what somebody did goes before what happened, and
// what is newer before what is older; the others show their pole alone.
function marks(g, f, em) {
  const list = document.getElementById('marks');
  const shown = model.marks.filter((m) => worthAMark(m) && m.ms / 1000 > f.end - span);
  const taken = [[], []]; // on each of two lines, from where to where
  for (const m of shown.toReversed().sort((a, b) => (b.kind === 'action') - (a.kind === 'action'))) {
    const x = Math.min(f.x(m.ms / 1000), f.right);
    const action = m.kind === 'action';
    g.strokeStyle = action ? colours.ink : colours.muted;
    g.lineWidth = action ? 1.5 : 1;
    g.globalAlpha = action ? 0.8 : 0.5;
    g.setLineDash(action ? [] : [2, 3]);
    g.beginPath();
    g.moveTo(x, f.top - 2);
    g.lineTo(x, f.bottom);
    g.stroke();
    g.setLineDash([]);
    g.globalAlpha = 1;
    const text = whatHappened(m);
    const wide = g.measureText(text).width;
    const left = Math.min(x + 3, f.right - wide);
    const line = taken.findIndex((t) => t.every(([from, to]) => left > to || left + wide < from));
    if (line < 0) continue;
    taken[line].push([left - em * 0.6, left + wide + em * 0.6]);
    g.textAlign = 'left';
    g.fillStyle = action ? colours.ink : colours.muted;
    g.fillText(text, left, em * (1.85 - line * 1.15));
  }
  const texts = shown.slice(-12).map((m) => `${clock(m.ms)} ${whatHappened(m)}${m.by ? ' ' + word('by', m.by) : ''}`);
  if (list.textContent !== texts.join('')) {
    list.replaceChildren(...texts.map((t) => { const li = document.createElement('li'); li.textContent = t; return li; }));
  }
}

// readout tells of the second under the pointer.
function readout(g, f) {
  const out = document.getElementById('readout');
  if (at == null || at > f.right) { out.hidden = true; return; }
  const second = Math.floor(f.end - span + ((at - f.left) / (f.right - f.left)) * span);
  const row = model.rows.find((r) => r.t === second);
  g.strokeStyle = colours.accent;
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(at, f.top);
  g.lineTo(at, f.bottom);
  g.stroke();
  const near = model.marks.filter((m) => worthAMark(m) && Math.abs(m.ms / 1000 - second) < 2).map((m) => whatHappened(m) + (m.by ? ` (${word('by', m.by)})` : ''));
  const parts = [clock(second * 1000)];
  if (row) {
    parts.push(`${count(row.all.n)} ${word('requests')}`, `p99 ${millis(row.all.p99)}`);
    for (const grp of model.groups) {
      const total = grp.servers.reduce((n, s) => n + (row.servers[s.addr]?.n ?? 0), 0);
      if (total) parts.push(grp.servers.map((s) => percent((row.servers[s.addr]?.n ?? 0) / total, 0)).join(' : '));
    }
  }
  out.textContent = [...parts, ...near].join('  ·  ');
  out.hidden = false;
}
