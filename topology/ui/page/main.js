// The page: header, verdict and keys. The picture, the timeline, the hands and the lessons have files of their own.

import { apply, clock, count, lang, millis, onLang, other, rate, setLang, word } from './words.js';
import { connect, instances, model, nameOf, on } from './model.js';
import { startPicture } from './picture.js';
import { startFlow } from './flow.js';
import { startTimeline } from './timeline.js';
import { act, closePanel, startPanel } from './panel.js';
import { openLesson, startLessons } from './lessons.js';

const $ = (id) => document.getElementById(id);

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function totals() {
  const live = Object.values(model.live);
  if (!live.length) return;
  const sum = (key) => live.reduce((n, s) => n + s[key], 0);
  set($('rate'), rate(sum('rate')));
  set($('retries'), rate(sum('retried')));
  $('retries').classList.toggle('some', sum('retried') > 0);
  const last = model.rows.at(-1)?.all;
  set($('errors'), rate(last?.e ?? 0));
  $('errors').classList.toggle('bad', (last?.e ?? 0) > 0);
  set($('p50'), millis(model.recent?.all.p50));
  set($('p99'), millis(model.recent?.all.p99));
}

const icons = { pass: '✓', fail: '✕', info: '–', wait: '…', out: '!' };

// sentence is a verdict in words.
function sentence(v) {
  const weights = v.weights.join(':');
  const since = clock(v.since);
  const method = v.method.startsWith('round') ? weights : `${v.method} ${weights}`;
  switch (v.state) {
    case 'pass':
      if (v.retried) return word('passBut', v.group, method, count(v.n), since, count(v.retried), nameOf(v.farthest));
      return v.bound > 0 && v.method.startsWith('round') ? word('pass', v.group, method, count(v.n), since) : word('passChance', v.group, method, count(v.n), since);
    case 'fail': {
      if (v.apart === 0) return word('failChance', v.group, method, count(v.n), since);
      const off = word(v.off > 0 ? 'more' : 'less', count(Math.abs(v.off)));
      return word('fail', v.group, method, count(v.n), since, nameOf(v.farthest), off);
    }
    case 'out':
      if (!v.n) return word('outNow', v.group, v.out.join(', '), since);
      return word('out', v.group, v.out.join(', '), count(v.retried), count(v.failed), count(v.n), since);
    default:
      return word(v.state, v.group, method, count(v.n), since);
  }
}

const zero = (s) => s.lo <= 0 && s.hi >= 0;

// agreement says whether the counts of client, balancer and servers are one.
function agreement() {
  const a = model.agree;
  if (!a?.servers) return word('comparing');
  const far = (who, s) => `${word(who)} = ${model.hello.balancer} ${s.lo > 0 ? '+' : '−'} ${count(s.lo > 0 ? s.lo : -s.hi)}`;
  if (!zero(a.servers)) return far('servers', a.servers);
  if (a.client && !zero(a.client)) return far('client', a.client);
  return (a.client ? word('client') + ' = ' : '') + model.hello.balancer + ' = ' + word('servers');
}

// The numbers change every second; a screen reader is told the verdict when the judgement changes.
let spoken = '';
function speak() {
  const now = lang() + model.verdicts.map((v) => v.group + v.state).join();
  if (now === spoken || model.verdicts.some((v) => v.state === 'wait')) return;
  spoken = now;
  set($('spoken'), model.verdicts.map(sentence).join('. '));
}

function verdicts() {
  if (!model.verdicts.length) return;
  const box = $('verdicts');
  const wanted = model.verdicts.length + 1;
  while (box.children.length > wanted) box.lastChild.remove();
  while (box.children.length < wanted) {
    const p = document.createElement('p');
    p.append(document.createElement('i'), document.createElement('span'));
    p.firstChild.setAttribute('aria-hidden', 'true');
    box.append(p);
  }
  model.verdicts.forEach((v, i) => {
    const p = box.children[i];
    p.className = v.state;
    p.dataset.group = v.group;
    p.dataset.state = v.state;
    p.title = [model.groups.find((g) => g.name === v.group)?.promise?.because, ...(v.reasons ?? [])].filter(Boolean).join('\n');
    const troubled = v.state === 'pass' && (v.retried || v.failed);
    if (troubled) p.classList.add('out');
    set(p.firstChild, troubled ? '!' : icons[v.state] ?? '–');
    set(p.lastChild, sentence(v) + (v.failed && v.state !== 'out' ? word('alsoFailed', count(v.failed)) : ''));
  });
  const last = box.lastChild;
  const a = model.agree;
  last.className = 'counts ' + (!a?.servers ? 'wait' : zero(a.servers) && (!a.client || zero(a.client)) ? 'pass' : 'info');
  set(last.firstChild, !a?.servers ? '…' : last.className.includes('pass') ? '=' : '≠');
  set(last.lastChild, agreement());
  speak();
}

function where() {
  const h = model.hello;
  set($('where'), `${h.layout} · ${h.balancer} :${h.http_port}`);
  document.title = `balanceo · ${h.layout}`;
}

function room(onOff) {
  document.documentElement.classList.toggle('room', onOff);
  $('room').setAttribute('aria-pressed', String(onOff));
  window.dispatchEvent(new Event('resize'));
}

function keys(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || e.repeat || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
  if (e.key === 'p') room(!document.documentElement.classList.contains('room'));
  if (e.key === 'Escape') closePanel();
  const p = /^[1-9]$/.test(e.key) && instances()[Number(e.key) - 1];
  if (p) act({ verb: p.state === 'stopped' || p.state === 'failed' ? 'restart' : 'down', names: [p.name] });
}

apply();
startPicture();
startFlow();
startTimeline();
startPanel();
startLessons();
on('first', () => {
  where();
  if (document.body.classList.contains('known')) return; // the connection was lost meanwhile
  document.body.classList.add('known');
  const wanted = /^#lesson-(\d+)$/.exec(location.hash);
  if (wanted) openLesson(Number(wanted[1]));
});
on('tick', totals);
on('second', verdicts);
on('connection', (up) => { $('lost').hidden = up; });
onLang(() => { if (model.hello) { verdicts(); totals(); } });
$('lang').addEventListener('click', () => setLang(other()));
$('room').addEventListener('click', () => room(!document.documentElement.classList.contains('room')));
document.addEventListener('keydown', keys);
connect();
