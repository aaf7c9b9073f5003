// The texts of the page, in English and Spanish, and how numbers are written.

const texts = {
  en: {
    requests: 'requests/s', retries: 'retries/s', errors: 'errors/s', lessons: 'Lessons', room: 'Projector',
    roomHint: 'Larger, and less of it (key p)', lost: 'The layout does not answer. This page comes back with it.',
    verdict: 'Verdict', picture: 'Requests on their way', timeline: 'The last five minutes', clients: 'Clients', nobody: 'no load',
    share: 'share', rate: 'req/s', p50: 'p50', p99: 'p99', cpu: 'CPU', memory: 'memory', restarts: 'restarts', minute: 'last minute',
    processes: 'processes', instance: 'instance', of: 'of {0}', sampled: '1 in {0} requests is shown', all: 'every request is shown',
    starting: 'starting', ready: 'ready', unresponsive: 'does not answer', backoff: 'ended, waits', failed: 'failed', stopped: 'down', stopping: 'stopping',
    slowBy: '{0} later',
    pass: '{0}: {1} as promised, 0 of {2} requests apart since {3}',
    passBut: '{0}: {1}, but {5} refused {4} attempts; {2} requests since {3}', alsoFailed: '; {0} failed',
    passChance: '{0}: {1} as chance has it, {2} requests since {3}',
    fail: '{0}: not as promised. {4} got {5} of its share; {2} requests since {3}',
    more: '{0} more than', less: '{0} fewer than', failChance: '{0}: {1} is not what chance gives; {2} requests since {3}',
    info: '{0}: {1} promises no shares; {2} requests since {3}', wait: '{0}: {1}, no requests yet since {3}',
    out: '{0}: {1} is out; {3} of {4} requests failed, {2} retries since {5}',
    outNow: '{0}: {1} is out since {2}', client: 'client', servers: 'servers',
    comparing: 'counts are being compared',
    close: 'Close', hands: 'Hands', done: 'Done.', acting: 'On its way …',
    kill: 'Kill -9 for 10 s', killOnce: 'Kill -9', freeze: 'Freeze for 10 s', takeDown: 'Take down', bringUp: 'Bring up', restart: 'Restart', reload: 'Reload',
    slow: 'Answer later by', workersSet: 'Worker processes', method: 'Method', weights: 'Weights', apply: 'Apply', reloadBalancer: 'Read the configuration anew',
    load: 'Load', rateSet: 'requests per second', scenario: 'what', pace: 'pace', minutes: 'minutes', start: 'Start', change: 'Change', stop: 'Stop',
    noLoadgen: 'loadgen is not here, so this page sends no load.', runsUntil: 'runs until {0}', elsewhere: 'not from this page: {0}', otherClients: 'other clients', lastLoad: 'The last load: {0}',
    agreed: 'client {0} = nginx {1} = servers {2}, p99 {3}', disagreed: 'client {0}, nginx {1}, servers {2}: {3} unexplained',
    constant: 'constant', poisson: 'poisson (random arrivals)', sine: 'sine', ramp: 'ramp up',
    press: 'Press', watch: 'Watch', seen: 'Seen after {0} s', waiting: 'Not seen yet', measured: 'Measured here', back: 'All lessons', putBack: 'Put everything back',
    lessonLoad: 'Send the load of this lesson', again: 'Once more', five: 'Five lessons', keys: 'Keys: 1–6 take an instance down and up, p for the projector, Esc closes.',
    now: 'now', loadOf: 'load {0}', loadBegins: 'load begins', loadEnds: 'load ends', loadGoesOn: 'load goes on', by: 'by {0}',
  },
  es: {
    requests: 'peticiones/s', retries: 'reintentos/s', errors: 'errores/s', lessons: 'Lecciones', room: 'Proyector',
    roomHint: 'Más grande, y menos cosas (tecla p)', lost: 'El sistema no responde. Esta página vuelve con él.',
    verdict: 'Veredicto', picture: 'Peticiones en camino', timeline: 'Los últimos cinco minutos', clients: 'Clientes', nobody: 'sin carga',
    share: 'reparto', rate: 'pet./s', p50: 'p50', p99: 'p99', cpu: 'CPU', memory: 'memoria', restarts: 'reinicios', minute: 'último minuto',
    processes: 'procesos', instance: 'instancia', of: 'de {0}', sampled: 'se muestra 1 de cada {0} peticiones', all: 'se muestran todas las peticiones',
    starting: 'arrancando', ready: 'lista', unresponsive: 'no responde', backoff: 'terminó, espera', failed: 'falló', stopped: 'parada', stopping: 'parando',
    slowBy: '{0} más tarde',
    pass: '{0}: {1} como se prometió, 0 de {2} peticiones desviadas desde {3}',
    passBut: '{0}: {1}, pero {5} rechazó {4} intentos; {2} peticiones desde {3}', alsoFailed: '; fallaron {0}',
    passChance: '{0}: {1} como da el azar, {2} peticiones desde {3}',
    fail: '{0}: no es lo prometido. {4} recibió {5} su parte; {2} peticiones desde {3}',
    more: '{0} más que', less: '{0} menos que', failChance: '{0}: {1} no es lo que da el azar; {2} peticiones desde {3}',
    info: '{0}: {1} no promete reparto; {2} peticiones desde {3}', wait: '{0}: {1}, aún sin peticiones desde {3}',
    out: '{0}: {1} fuera; {3} de {4} peticiones fallidas, {2} reintentos desde {5}',
    outNow: '{0}: {1} fuera desde {2}', client: 'cliente', servers: 'servidores',
    comparing: 'se comparan las cuentas',
    close: 'Cerrar', hands: 'Acciones', done: 'Hecho.', acting: 'En camino …',
    kill: 'Matar (-9) por 10 s', killOnce: 'Matar (-9)', freeze: 'Congelar por 10 s', takeDown: 'Bajar', bringUp: 'Subir', restart: 'Reiniciar', reload: 'Recargar',
    slow: 'Responder más tarde', workersSet: 'Procesos', method: 'Método', weights: 'Pesos', apply: 'Aplicar', reloadBalancer: 'Releer la configuración',
    load: 'Carga', rateSet: 'peticiones por segundo', scenario: 'qué', pace: 'ritmo', minutes: 'minutos', start: 'Empezar', change: 'Cambiar', stop: 'Parar',
    noLoadgen: 'Aquí no está loadgen: esta página no envía carga.', runsUntil: 'hasta las {0}', elsewhere: 'no desde esta página: {0}', otherClients: 'otros clientes', lastLoad: 'La última carga: {0}',
    agreed: 'cliente {0} = nginx {1} = servidores {2}, p99 {3}', disagreed: 'cliente {0}, nginx {1}, servidores {2}: {3} sin explicar',
    constant: 'constante', poisson: 'poisson (llegadas al azar)', sine: 'seno', ramp: 'en rampa',
    press: 'Pulsa', watch: 'Observa', seen: 'Visto a los {0} s', waiting: 'Aún no se ve', measured: 'Medido aquí', back: 'Todas las lecciones', putBack: 'Dejar todo como estaba',
    lessonLoad: 'Enviar la carga de esta lección', again: 'Otra vez', five: 'Cinco lecciones', keys: 'Teclas: 1–6 bajan y suben una instancia, p para el proyector, Esc cierra.',
    now: 'ahora', loadOf: 'carga {0}', loadBegins: 'empieza una carga', loadEnds: 'termina la carga', loadGoesOn: 'sigue la carga', by: 'por {0}',
  },
};

