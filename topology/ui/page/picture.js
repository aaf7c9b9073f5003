// The picture's parts that are text: clients, balancer, groups, and a row for each instance.

import { clock, count, decimal, megabytes, millis, onLang, percent, rate, word } from './words.js';
import { addressOf, arrivals, colourOf, elsewhere, instances, model, on, why } from './model.js';
import { openPanel } from './panel.js';

const rows = new Map(); // by the instance's name
let shape = '';

const make = (tag, name, ...inside) => {
  const e = document.createElement(tag);
  if (name) e.className = name;
  e.append(...inside);
  return e;
};
const put = (e, text) => { if (e.textContent !== text) e.textContent = text; };

export function startPicture() {
  on('tick', live);
  on('second', second);
  onLang(() => { shape = ''; second(); });
  document.getElementById('client').addEventListener('click', () => openPanel('load'));
  document.getElementById('balancer').addEventListener('click', () => openPanel('balancer'));
}

// build makes the rows anew where groups or instances have changed, as at first.
function build() {
  const now = JSON.stringify([model.groups.map((g) => [g.name, g.instances]), instances().map((p) => p.name)]);
  if (now === shape) return;
  shape = now;
  rows.clear();
  const groups = document.getElementById('groups');
  groups.replaceChildren(head());
  const placed = new Set();
  for (const g of model.groups) {
    const node = make('button', 'node group', make('b'), make('span'));
    node.type = 'button';
    node.dataset.group = g.name;
    node.addEventListener('click', () => openPanel('group', g.name));
    const list = make('div', 'rows');
    g.instances.forEach((name) => { placed.add(name); list.append(row(name)); });
    groups.append(make('section', 'members', node, list));
  }
  const others = instances().filter((p) => !placed.has(p.name));
  if (others.length) {
    const list = make('div', 'rows');
    others.forEach((p) => list.append(row(p.name)));
    groups.append(make('section', 'members', make('span', 'node group none'), list));
  }
  window.dispatchEvent(new Event('resize')); // the lines lead elsewhere now
}

const columns = ['instance', 'processes', 'share', 'rate', 'p50', 'p99', 'cpu', 'memory', 'restarts', 'minute'];

function head() {
  const line = make('div', 'row head');
  for (const c of columns) line.append(make('span', 'c-' + c, word(c)));
  return make('div', 'heads', make('span'), line);
}

function row(name) {
  const cells = Object.fromEntries(columns.map((c) => [c, make('span', 'c-' + c)]));
  const title = make('b', '', name);
  const state = make('small', '', '\u00a0');
  cells.instance.append(title, state);
  const bar = make('span', 'bar', make('i'), make('u'));
  const got = make('b', '', '–'); // nothing moves when the figures come
  const of = make('small', '', '\u00a0');
  cells.share.append(make('span', 'figures', got, of), bar);
  const curve = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  curve.setAttribute('viewBox', '0 0 60 20');
  curve.setAttribute('preserveAspectRatio', 'none');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  curve.append(path);
  cells.minute.append(curve);
  const line = make('button', 'row', ...columns.map((c) => cells[c]));
  line.type = 'button';
  line.dataset.name = name;
  line.dataset.colour = colourOf(name);
  line.addEventListener('click', () => openPanel('instance', name));
  rows.set(name, { line, cells, state, bar, got, of, path });
  return line;
}

// live is what changes four times a second: share and rate.
function live() {
  build();
  for (const g of model.groups) {
    g.servers.forEach((s, i) => {
      const r = rows.get(g.instances[i]);
      const now = model.live[s.addr];
      if (!r || !now) return;
      const idle = now.share < 0;
      put(r.got, percent(now.share));
      put(r.of, word('of', decimal(g.expected[i] * 100, 1)));
      put(r.cells.rate, rate(now.rate));
      r.bar.firstChild.style.transform = `scaleX(${idle ? 0 : now.share})`;
      r.bar.lastChild.style.left = `${g.expected[i] * 100}%`;
      r.line.dataset.share = now.share.toFixed(4);
      r.line.dataset.expected = g.expected[i].toFixed(4);
      r.line.classList.toggle('off', !idle && Math.abs(now.share - g.expected[i]) > 0.03);
    });
  }
  const shown = model.oneOf <= 1.05 ? word('all') : word('sampled', model.oneOf < 2 ? decimal(model.oneOf, 1) : count(model.oneOf));
  put(document.getElementById('sampled'), shown);
}

