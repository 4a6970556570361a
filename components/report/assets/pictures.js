// Pictures as buttons, and the dialog that shows one large with what it resembles.
const held = new Map();
document.querySelectorAll('img[data-thumbnail]').forEach((one) => held.set(one.dataset.thumbnail, one.src));
const heldOverlays = new Map();
document.querySelectorAll('img[data-overlay]').forEach((one) => heldOverlays.set(one.dataset.overlay, one.src));
const source = (id) => data.pictures[id]?.thumbnail || held.get(id) || '';
const overlay = (id) => data.pictures[id]?.overlay || heldOverlays.get(id) || '';

function described(id) {
  const { path, label, answer } = data.pictures[id];
  return answer === null || answer === label ? `${path}, ${label}` : `${path}, labelled ${label}, answered ${answer}`;
}

function frame(id, ...more) {
  const src = source(id);
  return make('span', { className: 'frame' },
    src ? make('img', { src, alt: '' }) : make('span', { className: 'gone' }, 'no longer there'), ...more);
}

function thumbnail(id) {
  const one = data.pictures[id];
  const button = make('button', { type: 'button', className: 'picture', ariaLabel: described(id), title: described(id) }, frame(id));
  if (one.score !== null) button.append(make('span', { className: 'caption' }, make('span', { className: 'score' }, percent(one.score))));
  button.dataset.picture = id;
  return button;
}

const dialog = document.getElementById('detail');
let around = [];

function line(term, ...value) {
  return make('div', {}, make('dt', {}, term), make('dd', {}, ...value));
}

function open(id, list, focus = '.close') {
  const one = data.pictures[id];
  around = list.includes(id) ? list : [id];
  const at = around.indexOf(id);
  dialog.dataset.picture = id;
  const step = (words, by, kind) => {
    const button = make('button', { type: 'button', className: `small ${kind}`, disabled: !around[at + by] }, words);
    button.addEventListener('click', () => open(around[at + by], around, `.${kind}:enabled`));
    return button;
  };
  const close = make('button', { type: 'button', className: 'close', ariaLabel: 'Close' }, '✕');
  close.addEventListener('click', () => dialog.close());
  const heat = overlay(id);
  const wrong = one.answer !== null && one.answer !== one.label;
  const views = make('div', { className: 'views' },
    make('figure', {}, frame(id), make('figcaption', {}, 'the image')),
    heat ? make('figure', {}, frame(id, make('img', { className: 'overlay on', src: heat, alt: '' })),
      make('figcaption', {}, 'where the model looked')) : null);
  const facts = make('dl', {}, line('Labelled', name(one.label)),
    one.answer === null ? null : line('Answered', name(one.answer), wrong ? ' ✕' : ' ✓'),
    one.score === null ? null : line('Score', percent(one.score)),
    line('Split', one.split), line('File', name(one.path)), one.note ? line('Note', one.note) : null);
  const alike = one.neighbours.filter(([other]) => data.pictures[other]);
  dialog.replaceChildren(
    make('header', {}, make('h2', { id: 'detail-title' }, name(one.path.split('/').at(-1))), close),
    make('div', { className: 'detail-body' }, views, facts),
    alike.length ? make('div', { className: 'alike' }, make('h3', {}, 'Most alike in train'),
      make('ul', { className: 'gallery compact' }, ...alike.map(([other, similarity]) => make('li', {},
        make('figure', {}, frame(other), make('figcaption', {}, name(data.pictures[other].label),
          make('span', { className: 'score' }, similarity.toFixed(2)))))))) : '',
    make('footer', {}, step('← Previous', -1, 'previous'), make('span', { className: 'how' }, `${at + 1} of ${around.length}`), step('Next →', 1, 'next')));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  (dialog.querySelector(focus) ?? close).focus();
}

dialog.addEventListener('keydown', (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const current = dialog.dataset.picture;
  const to = by && around[around.indexOf(current) + by];
  if (to) open(to, around);
});
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });

document.addEventListener('click', (event) => {
  const button = event.target.closest('button.picture');
  if (!button) return;
  const list = [...button.closest('ul').querySelectorAll('button.picture')].map((one) => one.dataset.picture);
  open(button.dataset.picture, list);
});

document.querySelectorAll('[data-neighbours]').forEach((place) => {
  for (const [id, similarity] of data.pictures[place.dataset.neighbours]?.neighbours ?? []) {
    const src = source(id);
    if (!src) continue;
    const words = `train: ${data.pictures[id].label} (similarity ${similarity.toFixed(2)})`;
    place.append(make('img', { src, alt: words, title: words }));
  }
});
document.querySelectorAll('[data-confusion]').forEach(confusion);
