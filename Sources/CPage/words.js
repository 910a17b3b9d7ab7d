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
