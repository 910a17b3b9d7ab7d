// What the page knows comes from /admin/events: the whole first, then what changes. It is asked with fetch(), since
// EventSource cannot show a token.

const $ = id => document.getElementById(id);
const store = 'synaxis-token';
const span = 900;  // seconds that are shown

let token = '';
let known;  // What the server told, or nothing yet
let stream;  // The AbortController of the open stream

// MARK: Words and numbers

const reasons = {
  rate_limited: 'rate-limited', quota: 'its quota is used up', quota_learned: 'its quota is used up until the reset it told',
  budget: 'its budget in the tier file is used up', concurrency: 'as many requests under way as it may have',
  key_rejected: 'its key was rejected', unreachable: 'cannot be reached', tls: 'TLS failed', reset: 'closed the connection',
  silence: 'its host does not answer', server_error: 'answers with server errors', overloaded: 'says that it is overloaded',
  timeout: 'timed out', cut: 'its answers are cut short', error_in_200: 'sends errors in a 200',
  foreign_content: 'sends what is no answer', empty_stream: 'sends empty streams', too_slow: 'no first token in time',
  model_not_found: 'does not have the model', probing: 'one request finds out whether it is back', failed: 'failed',
};
const ends = {
  complete: 'complete', relayed: 'relayed', client_left: 'client left', upstream_cut: 'cut by the provider',
  upstream_stalled: 'stalled', rate_limit_exceeded: 'rate-limited', upstream_routing_failure: 'all attempts failed',
  no_provider_available: 'no provider', deadline_exceeded: 'too late', reader_too_slow: 'client too slow',
};
const states = { online: 'good', cooling: 'warm', offline: 'bad', disabled: '' };
const overalls = { healthy: 'good', degraded: 'warm', unhealthy: 'bad', draining: 'warm' };

const count = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const number = n => n < 10000 ? count.format(n) : short.format(n);

function time(ms) {
  if (ms == null) return '–';
  if (ms < .05) return '< 0.1 ms';
  if (ms < 9.95) return ms.toFixed(1) + ' ms';
  if (ms < 999.5) return Math.round(ms) + ' ms';
  if (ms < 9995) return (ms / 1000).toFixed(2) + ' s';
  return ms < 99950 ? (ms / 1000).toFixed(1) + ' s' : length(ms / 1000);
}
function length(s) {
  s = Math.round(s);
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ':' + String(s % 60).padStart(2, '0') + ' min';
  if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
  return Math.floor(s / 86400) + ' d ' + Math.floor(s % 86400 / 3600) + ' h';
}
const clock = ms => new Date(ms).toLocaleTimeString([], { hour12: false });

/// The server's wall clock now, in ms, and the seconds since its start.
const elapsed = () => (performance.now() - known.at) / 1000;
const wall = () => known.wall + elapsed() * 1000;
const uptime = () => known.uptime + elapsed();

// MARK: Building

/// Sets a text only where it differs, so that screen readers and selections stay calm.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...children);
  return node;
}
const cell = (attributes, ...children) => make('td', { role: 'cell', ...attributes }, ...children);

// MARK: Figures

function drawFigures() {
  let [requests, failed, input, output] = [0, 0, 0, 0];
  for (const bin of shown()) {
    requests += bin[1]; failed += bin[2]; input += bin[5]; output += bin[6];
  }
  const { saved, providers, firstToken } = known;
  say($('requests'), number(requests));
  say($('requests-more'), failed ? `${number(failed)} failed (${(100 * failed / requests).toFixed(1)} %)` : 'in 15 min, none failed');
  if (!requests) say($('requests-more'), 'in 15 min');
  say($('first'), time(firstToken[0]));
  say($('first-more'), firstToken[0] == null ? 'no streams in 15 min' : `95 % within ${time(firstToken[1])}`);
  say($('tokens'), number(input + output));
  say($('tokens-more'), input + output ? `${number(input)} in, ${number(output)} out` : 'in 15 min');
  say($('saved'), number(saved.calls));
  const ways = [];
  if (saved.hits) ways.push(`${number(saved.hits)} from the cache`);
  if (saved.coalesced) ways.push(`${number(saved.coalesced)} shared`);
  if (saved.tokens) ways.push(`${number(saved.tokens)} tokens`);
  const [sent, cached] = [...providers.values()].reduce(
    ([sent, cached], { tokens }) => [sent + tokens.input, cached + tokens.cached], [0, 0]);
  if (cached) ways.push(`${(100 * cached / sent).toFixed(1)} % of the input was in prompt caches`);
  if (saved.dollars) ways.push(`$${saved.dollars.toFixed(4)} of $${(saved.dollars + saved.spent).toFixed(4)}`);
  say($('saved-more'), ways.join(', ') || (saved.cache === 'enabled' ? 'by cache and sharing' : 'the cache is off'));
  say($('flying'), number(known.inFlight));
  const all = [...providers.values()].filter(each => each.status !== 'disabled');
  const online = all.filter(each => each.status === 'online').length;
  say($('flying-more'), `${online} of ${all.length} providers online`);
  say($('overall'), known.overallStatus);
  $('overall').dataset.state = overalls[known.overallStatus] ?? '';
  document.title = known.overallStatus === 'healthy' ? 'synaxis' : `synaxis: ${known.overallStatus}`;
  say($('about'), `${known.version}, up ${length(uptime())}`);
}