function stored() {
  try { return localStorage.getItem('lang'); } catch { return null; }
}

let language = texts[stored()] ? stored() : (navigator.language || 'en').toLowerCase().startsWith('es') ? 'es' : 'en';
const listeners = [];

export const lang = () => language;
export const other = () => (language === 'en' ? 'es' : 'en');
export const onLang = (f) => listeners.push(f);

export function setLang(to) {
  language = to;
  try { localStorage.setItem('lang', to); } catch { /* it is asked again next time */ }
  apply();
  for (const f of listeners) f();
}

// word is a text with its gaps filled.
export function word(key, ...gaps) {
  const text = texts[language][key] ?? key;
  return text.replace(/\{(\d)\}/g, (_, i) => gaps[i] ?? '');
}

// apply writes the texts that stand in the document itself.
export function apply() {
  document.documentElement.lang = language;
  for (const e of document.querySelectorAll('[data-word]')) e.textContent = word(e.dataset.word);
  for (const e of document.querySelectorAll('[data-hint]')) e.title = word(e.dataset.hint);
  for (const e of document.querySelectorAll('[data-label]')) e.setAttribute('aria-label', word(e.dataset.label));
  document.getElementById('lang').textContent = other().toUpperCase();
  document.getElementById('lang').lang = other();
  document.getElementById('lang').setAttribute('aria-label', other() === 'es' ? 'Español' : 'English');
}

export const count = (n) => Math.round(n).toLocaleString(language === 'es' ? 'es-ES' : 'en-US', { useGrouping: 'always' });
export const decimal = (n, digits) => n.toLocaleString(language === 'es' ? 'es-ES' : 'en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const percent = (share, digits = 1) => (share < 0 || share == null ? '–' : decimal(share * 100, digits) + '\u202f%');
export const rate = (n) => (n == null ? '–' : n > 0 && n < 10 ? decimal(n, 1) : count(n));
export const clock = (ms) => new Date(ms).toLocaleTimeString(language === 'es' ? 'es-ES' : 'en-GB', { hour12: false });
export const megabytes = (bytes) => (bytes == null ? '–' : count(bytes / 1e6) + '\u202fMB');

// millis writes a time of the log, which has whole milliseconds.
export function millis(ms) {
  if (ms == null || ms < 0) return '–';
  if (ms < 1) return '<\u202f1\u202fms';
  if (ms < 1000) return count(ms) + '\u202fms';
  return decimal(ms / 1000, 1) + '\u202fs';
}
