// Sorts, filters and shortens tables that are in the page.
const ROWS = 25;

function explore(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const { noun, search, groups } = table.dataset;
  const tools = make('div', { className: 'tools' });
  const more = make('button', { type: 'button', className: 'more' });
  const status = make('span', { className: 'count-words', ariaLive: 'polite' });
  const filters = [];
  let showAll = false;

  function refresh() {
    const kept = [...body.rows].filter((row) => filters.every((keeps) => keeps(row)));
    const shown = new Set(showAll ? kept : kept.slice(0, ROWS));
    for (const row of rows) row.classList.toggle('out', !shown.has(row));
    more.hidden = kept.length <= ROWS;
    more.textContent = showAll ? `Show ${ROWS} only` : `Show all ${kept.length.toLocaleString('en')} ${noun}`;
    status.textContent = kept.length < rows.length ? `${kept.length.toLocaleString('en')} of ${rows.length.toLocaleString('en')} ${noun}` : '';
  }

  if (groups) {
    const names = [...new Set(rows.map((row) => row.dataset.group))];
    const select = make('select', { ariaLabel: 'Column' }, make('option', { value: '' }, groups),
      ...names.map((name) => make('option', { value: `=${name}` }, name)));
    select.addEventListener('change', refresh);
    filters.push((row) => !select.value || select.value === `=${row.dataset.group}`);
    tools.append(select);
  }
  if (search && rows.length > 8) {
    const input = make('input', { type: 'search', placeholder: search, ariaLabel: `${search}: ${table.caption.textContent}` });
    input.addEventListener('input', refresh);
    const words = new Map(rows.map((row) => [row, fold(row.querySelector('th').textContent)]));
    filters.push((row) => words.get(row).includes(fold(input.value.trim())));
    tools.append(input);
  }
  if (rows.some((row) => row.classList.contains('small-slice'))) {
    const box = make('input', { type: 'checkbox' });
    box.addEventListener('change', refresh);
    filters.push((row) => !box.checked || !row.classList.contains('small-slice'));
    tools.append(make('label', { className: 'check' }, box, ' Hide small groups'));
  }
  tools.append(status);

  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    const number = head.dataset.sort === 'number';
    const button = make('button', { type: 'button', className: 'sort' }, ...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const before = head.getAttribute('aria-sort');
      const descending = before ? before === 'ascending' : false;
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      const key = (row) => {
        const cell = row.cells[column];
        if (!number) return cell.textContent;
        return cell.dataset.value === '' ? null : Number(cell.dataset.value);
      };
      const sorted = rows.map((row, i) => [key(row), i, row]).sort(([a, i], [b, j]) => {
        if (a === null || b === null) return (a === null) - (b === null) || i - j;
        const order = number ? a - b : a.localeCompare(b);
        return (descending ? -order : order) || i - j;
      });
      body.append(...sorted.map(([, , row]) => row));
      refresh();
    });
  });

  const place = table.closest('.scroll');
  place.before(tools);
  place.after(more);
  more.addEventListener('click', () => { showAll = !showAll; refresh(); });
  refresh();
}
document.querySelectorAll('table.explore').forEach(explore);