const shown = () => [...known.bins.values()].filter(bin => bin[0] + known.bin > uptime() - span);

// MARK: Plots

const svg = (tag, attributes, text) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  if (text != null) node.textContent = text;
  return node;
};

/// The least of 1, 2 and 5 times a power of ten that is not below.
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find(step => step * power >= value * .999);
}

/// Draws one plot. `layers`: class and height of each bar's parts, from the ground up; `top`: of the whole bar.
function plot(id, layers, top, label, words, summary) {
  const root = $(id), width = root.clientWidth || 320, height = 132;
  const box = { left: 0, top: 16, bottom: height - 18 };
  const bins = shown();
  const most = Math.max(0, ...bins.map(top));
  const scale = most > 0 ? nice(most) : 1;
  const end = Math.floor(uptime() / known.bin + 1) * known.bin;
  const x = s => box.left + (width - box.left) * (1 - (end - s) / span);
  const y = v => box.bottom - (box.bottom - box.top) * v / scale;
  const parts = [];
  for (const share of [0, .5, 1]) {
    const at = Math.round(y(scale * share)) + .5;
    parts.push(svg('line', { class: 'grid', x1: 0, x2: width, y1: at, y2: at }));
  }
  if (most > 0) parts.push(svg('text', { x: 0, y: box.top - 4 }, label(scale)));
  else parts.push(svg('text', { x: width / 2, y: (box.top + box.bottom) / 2 - 6, 'text-anchor': 'middle' }, 'nothing yet'));
  for (const minutes of [15, 10, 5, 0]) {
    const anchor = minutes === 15 ? 'start' : minutes ? 'middle' : 'end';
    parts.push(svg('text', { x: x(end - minutes * 60), y: height - 3, 'text-anchor': anchor }, minutes ? `−${minutes} min` : 'now'));
  }
  const wide = Math.max(1.5, (width - box.left) * known.bin / span - 1);
  for (const bin of bins) {
    let ground = 0;
    for (const [name, value] of layers(bin)) {
      if (!(value > 0)) continue;
      const tall = Math.max(1, y(ground) - y(ground + value));
      parts.push(svg('rect', { class: name, x: x(bin[0]), width: wide, y: y(ground) - tall, height: tall }));
      ground += value;
    }
    const over = svg('rect', { class: 'over', x: x(bin[0]), width: wide + 1, y: box.top, height: box.bottom - box.top });
    over.append(svg('title', {}, `${clock(wall() - (uptime() - bin[0]) * 1000)}: ${words(bin)}`));
    parts.push(over);
  }
  root.setAttribute('viewBox', `0 0 ${width} ${height}`);
  root.setAttribute('aria-label', summary(most));
  root.replaceChildren(...parts);
}

function drawPlots() {
  plot('plot-requests', bin => [['a', bin[1] - bin[2]], ['bad', bin[2]]], bin => bin[1], number,
    bin => `${number(bin[1])} requests` + (bin[2] ? `, ${number(bin[2])} failed` : ''),
    most => `Requests of the last 15 minutes, at most ${number(most)} in 10 seconds`);
  plot('plot-first', bin => [['a', bin[3]], ['b', bin[4] - bin[3]]], bin => bin[4] ?? 0, time,
    bin => bin[3] == null ? 'no streams' : `median ${time(bin[3])}, 95 % within ${time(bin[4])}`,
    most => `Time to first token of the last 15 minutes, 95 % within ${time(most)} at the worst`);
  plot('plot-tokens', bin => [['a', bin[5]], ['b', bin[6]]], bin => bin[5] + bin[6], number,
    bin => `${number(bin[5])} tokens in, ${number(bin[6])} out`,
    most => `Tokens of the last 15 minutes, at most ${number(most)} in 10 seconds`);
}

// MARK: Providers

function providerRow(name) {
  const end = make('button', { type: 'button', 'aria-label': `End the cooldown of ${name}` }, 'End cooldown');
  end.addEventListener('click', () => reset(name, end));
  const row = make('tr', { role: 'row' },
    make('td', { role: 'rowheader' }, make('span', { class: 'name' }, name), make('span', { class: 'models muted' })),
    cell({ class: 'number', 'data-label': 'tier' }),
    cell({}, make('div', { class: 'why' }, make('div', {}, make('p', { class: 'state' }), make('p', { class: 'muted' })), end)),
    cell({ class: 'number', 'data-label': 'first token' }), cell({ class: 'number', 'data-label': 'success' }),
    cell({ class: 'number', 'data-label': 'under way' }), cell({ class: 'number', 'data-label': 'quota left' }));
  row.dataset.name = name;
  return row;
}

