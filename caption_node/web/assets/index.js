'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const at = id => document.getElementById(id);
  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const clock = s => Math.floor(s / 60) + ':' + (s % 60).toFixed(1).padStart(4, '0');
  const PAGE = 24;
  let limit = PAGE, asked = 0;

  const query = more => new URLSearchParams({ q: at('search').value, where: at('where').value, ...more }).toString();
  const ask = async (path, more = {}) => {
    const answer = await fetch(path + '?' + query(more));
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    return found;
  };
  const card = moment => {
    const picture = element('img', { loading: 'lazy', alt: '' });
    if (moment.thumbnail) picture.src = moment.thumbnail;
    const link = element('a', { href: moment.page, textContent: moment.name });
    return element('div', { className: 'card ' + moment.status }, picture,
      element('span', {}, link, element('time', { textContent: '  ' + clock(moment.start_offset_s) + ', ' + moment.duration_s.toFixed(1) + ' s' })),
      element('span', { className: 'said', textContent: moment.caption }),
      element('code', { className: 'play', textContent: moment.play }));
  };
  const search = async () => {
    const mine = ++asked;
    at('notes').textContent = '';
    try {
      const found = await ask('/api/search', { limit });
      if (mine !== asked) return;
      at('cards').replaceChildren(...found.moments.map(card));
      at('hit-count').textContent = found.moments_in_all + ' moments, ' + found.frames + ' frames, ' + found.elapsed_ms.toFixed(0) + ' ms';
      at('notes').textContent = found.notes.join(' ');
      at('more').hidden = found.moments.length >= found.moments_in_all;
      const counted = await ask('/api/conditions');
      if (mine === asked) conditions(counted.fields, found.frames);
    } catch (error) {
      if (mine !== asked) return;
      at('notes').replaceChildren(element('span', { className: 'fault', textContent: error.message }));
    }
  };
  const conditions = (fields, frames) => at('conditions').replaceChildren(...fields.map(field => {
    const set = element('fieldset', {}, element('legend', { textContent: field.name }));
    set.dataset.field = field.name;
    for (const [value, count, comparison] of field.counts) {
      const button = element('button', { type: 'button', onclick: () => narrow(comparison) },
        element('span', { textContent: value }), element('span', { textContent: count }));
      button.style.setProperty('--share', (100 * count / Math.max(1, frames)).toFixed(1) + '%');
      set.append(button);
    }
    return set;
  }));
  const narrow = comparison => {
    const now = at('where').value.trim();
    if (!now.split(' and ').includes(comparison)) at('where').value = now ? '(' + now + ') and ' + comparison : comparison;
    begin();
  };
  const begin = () => { limit = PAGE; search(); };

  at('facts').textContent = data.facts.join(' · ');
  at('bag-count').textContent = data.bags.length;
  at('bags').append(...data.bags.map(bag => element('tr', {},
    element('td', {}, element('a', { href: bag.page, textContent: bag.path }), bag.remark ? ' (' + bag.remark + ')' : ''),
    element('td', { textContent: bag.frames }), element('td', { textContent: clock(bag.length_s) }), element('td', { textContent: bag.recorded }))));
  let waiting = 0;
  for (const id of ['search', 'where'])
    at(id).addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(begin, 200); });
  at('more').onclick = () => { limit += PAGE; search(); };
  search();
})();
