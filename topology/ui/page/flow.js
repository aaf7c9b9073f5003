// Requests on their way through the picture. Each dot is a request of the log, with the servers that were tried for it.

import { colourOf, model, nameOf, on } from './model.js';

const canvas = () => document.getElementById('flow');
const still = matchMedia('(prefers-reduced-motion: reduce)');
const dark = matchMedia('(prefers-color-scheme: dark)');

let dots = []; // those on their way and those that are to start
let lines = new Map(); // by where they lead: {points, name}
let colours = {};
let due = true; // lines are to be found anew
const delay = 300; // milliseconds that everything is shown later, so that it comes in order
const most = 400; // dots at once

export function startFlow() {
  on('tick', (u) => {
    if (!still.matches && !document.hidden) for (const s of u.samples ?? []) start(s);
    due = due || still.matches;
  });
  on('second', () => { due = true; });
  addEventListener('resize', () => { due = true; });
  dark.addEventListener('change', () => { due = true; });
  requestAnimationFrame(frame);
}

// start plans the way of a request: legs one after the other, each along a line, forth or back.
function start(s) {
  if (dots.length >= most) return;
  const legs = [['client', 320, 1], ['g ' + s.g, 260, 1]];
  s.via.forEach((addr, i) => {
    const name = nameOf(addr);
    legs.push([name, 420, 1]);
    if (i < s.via.length - 1) legs.push([name, 340, -1]);
  });
  const wait = Math.min(1500, s.ms); // it stays as long as it took
  dots.push({ at: model.at + delay + Math.max(-250, Math.min(1000, s.t - model.complete)), legs, wait, failed: s.failed, name: nameOf(s.via.at(-1) ?? '') });
}

function measure() {
  const c = canvas();
  const box = c.parentElement.getBoundingClientRect();
  const scale = Math.min(2, devicePixelRatio || 1);
  const [w, h] = [Math.round(box.width * scale), Math.round(box.height * scale)];
  if (c.width !== w || c.height !== h) { c.width = w; c.height = h; }
  const style = getComputedStyle(document.documentElement);
  for (const key of ['line', 'muted', 'bad', 'retry', 'surface']) colours[key] = style.getPropertyValue('--' + key).trim();
  colours.of = [0, 1, 2, 3, 4, 5].map((i) => style.getPropertyValue('--c' + i).trim());
  const rect = (e) => {
    const r = e.getBoundingClientRect();
    return { l: r.left - box.left, r: r.right - box.left, t: r.top - box.top, b: r.bottom - box.top, y: (r.top + r.bottom) / 2 - box.top };
  };
  const client = rect(document.getElementById('client'));
  const balancer = rect(document.getElementById('balancer'));
  const narrow = innerWidth <= 760;
  lines = new Map();
  lines.set('client', { points: curve(client.r, client.y, balancer.l, balancer.y) });
  for (const node of document.querySelectorAll('.node.group[data-group]')) {
    const g = rect(node);
    lines.set('g ' + node.dataset.group, { points: narrow ? lane(balancer, g) : curve(balancer.r, balancer.y, g.l, g.y) });
    for (const row of node.parentElement.querySelectorAll('.row[data-name]')) {
      const r = rect(row);
      lines.set(row.dataset.name, { name: row.dataset.name, row, points: narrow ? lane(g, r) : curve(g.r, g.y, r.l, r.y) });
    }
  }
  return scale;
}

// curve is a line from left to right that begins and ends level, as points.
function curve(x1, y1, x2, y2) {
  const out = [];
  for (let i = 0; i <= 24; i++) {
    const t = i / 24;
    const [a, b, c, d] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
    const middle = (x1 + x2) / 2;
    out.push([a * x1 + b * middle + c * middle + d * x2, a * y1 + b * y1 + c * y2 + d * y2]);
  }
  return out;
}

// lane leads down at the left edge, where the picture is narrow.
function lane(from, to) {
  const x = to.l - 9;
  if (from.l > to.l + 20) { // from the balancer, which stands at the right
    const y = (from.b + to.t) / 2;
    return even([[(from.l + from.r) / 2, from.b], [(from.l + from.r) / 2, y], [x, y], [x, to.y], [to.l, to.y]]);
  }
  return even([[from.l, from.y], [x, from.y], [x, to.y], [to.l, to.y]]);
}