function drawProviders() {
  const body = $('providers');
  const rows = new Map([...body.children].map(row => [row.dataset.name, row]));
  for (const name of rows.keys()) if (!known.providers.has(name)) rows.get(name).remove();
  for (const [name, each] of known.providers) {
    let row = rows.get(name);
    if (!row) body.append(row = providerRow(name));
    const [head, tier, state, first, success, flying, quota] = row.children;
    const models = each.models ?? [];
    say(head.lastChild, models.length > 3 ? `${models.slice(0, 2).join(', ')} and ${models.length - 2} more` : models.join(', '));
    head.lastChild.title = models.slice(0, 50).join(', ');
    row.className = each.status === 'disabled' ? 'off' : '';
    const [text, button] = state.firstChild.children;
    say(text.firstChild, each.status);
    text.firstChild.dataset.state = states[each.status] ?? '';
    button.hidden = each.status !== 'cooling' && each.status !== 'offline';
    say(tier, each.tier == null ? '' : String(each.tier));
    say(first, each.latency == null ? '–' : time(each.latency));
    say(success, each.successRate == null ? '–' : (100 * each.successRate).toFixed(each.successRate === 1 ? 0 : 1) + ' %');
    say(flying, String(each.inFlight));
    const left = [];
    if (each.quota?.requests != null) left.push(`${number(each.quota.requests)} requests`);
    if (each.quota?.tokens != null) left.push(`${number(each.quota.tokens)} tokens`);
    say(quota, left.join(', ') || '–');
  }
  countDown();
}

/// Why a provider is left alone, and for how long still.
function countDown() {
  for (const row of $('providers').children) {
    const each = known.providers.get(row.dataset.name);
    const left = each?.cooldownUntil ? (Date.parse(each.cooldownUntil) - wall()) / 1000 : 0;
    const words = each?.reason ? [reasons[each.reason] ?? each.reason] : [];
    if (left > 0) words.push(`again in ${length(Math.ceil(left))}`);
    say(row.querySelector('.why .muted'), words.join(', '));
  }
}

async function reset(name, button) {
  button.disabled = true;
  try {
    const answer = await ask(`admin/providers/${encodeURIComponent(name)}/reset`, { method: 'POST' });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error?.message ?? `status ${answer.status}`);
    known.providers.set(name, { ...known.providers.get(name), ...told });
    announce(`${name} is ${told.status}`);
    draw();
  } catch (error) {
    announce(`The cooldown of ${name} was not ended: ${error.message}`);
    warn(`The cooldown of ${name} was not ended: ${error.message}`);
  }
  button.disabled = false;
}

// MARK: Exchanges

function exchangeRow(each) {
  const failed = each.status >= 400 || !['complete', 'relayed', 'client_left'].includes(each.end);
  const way = make('span', {});
  if (each.tries > each.attempts.length) way.append(`${each.tries - each.attempts.length} more → `);
  each.attempts.forEach(([provider, status, fault, ms], index) => {
    if (index) way.append(' → ');
    const bad = fault && fault !== 'client_error';
    const word = bad ? (status >= 300 ? String(status) : (reasons[fault] ?? fault.replaceAll('_', ' '))) : '';
    const one = make(bad ? 'i' : 'span', {}, word ? `${provider} ${word}` : provider);
    one.title = `${provider}: ${status || ''} ${fault ?? 'answered'} after ${ms} ms`;
    way.append(one);
  });
  if (!each.attempts.length) way.append(each.cache === 'hit' ? 'from the cache' : '–');
  const row = make('tr', { role: 'row' },
    cell({}, clock(Date.parse(each.at))), cell({}, each.model || '–'), cell({}, way),
    cell(failed ? { class: 'failed' } : {}, `${each.status || ''} ${ends[each.end] ?? each.end.replaceAll('_', ' ')}`.trim()),
    cell({ class: 'number', 'data-label': 'first byte' }, time(each.first)),
    cell({ class: 'number', 'data-label': 'total' }, time(each.total)),
    cell({ 'data-label': 'cache' }, each.cache === 'bypass' ? '–' : each.cache));
  row.dataset.n = each.n;
  return row;
}

