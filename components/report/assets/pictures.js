// Pictures as buttons, and the dialog that shows one enlarged with its neighbours.
const thumbnails = new Map();
document.querySelectorAll('img[data-thumbnail]').forEach((img) => thumbnails.set(img.dataset.thumbnail, img.src));
const overlays = new Map();
document.querySelectorAll('img[data-overlay]').forEach((img) => overlays.set(img.dataset.overlay, img.src));
const source = (id) => data.pictures[id]?.thumbnail || thumbnails.get(id) || '';
const overlay = (id) => data.pictures[id]?.overlay || overlays.get(id) || '';

function description(id) {
  const { path, label, answer } = data.pictures[id];
  if (label === '') return `${path}, predicted ${answer}`;
  return answer === null || answer === label ? `${path}, ${label}` : `${path}, labelled ${label}, predicted ${answer}`;
}

function frame(id, ...more) {
  const src = source(id);
  return make('span', { className: 'frame' },
    src ? make('img', { src, alt: '' }) : make('span', { className: 'gone' }, 'deleted'), ...more);
}

function thumbnail(id) {
  const { score } = data.pictures[id];
  const button = make('button', { type: 'button', className: 'picture', ariaLabel: description(id), title: description(id) }, frame(id));
  if (score !== null) button.append(make('span', { className: 'caption' }, make('span', { className: 'score' }, percent(score))));
  button.dataset.picture = id;
  return button;
}

const dialog = document.getElementById('detail');
let series = []; // ids to step through

function line(term, ...value) {
  return make('div', {}, make('dt', {}, term), make('dd', {}, ...value));
}

function open(id, list, focus = '.close') {
  const picture = data.pictures[id];
  series = list.includes(id) ? list : [id];
  const at = series.indexOf(id);
  dialog.dataset.picture = id;
  const step = (text, by, kind) => {
    const button = make('button', { type: 'button', className: `small ${kind}`, disabled: !series[at + by] }, text);
    button.addEventListener('click', () => open(series[at + by], series, `.${kind}:enabled`));
    return button;
  };
  const close = make('button', { type: 'button', className: 'close', ariaLabel: 'Close' }, '✕');
  close.addEventListener('click', () => dialog.close());
  const heat = overlay(id);
  const labelled = picture.label !== '';
  const mark = !labelled ? '' : picture.answer === picture.label ? ' ✓' : ' ✕';
  const wrong = labelled && picture.answer !== null && picture.answer !== picture.label;
  const views = make('div', { className: 'views' },
    make('figure', {}, frame(id), make('figcaption', {}, 'image')),
    heat ? make('figure', {}, frame(id, make('img', { className: 'overlay on', src: heat, alt: '' })),
      make('figcaption', {}, 'regions behind the prediction')) : null);
  const facts = make('dl', {}, labelled ? line('Labelled', name(picture.label)) : null,
    picture.answer === null ? null : line('Predicted', name(picture.answer), mark),
    picture.score === null ? null : line('Score', percent(picture.score)),
    line('Split', picture.split), line('File', name(picture.path)), picture.note ? line('Note', picture.note) : null);
  const neighbours = picture.neighbours.filter(([other]) => data.pictures[other]);
  dialog.replaceChildren(
    make('header', {}, make('h2', { id: 'detail-title' }, name(picture.path.split('/').at(-1))), close),
    make('div', { className: 'detail-body' }, views, facts),
    neighbours.length ? make('div', { className: 'alike' }, make('h3', {}, 'Most similar training images'),
      make('ul', { className: 'gallery compact' }, ...neighbours.map(([other, similarity]) => make('li', {},
        make('figure', {}, frame(other), make('figcaption', {}, name(data.pictures[other].label),
          make('span', { className: 'score' }, similarity.toFixed(2)))))))) : '',
    make('footer', {}, step('← Previous', -1, 'previous'), make('span', { className: 'how' }, `${at + 1} of ${series.length}`), step('Next →', 1, 'next')));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  (dialog.querySelector(focus) ?? close).focus();
}

dialog.addEventListener('keydown', (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const current = dialog.dataset.picture;
  const to = by && series[series.indexOf(current) + by];
  if (to) open(to, series);
});
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });

document.addEventListener('click', (event) => {
  const button = event.target.closest('button.picture');
  if (!button) return;
  const list = [...button.closest('ul').querySelectorAll('button.picture')].map((other) => other.dataset.picture);
  open(button.dataset.picture, list);
});

document.querySelectorAll('[data-neighbours]').forEach((place) => {
  for (const [id, similarity] of data.pictures[place.dataset.neighbours]?.neighbours ?? []) {
    const src = source(id);
    if (!src) continue;
    const text = `train: ${data.pictures[id].label} (similarity ${similarity.toFixed(2)})`;
    place.append(make('img', { src, alt: text, title: text }));
  }
});
document.querySelectorAll('[data-confusion]').forEach(confusion);