function even(corners) {
  const lengths = corners.slice(1).map((p, i) => Math.hypot(p[0] - corners[i][0], p[1] - corners[i][1]));
  const whole = lengths.reduce((a, b) => a + b, 0) || 1;
  const out = [];
  for (let k = 0; k <= 24; k++) {
    let left = (whole * k) / 24;
    let i = 0;
    while (i < lengths.length - 1 && left > lengths[i]) left -= lengths[i++];
    const t = lengths[i] ? Math.min(1, left / lengths[i]) : 0;
    out.push([corners[i][0] + t * (corners[i + 1][0] - corners[i][0]), corners[i][1] + t * (corners[i + 1][1] - corners[i][1])]);
  }
  return out;
}

function along(points, t) {
  const x = Math.max(0, Math.min(1, t)) * (points.length - 1);
  const i = Math.min(points.length - 2, Math.floor(x));
  const f = x - i;
  return [points[i][0] + f * (points[i + 1][0] - points[i][0]), points[i][1] + f * (points[i + 1][1] - points[i][1])];
}

let scale = 1;
let ground = null; // the lines, drawn once a second
function frame() {
  requestAnimationFrame(frame);
  if (!model.groups.length || document.hidden) return;
  const c = canvas();
  if (due) {
    due = false;
    scale = measure();
    ground = new OffscreenCanvas(Math.max(1, c.width), Math.max(1, c.height));
    drawLines(ground.getContext('2d'));
  } else if (!dots.length) return;
  const g = c.getContext('2d');
  g.setTransform(1, 0, 0, 1, 0, 0);
  g.clearRect(0, 0, c.width, c.height);
  g.drawImage(ground, 0, 0);
  g.setTransform(scale, 0, 0, scale, 0, 0);
  const now = performance.now();
  dots = dots.filter((d) => drawDot(g, d, now));
  if (!dots.length) due = true; // once more, without any
}

function drawLines(g) {
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.lineCap = 'round';
  for (const l of lines.values()) {
    const down = l.row && l.row.dataset.state && l.row.dataset.state !== 'ready';
    const rate = l.name ? model.live[[...addresses(l.name)][0]]?.rate ?? 0 : 0;
    g.strokeStyle = colours.line;
    g.lineWidth = l.name ? 1.5 + Math.min(4, Math.sqrt(rate) / 4) : 3;
    g.setLineDash(down ? [3, 6] : []);
    g.beginPath();
    l.points.forEach(([x, y], i) => (i ? g.lineTo(x, y) : g.moveTo(x, y)));
    g.stroke();
  }
  g.setLineDash([]);
}

function* addresses(name) {
  for (const group of model.groups) for (let i = 0; i < group.servers.length; i++) if (group.instances[i] === name) yield group.servers[i].addr;
}

// drawDot returns whether the dot is still to be seen.
function drawDot(g, d, now) {
  let t = now - d.at;
  if (t < 0) return true;
  const fast = document.documentElement.classList.contains('room') ? 1.2 : 1;
  for (let i = 0; i < d.legs.length; i++) {
    const [line, takes, way] = d.legs[i];
    const points = lines.get(line)?.points;
    if (!points) return false;
    const last = i === d.legs.length - 1;
    const whole = takes * fast;
    if (t > whole && !(last && t < whole + d.wait + 120)) { t -= whole; continue; }
    const f = Math.min(1, t / whole);
    const [x, y] = along(points, way > 0 ? f : 1 - f);
    const refused = way < 0 || (!last && i > 1);
    g.globalAlpha = last && t > whole + d.wait ? Math.max(0, 1 - (t - whole - d.wait) / 120) : 1;
    g.beginPath();
    g.arc(x, y, refused || d.failed ? 5 : 4, 0, 7);
    if (refused) { // on its way to a server that will not answer, and back
      g.fillStyle = colours.surface;
      g.fill();
      g.lineWidth = 2.5;
      g.strokeStyle = colours.retry;
      g.stroke();
    } else {
      g.fillStyle = d.failed ? colours.bad : colours.of[colourOf(d.name)];
      g.fill();
    }
    g.globalAlpha = 1;
    return true;
  }
  return false;
}