function drawExchanges() {
  const body = $('exchanges');
  const have = Number(body.firstChild?.dataset.n ?? 0);
  const fresh = [];
  let above;
  for (const each of known.exchanges) {
    if (above && above - each.n > 1) fresh.push(gap(above - each.n - 1));
    above = each.n;
    if (each.n <= have) break;
    fresh.push(exchangeRow(each));
  }
  body.prepend(...fresh);
  while (body.children.length > 60) body.lastChild.remove();
  $('none').hidden = body.children.length > 0;
}
const gap = missing => make('tr', { role: 'row', class: 'gap' }, cell({ colspan: 7 }, `${number(missing)} more`));

// MARK: What the server tells

function take(text) {
  const lines = text.split('\n');
  const data = lines.filter(line => line.startsWith('data: ')).map(line => line.slice(6)).join('\n');
  if (!data) return;
  const told = JSON.parse(data);
  const isAll = lines.includes('event: all');
  const before = known?.providers;
  if (isAll) {
    known = { ...told, bins: new Map(), providers: new Map(), exchanges: [] };
    $('exchanges').replaceChildren();
  }
  Object.assign(known, { ...told, bins: known.bins, providers: known.providers, exchanges: known.exchanges });
  known.at = performance.now();
  known.wall = Date.parse(told.now);
  for (const bin of told.bins) known.bins.set(bin[0], bin);
  for (const start of known.bins.keys()) if (start < known.uptime - span - 60) known.bins.delete(start);
  for (const each of told.providers) {
    const old = before?.get(each.name);
    if (old && old.status !== each.status) announce(`${each.name} is ${each.status}` + (each.reason ? `: ${each.reason}` : ''));
    known.providers.set(each.name, { ...old, ...each });
  }
  const newest = known.exchanges[0]?.n ?? 0;
  known.exchanges = [...told.exchanges.filter(each => each.n > newest), ...known.exchanges].slice(0, 50);
  show('room');
  draw();
}

function draw() {
  drawFigures();
  drawPlots();
  drawProviders();
  drawExchanges();
}

function show(which) {
  for (const id of ['door', 'off', 'room']) $(id).hidden = id !== which;
  if (which === 'room') warn('');
}
function warn(text) {
  say($('trouble'), text);
  $('trouble').hidden = !text;
}
const announce = text => say($('said'), text);

// MARK: Asking

const ask = (path, more) => fetch(path, { cache: 'no-store', headers: token ? { Authorization: `Bearer ${token}` } : {}, ...more });

/// Reads the stream until it ends. True: it is worth another try.
async function follow(signal) {
  const answer = await ask('admin/events', { signal });
  if (!answer.ok) return refused(answer);
  say($('link'), 'live');
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    // A sign of life comes each 15 s.
    const late = setTimeout(() => reader.cancel(), 40000);
    const { value, done } = await reader.read();
    clearTimeout(late);
    if (done) return true;
    rest += value;
    for (let end; (end = rest.indexOf('\n\n')) >= 0; rest = rest.slice(end + 2)) take(rest.slice(0, end));
  }
}

async function refused(answer) {
  const error = (await answer.json().catch(() => ({}))).error ?? {};
  if (error.code === 'invalid_admin_token') {
    say($('wrong'), token ? 'That is not the token.' : '');
    token = '';
    sessionStorage.removeItem(store);
    show('door');
    $('token').focus();
    return false;
  }
  if (error.code === 'admin_off') {
    show('off');
    return false;
  }
  warn(error.message ?? `The server answers with status ${answer.status}.`);
  return answer.status >= 500;
}

/// Follows as long as somebody looks, and comes again when the stream ends.
async function watch() {
  stream?.abort();
  const mine = stream = new AbortController();
  for (let pause = 500; !mine.signal.aborted && !document.hidden; pause = Math.min(pause * 2, 15000)) {
    const since = performance.now();
    let again = true;
    try {
      again = await follow(mine.signal);
    } catch (error) {
      if (mine.signal.aborted) return;
      warn('The server does not answer.');
    }
    if (!again) {
      say($('link'), '');
      return;
    }
    say($('link'), 'connecting');
    if (performance.now() - since > 5000) pause = 500;
    await new Promise(done => setTimeout(done, pause));
  }
}

$('ask').addEventListener('submit', event => {
  event.preventDefault();
  token = $('token').value.trim();
  $('token').value = '';
  sessionStorage.setItem(store, token);
  watch();
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    stream?.abort();
    say($('link'), 'paused');
  } else {
    watch();
  }
});
new ResizeObserver(() => known && drawPlots()).observe($('room'));
setInterval(() => {
  if (document.hidden || !known || $('room').hidden) return;
  countDown();
  drawFigures();
}, 1000);
setInterval(() => !document.hidden && known && !$('room').hidden && drawPlots(), 10000);

const told = new URLSearchParams(location.hash.slice(1)).get('token');
if (told) history.replaceState(null, '', location.pathname + location.search);
token = told ?? sessionStorage.getItem(store) ?? '';
if (token) sessionStorage.setItem(store, token);
say($('base'), new URL('v1', location).href);
watch();
