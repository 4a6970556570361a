// The confusion matrix of each split: of all classes, or of those confused most or searched for.
const SIZES = [10, 20, 40];

function confusion(place) {
  const split = data.splits[place.dataset.confusion];
  const totals = new Map();
  const confused = new Map(); // images of the class, or predicted as it, that are wrong
  const rows = new Map();
  for (const [label, answer, count, pictures] of split.cells) {
    totals.set(label, (totals.get(label) ?? 0) + count);
    if (!rows.has(label)) rows.set(label, new Map());
    rows.get(label).set(answer, { count, pictures });
    if (label === answer) continue;
    for (const position of [label, answer]) confused.set(position, (confused.get(position) ?? 0) + count);
  }
  const cell = (label, answer) => rows.get(label)?.get(answer) ?? { count: 0, pictures: [] };
  const all = data.classes.map((_, i) => i);
  const tools = place.querySelector('.tools');
  const panel = place.querySelector('.cell-images');
  const large = all.length > data.matrix;
  let size = large ? data.matrix : all.length;

  // The classes searched for and those they are confused with; without a search, the most confused.
  function choose(query) {
    if (!large) return all;
    const weight = new Map(confused);
    if (query) {
      weight.clear();
      const matches = all.filter((i) => fold(data.classes[i]).includes(fold(query)));
      for (const i of matches) weight.set(i, 1e9 + (confused.get(i) ?? 0));
      const searched = new Set(matches);
      for (const [label, answer, count] of split.cells) {
        if (searched.has(label) === searched.has(answer)) continue;
        const partner = searched.has(label) ? answer : label;
        weight.set(partner, (weight.get(partner) ?? 0) + count);
      }
      if (!matches.length) return [];
    }
    const order = query ? [...weight.keys()] : all;
    return order
      .sort((a, b) => (weight.get(b) ?? 0) - (weight.get(a) ?? 0) || a - b)
      .slice(0, size)
      .sort((a, b) => a - b);
  }

  function show(label, answer) {
    const { count, pictures } = cell(label, answer);
    const right = label === answer;
    const heading = make('h4', {}, images(count), ' labelled ', name(data.classes[label]),
      right ? ', predicted correctly' : ', predicted ', right ? null : name(data.classes[answer]));
    const shown = pictures.filter((id) => data.pictures[id]);
    const note = shown.length < count ? `${shown.length.toLocaleString('en')} of them shown.` : '';
    panel.replaceChildren(heading, make('p', { className: 'how' }, note),
      make('ul', { className: 'gallery compact' }, ...shown.map((id) => make('li', {}, thumbnail(id)))));
  }

  function gridCell(label, answer) {
    const { count } = cell(label, answer);
    const total = totals.get(label) ?? 0;
    const share = total ? count / total : 0;
    const heat = count ? Math.max(1, Math.min(5, Math.ceil(share * 5))) : 0;
    const element = make('td', { tabIndex: -1 }, count ? count.toLocaleString('en') : '');
    element.className = `${label === answer ? 'right' : 'wrong'} heat-${heat}`;
    const text = `labelled ${data.classes[label]}, predicted ${data.classes[answer]}: ${images(count)}`;
    element.title = count ? `${text} (${percent(share)} of the class)` : text;
    element.setAttribute('role', 'gridcell');
    element.setAttribute('aria-label', element.title);
    element.dataset.label = label;
    element.dataset.answer = answer;
    return element;
  }

  function draw(query = '') {
    const chosen = choose(query);
    const target = place.querySelector('.matrix-place');
    if (!chosen.length) {
      target.replaceChildren(make('p', { className: 'empty' }, 'No class matches.'));
      return;
    }
    const partial = chosen.length < all.length;
    const head = make('tr', { role: 'row' }, make('td', { className: 'corner' }, make('span', {}, 'labelled ↓ predicted →')),
      ...chosen.map((i) => make('th', { scope: 'col', role: 'columnheader', title: data.classes[i] },
        make('span', {}, name(data.classes[i])))));
    if (partial) head.append(make('th', { scope: 'col', role: 'columnheader' }, make('span', {}, 'not shown')));
    const body = chosen.map((label) => {
      const row = make('tr', { role: 'row' },
        make('th', { scope: 'row', role: 'rowheader', title: data.classes[label] }, name(data.classes[label])),
        ...chosen.map((answer) => gridCell(label, answer)));
      if (partial) {
        const drawn = chosen.reduce((sum, answer) => sum + cell(label, answer).count, 0);
        const rest = (totals.get(label) ?? 0) - drawn;
        row.append(make('td', { className: 'rest', role: 'gridcell' }, rest ? rest.toLocaleString('en') : ''));
      }
      return row;
    });
    const table = make('table', { className: 'matrix', role: 'grid', ariaLabel: `Confusion matrix, ${split.title}` },
      make('thead', {}, head), make('tbody', {}, ...body));
    table.classList.toggle('dense', chosen.length > 10);
    table.querySelector('td[data-label]').tabIndex = 0;
    table.addEventListener('click', (event) => pick(event.target.closest('td[data-label]')));
    table.addEventListener('keydown', (event) => move(table, event));
    target.replaceChildren(table);
    status.textContent = partial ? `${chosen.length} of ${all.length.toLocaleString('en')} classes` : '';
  }

  function pick(element) {
    if (!element) return;
    place.querySelectorAll('.chosen').forEach((other) => other.classList.remove('chosen'));
    element.classList.add('chosen');
    focusCell(element);
    show(Number(element.dataset.label), Number(element.dataset.answer));
  }

  function focusCell(element) {
    element.closest('table').querySelectorAll('td[tabindex="0"]').forEach((other) => { other.tabIndex = -1; });
    element.tabIndex = 0;
    element.focus();
  }

  function move(table, event) {
    const at = document.activeElement;
    if (!at.matches('td[data-label]')) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      pick(at);
      return;
    }
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const edge = { Home: 1, End: table.rows[0].cells.length }[event.key];
    if (!step && !edge) return;
    event.preventDefault();
    const row = table.rows[at.parentElement.rowIndex + (step ? step[0] : 0)];
    let to = edge ? at.parentElement.cells[edge] : row?.cells[at.cellIndex + step[1]];
    if (edge && !to?.dataset.label) to = [...at.parentElement.querySelectorAll('td[data-label]')].at(-1);
    if (to?.dataset.label) focusCell(to);
  }

  const status = make('span', { className: 'count-words', ariaLive: 'polite' });
  if (large) {
    const search = make('input', { type: 'search', placeholder: 'Find a class', ariaLabel: 'Find a class in the matrix' });
    const sizes = make('select', { ariaLabel: 'Classes shown' },
      ...SIZES.map((n) => make('option', { value: n, selected: n === size }, `${n} classes`)));
    search.addEventListener('input', () => draw(search.value.trim()));
    sizes.addEventListener('change', () => { size = Number(sizes.value); draw(search.value.trim()); });
    tools.append(search, sizes, status, make('span', { className: 'how' }, 'Shows the most confused classes unless you search.'));
  }
  draw();
  place.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-label]');
    if (button) show(Number(button.dataset.label), Number(button.dataset.answer));
  });
}
