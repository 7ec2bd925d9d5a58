'use strict';
(() => {
  const read = id => JSON.parse(document.getElementById(id).textContent);
  const data = read('data'), pictures = read('thumbnails');
  const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const NUMBER = Object.fromEntries([...DIGITS].map((c, i) => [c, i]));
  const PAGE = 48, ABSENT = 63, ROW_PX = 13;
  const INK = ['#4c78a8', '#f2a541', '#58a36c', '#b55d9c', '#d1605e', '#6bb8c4', '#9c7a54', '#8a8f98'];
  const INK_OF = {
    day: '#f4c95d', dusk: '#e07a3f', night: '#27408b', clear: '#7cc4f2', cloudy: '#a8b3c0', rain: '#3f6fb5',
    fog: '#c9c9d6', snow: '#e8f1ff', red: '#d62f2f', yellow: '#eec430', green: '#2f9e44', dry: '#c8b79a', wet: '#3f7fa8',
    near: '#c2410c', mid: '#eda24c', far: '#9cc28b',
  };

  // Times come as differences, which keeps the page small.
  let sum = 0;
  const times = data.steps_ms.map(step => (sum += step));
  const count = times.length;
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const at = id => document.getElementById(id);
  const valueNumber = (field, i) => NUMBER[data.columns[field].values[i]];
  const confidence = (field, i) => NUMBER[data.columns[field].confidences[i]] / 62;
  const fieldByName = Object.fromEntries(data.fields.map(f => [f.name, f]));
  const word = (name, number) => {
    if (number === ABSENT) return '';
    const kind = fieldByName[name].kind;
    return kind === 'boolean' ? (number ? 'yes' : 'no') : kind === 'count' ? String(number) : fieldByName[name].values[number];
  };
  const clock = ms => {
    const s = ms / 1000, h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    return (h ? h + ':' + String(m).padStart(2, '0') : m) + ':' + (s % 60).toFixed(1).padStart(4, '0');
  };
  const source = i => pictures[data.thumbnail_of[i]] === undefined ? '' : data.thumbnail_prefix + pictures[data.thumbnail_of[i]];
  const moved = i => {
    const shownFrame = data.picture_frames[data.thumbnail_of[i]];
    return shownFrame === undefined || shownFrame === i ? '' : 'picture of ' + clock(times[shownFrame]);
  };
  const sentence = i => data.captions[data.caption_of[i]] || data.reasons[data.reason_of[i]];
  const haystack = data.captions.map((c, k) => c.toLowerCase());

  let camera = -1, chosen = 0, hits = [], shown = 0, view = [0, Math.max(1, times[count - 1] || 0)];
  const filters = new Map();

  // ---- search: words of the sentence, hazard or camera, and facts -------------------------------------------------
  const FACT = /^([a-z_]+)(!=|>=|<=|=|>|<)(.+)$/;
  const COMPARE = { '=': (a, b) => a === b, '!=': (a, b) => a !== b, '>': (a, b) => a > b, '<': (a, b) => a < b, '>=': (a, b) => a >= b, '<=': (a, b) => a <= b };
  const parse = text => text.toLowerCase().split(/\s+/).filter(Boolean).map(token => {
    const match = FACT.exec(token);
    if (!match || !fieldByName[match[1]]) return { word: token };
    const kind = fieldByName[match[1]].kind, raw = match[3];
    const number = kind === 'categorical' ? fieldByName[match[1]].values.indexOf(raw)
      : kind === 'boolean' ? Number(['true', 'yes', '1'].includes(raw)) : Number(raw);
    return { field: match[1], compare: COMPARE[match[2]], number };
  });
  const matches = (i, terms) => {
    if (camera >= 0 && data.camera_of[i] !== camera) return false;
    if (times[i] < view[0] || times[i] > view[1]) return false;
    for (const [field, number] of filters) if (valueNumber(field, i) !== number) return false;
    return terms.every(term => {
      if (term.field) {
        const number = valueNumber(term.field, i);
        return number !== ABSENT && term.compare(number, term.number);
      }
      return haystack[data.caption_of[i]].includes(term.word) || data.hazards[data.hazard_of[i]].toLowerCase().includes(term.word)
        || data.statuses[data.status_of[i]] === term.word;
    });
  };
  const search = () => {
    const terms = parse(at('search').value);
    hits = [];
    for (let i = 0; i < count; i++) if (matches(i, terms)) hits.push(i);
    at('hit-count').textContent = hits.length + ' of ' + count;
    at('cards').replaceChildren();
    shown = 0;
    more();
    conditions();
    draw();
  };
  const more = () => {
    for (const i of hits.slice(shown, shown + PAGE)) {
      const picture = element('img', { loading: 'lazy', alt: '' });
      if (source(i)) picture.src = source(i);
      const card = element('button', { type: 'button', className: 'card ' + data.statuses[data.status_of[i]], onclick: () => select(i, true) },
        picture, element('time', { textContent: clock(times[i]) + ' ' + data.cameras[data.camera_of[i]] }),
        element('span', { className: 'said', textContent: sentence(i) }), element('small', { textContent: moved(i) }));
      at('cards').append(card);
    }
    shown = Math.min(hits.length, shown + PAGE);
    at('more').hidden = shown >= hits.length;
  };

  // ---- counts per condition -----------------------------------------------------------------------------------------
  const conditions = () => {
    at('conditions').replaceChildren(...data.fields.map(field => {
      const counts = new Map();
      for (const i of hits) {
        const number = valueNumber(field.name, i);
        if (number !== ABSENT) counts.set(number, (counts.get(number) || 0) + 1);
      }
      const set = element('fieldset', {}, element('legend', { textContent: field.name }));
      set.dataset.field = field.name;
      for (const [number, n] of [...counts].sort((a, b) => a[0] - b[0])) {
        const button = element('button', { type: 'button', onclick: () => toggle(field.name, number) },
          element('span', { textContent: word(field.name, number) }), element('span', { textContent: n }));
        button.style.setProperty('--share', (100 * n / hits.length).toFixed(1) + '%');
        button.setAttribute('aria-pressed', filters.get(field.name) === number);
        set.append(button);
      }
      return set;
    }));
    at('filters').replaceChildren(...[...filters].map(([field, number]) =>
      element('button', { type: 'button', textContent: field + '=' + word(field, number) + ' ×', onclick: () => toggle(field, number) })));
  };
  const toggle = (field, number) => {
    if (filters.get(field) === number) filters.delete(field); else filters.set(field, number);
    search();
  };

  // ---- the frame that is looked at ------------------------------------------------------------------------------------
  const select = (i, scroll) => {
    if (!count) return;
    chosen = i;
    const status = data.statuses[data.status_of[i]];
    if (source(i)) at('now-picture').src = source(i); else at('now-picture').removeAttribute('src');
    at('now-time').textContent = clock(times[i]) + '  ' + data.cameras[data.camera_of[i]] + '  ' + status
      + (status === 'ok' ? '' : ': ' + data.reasons[data.reason_of[i]]) + '  confidence ' + (NUMBER[data.confidences[i]] / 62).toFixed(2);
    at('now-picture').title = moved(i);
    at('now-caption').textContent = data.captions[data.caption_of[i]];
    const hazard = data.hazards[data.hazard_of[i]];
    at('now-hazard').textContent = hazard === 'none' ? '' : 'Hazard: ' + hazard;
    at('now-fields').replaceChildren(...data.fields.filter(f => valueNumber(f.name, i) !== ABSENT).map(f =>
      element('div', {}, element('dt', { textContent: f.name }),
        element('dd', { textContent: word(f.name, valueNumber(f.name, i)) + ' ' + Math.round(100 * confidence(f.name, i)) + '%' }))));
    at('now-commands').textContent = data.commands.map(c => c.replace('OFFSET', (times[i] / 1000 + data.offset_s).toFixed(3))).join('\n');
    at('now-commands').hidden = !data.commands.length;
    if (scroll) at('now').scrollIntoView({ block: 'nearest' });
    draw();
  };
  const nearest = ms => {
    let best = -1;
    for (let i = 0; i < count; i++)
      if ((camera < 0 || data.camera_of[i] === camera) && (best < 0 || Math.abs(times[i] - ms) < Math.abs(times[best] - ms))) best = i;
    return best;
  };
  const step = by => {
    for (let i = chosen + by; i >= 0 && i < count; i += by)
      if (camera < 0 || data.camera_of[i] === camera) return select(i);
  };

  // ---- timeline ---------------------------------------------------------------------------------------------------------
  const rows = [];
  const addRow = (label, paint) => {
    const canvas = element('canvas', { height: ROW_PX });
    canvas.dataset.row = label;
    at('timeline').append(element('span', { textContent: label }), canvas);
    rows.push({ canvas, paint });
    let from = null;
    const place = event => view[0] + (view[1] - view[0]) * Math.min(1, Math.max(0, event.offsetX / canvas.clientWidth));
    canvas.onpointerdown = event => { from = event; canvas.setPointerCapture(event.pointerId); };
    canvas.onpointerup = event => {
      if (from && Math.abs(event.offsetX - from.offsetX) > 8) {
        view = [place(from), place(event)].sort((a, b) => a - b);
        search();
      } else if (from) {
        const i = nearest(place(event));
        if (i >= 0) select(i);
      }
      from = null;
    };
    canvas.ondblclick = () => { view = [0, Math.max(1, times[count - 1] || 0)]; search(); };
  };
  const x = (ms, width) => (ms - view[0]) / (view[1] - view[0]) * width;
  // Which frame each pixel column shows: of one camera, the last before the column's end, unless that is long past.
  const columns = width => {
    const wanted = camera < 0 ? 0 : camera, last = new Int32Array(width).fill(-1);
    for (let i = 0; i < count; i++) {
      if (data.camera_of[i] !== wanted) continue;
      const from = Math.max(0, Math.floor(x(times[i], width))), to = Math.min(width, Math.ceil(x(times[i] + data.hold_ms, width)) || 1);
      for (let k = from; k < to; k++) last[k] = i;
    }
    return last;
  };
  const paintField = field => (context, width, frames) => {
    for (let k = 0; k < width; k++) {
      if (frames[k] < 0) continue;
      const number = valueNumber(field.name, frames[k]);
      if (number === ABSENT) continue;
      const text = word(field.name, number);
      let ink = INK_OF[text] || INK[number % INK.length], strength = 1;
      if (field.kind === 'boolean') { if (!number) continue; ink = '#c2410c'; }
      if (field.kind === 'count') { if (!number) continue; ink = '#4c78a8'; strength = Math.min(1, .3 + number / 8); }
      if (text === 'none' || text === 'unknown') continue;
      context.globalAlpha = strength * (.45 + .55 * confidence(field.name, frames[k]));
      context.fillStyle = ink;
      context.fillRect(k, 0, 1, ROW_PX);
    }
  };
  const paintEvents = kind => (context, width) => {
    for (const event of data.events) {
      if (event.kind !== kind || camera >= 0 && event.camera !== camera) continue;
      const from = x(event.start_ms, width);
      context.globalAlpha = .85;
      context.fillStyle = INK_OF[data.kinds[kind].split(' ')[0]] || INK[kind % INK.length];
      context.fillRect(from, 0, Math.max(3, x(event.end_ms, width) - from), ROW_PX);
    }
  };
  const paintHits = (context, width) => {
    context.fillStyle = '#2f9e44';
    for (const i of hits) context.fillRect(x(times[i], width), 0, Math.max(1, x(data.hold_ms + view[0], width)), ROW_PX);
  };
  const paintAxis = (context, width) => {
    const span = view[1] - view[0], step = [100, 500, 1e3, 5e3, 1e4, 3e4, 6e4, 3e5, 6e5, 36e5, 216e5].find(s => span / s <= width / 70) || 864e5;
    context.fillStyle = getComputedStyle(document.body).color;
    context.font = '10px sans-serif';
    for (let t = Math.ceil(view[0] / step) * step; t <= view[1]; t += step) {
      context.fillRect(x(t, width), 0, 1, 3);
      context.fillText(clock(t), x(t, width) + 2, 11);
    }
  };
  const draw = () => {
    let frames = null;
    for (const { canvas, paint } of rows) {
      const width = Math.max(50, Math.floor(canvas.clientWidth));
      frames = frames && frames.length === width ? frames : columns(width);
      canvas.width = width;
      const context = canvas.getContext('2d');
      paint(context, width, frames);
      context.globalAlpha = 1;
      if (count) { context.fillStyle = '#e11d48'; context.fillRect(Math.round(x(times[chosen], width)), 0, 1, ROW_PX); }
    }
  };

  // ---- once -----------------------------------------------------------------------------------------------------------
  at('facts').textContent = data.facts.join(' · ');
  if (data.home) at('controls').append(element('a', { href: data.home, textContent: 'all recordings' }), ' ');
  if (data.cameras.length > 1) {
    const pick = element('select', { onchange: () => { camera = Number(pick.value); search(); } }, element('option', { value: -1, textContent: 'all cameras' }));
    pick.setAttribute('aria-label', 'Camera');
    data.cameras.forEach((name, k) => pick.append(element('option', { value: k, textContent: name })));
    at('controls').append(pick);
  }
  at('event-count').textContent = data.events.length;
  at('events').append(...data.events.map(event => element('li', {}, element('button', {
    type: 'button', onclick: () => select(event.frame, true),
  }, element('time', { textContent: clock(event.start_ms) + ' – ' + clock(event.end_ms) }), ' ' + event.text))));
  addRow('time line', paintAxis);
  addRow('found', paintHits);
  data.kinds.forEach((kind, k) => { if (data.events.some(e => e.kind === k)) addRow(kind, paintEvents(k)); });
  for (const field of data.fields) addRow(field.name.replaceAll('_', ' '), paintField(field));
  let waiting = 0;
  at('search').addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(search, 120); });
  at('more').onclick = more;
  addEventListener('resize', draw);
  addEventListener('keydown', event => {
    if (event.target.id === 'search') return;
    if (event.key === 'ArrowRight') step(1); else if (event.key === 'ArrowLeft') step(-1); else return;
    event.preventDefault();
  });
  search();
  select(0);
})();