// second is what changes once a second.
function second() {
  build();
  for (const p of instances()) {
    const r = rows.get(p.name);
    if (!r) continue;
    const recent = model.recent?.servers[addressOf(p.name)];
    r.line.dataset.state = p.state;
    const well = p.state === 'ready';
    put(r.state, well ? (p.delay_s ? word('slowBy', millis(p.delay_s * 1000)) : `:${p.port} ${p.mode}`) : word(p.state) + why(p));
    r.state.title = r.state.textContent;
    r.line.classList.toggle('slow', !!p.delay_s);
    put(r.cells.p50, millis(recent?.p50));
    put(r.cells.p99, millis(recent?.p99));
    put(r.cells.cpu, p.cpu == null ? '–' : percent(p.cpu, 0));
    put(r.cells.memory, megabytes(p.rss_bytes));
    put(r.cells.restarts, count(p.restarts + (p.workers_ended ?? 0)));
    processes(r.cells.processes, p);
    r.path.setAttribute('d', curveOf(addressOf(p.name)));
  }
  nodes();
}

// processes shows one box a process; the fuller, the more of the instance's requests it answers.
function processes(cell, p) {
  const list = p.processes.slice(0, 8);
  while (cell.children.length > list.length) cell.lastChild.remove();
  while (cell.children.length < list.length) cell.append(make('span', 'process', make('i'), make('em')));
  const most = Math.max(1, ...list.map((q) => q.rate));
  list.forEach((q, i) => {
    const box = cell.children[i];
    box.dataset.pid = q.pid;
    box.title = `pid ${q.pid}: ${rate(q.rate)}/s, ${count(q.total)}`;
    box.firstChild.style.transform = `scaleY(${q.rate / most})`;
    put(box.lastChild, q.rate < 0.5 ? '' : count(q.rate));
  });
}

function curveOf(addr) {
  const end = model.rows.at(-1)?.t;
  if (end == null) return '';
  const points = model.rows.filter((r) => r.t > end - 60).map((r) => [r.t - end + 60, r.servers[addr]?.n ?? 0]);
  const most = Math.max(1, ...points.map((q) => q[1]));
  return points.map(([x, y], i) => `${i ? 'L' : 'M'}${x} ${(19 - (y / most) * 18).toFixed(1)}`).join('');
}

function nodes() {
  const client = document.getElementById('client');
  put(client.firstChild, word('clients'));
  const l = model.load;
  const others = l?.elsewhere ?? [];
  const arriving = l?.running && !others.length ? l.rate : arrivals();
  put(client.lastChild, !l?.running && !arriving ? word('nobody') : `${l?.running || others.length ? 'loadgen ' : ''}${rate(arriving)}/s`);
  client.title = [l?.running ? l.command + '\n' + word('runsUntil', clock(l.until)) : '', elsewhere()].filter(Boolean).join('\n');
  const b = document.getElementById('balancer');
  const part = [...model.parts.values()].find((p) => p.kind === 'balancer');
  put(b.firstChild, model.hello.balancer);
  put(b.lastChild, !part || part.state === 'ready' ? `:${model.hello.http_port}` : word(part.state));
  b.classList.toggle('bad', !!part && part.state !== 'ready');
  for (const g of model.groups) {
    const node = document.querySelector(`.node.group[data-group="${CSS.escape(g.name)}"]`);
    if (!node) continue;
    put(node.firstChild, g.name);
    put(node.lastChild, [g.method, ...(g.args ?? [])].join(' ') + ' ' + g.servers.map((s) => s.weight).join(':'));
  }
}
