const answers = document.getElementById('answers');
const state = { total: 0, done: 0, failed: 0, running: 0, queue: [] };
const AT_ONCE = 2;
// Stops of matplotlib's inferno, the colours of heat maps in the report.
const INFERNO = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]];
const OPACITY = 0.65;

function colour(heat) {
  const at = heat * (INFERNO.length - 1);
  const low = Math.min(Math.floor(at), INFERNO.length - 2);
  return INFERNO[low].map((value, i) => value + (at - low) * (INFERNO[low + 1][i] - value));
}

// The part of a picture that the model sees, in its pixels: the whole, or a centred square.
function visibleArea(width, height) {
  if (data.resize === 'stretch') return [0, 0, width, height];
  const side = data.resize === 'crop' ? Math.min(width, height) : Math.max(width, height);
  return [(width - side) / 2, (height - side) / 2, side, side];
}

function paint(canvas, img, heat) {
  const small = make('canvas', { width: heat[0].length, height: heat.length });
  const pixels = new ImageData(small.width, small.height);
  heat.flat().forEach((value, i) => {
    pixels.data.set([...colour(value), 255 * OPACITY * value], 4 * i);
  });
  small.getContext('2d').putImageData(pixels, 0, 0);
  const scale = Math.min(1, 640 / Math.max(img.naturalWidth, img.naturalHeight));
  canvas.width = Math.max(1, Math.round(img.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(img.naturalHeight * scale));
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(small, ...visibleArea(canvas.width, canvas.height));
}

async function classify(file, explain) {
  if (file.size > data.maxBytes) throw new Error(`it is larger than ${Math.floor(data.maxBytes / 2 ** 20)} MB`);
  for (let tries = 0; ; tries += 1) {
    let reply;
    try {
      reply = await fetch(`classify?explain=${explain}`, { method: 'POST', body: file });
    } catch {
      throw new Error('the server cannot be reached');
    }
    // The server is busy with other pictures.
    if (reply.status === 503 && tries < 20) {
      await new Promise((done) => { setTimeout(done, 500); });
      continue;
    }
    const answer = await reply.json();
    if (!reply.ok) throw new Error(answer.error);
    return answer;
  }
}

function updateStatus() {
  document.getElementById('tools').hidden = !answers.children.length;
  const of = state.done < state.total ? `${state.done} of ` : '';
  const failures = state.failed ? `, ${state.failed} failed` : '';
  document.getElementById('status').textContent = `${of}${images(state.total)}${failures}`;
}

function row([index, label, share], entry) {
  const fill = make('span');
  fill.style.width = `${100 * share}%`;
  const button = make('button', { type: 'button', ariaPressed: 'false' },
    name(label), make('span', { className: 'share' }, percent(share)),
    make('span', { className: 'rail-of' }, fill));
  button.dataset.index = index;
  button.addEventListener('click', () => explain(entry, index));
  return make('li', {}, button);
}

function show(entry, answer) {
  document.getElementById('version').textContent = answer.version;
  const top = answer.top.map((candidate) => row(candidate, entry));
  const unsure = answer.abstained ? make('p', { className: 'unsure' },
    `Uncertain: the score is below ${percent(data.abstain)}, so the model abstains.`) : null;
  entry.text.replaceChildren(
    make('h2', {}, name(answer.label), make('span', { className: 'share' }, percent(answer.score))),
    ...(unsure ? [unsure] : []), make('ul', { className: 'five' }, ...top),
    ...(answer.explained === null ? [make('p', { className: 'legend' }, 'This model has no heat maps.')] : []),
  );
  if (answer.explained !== null) heat(entry, answer);
}

function heat(entry, answer) {
  entry.text.querySelectorAll('button').forEach((button) => {
    button.setAttribute('aria-pressed', Number(button.dataset.index) === answer.explained);
  });
  const draw = () => { if (entry.img.naturalWidth) paint(entry.canvas, entry.img, answer.heat); };
  if (entry.img.complete) draw();
  else entry.img.addEventListener('load', draw, { once: true });
  const label = answer.top.find(([index]) => index === answer.explained)?.[1] ?? answer.label;
  entry.canvas.setAttribute('aria-label', `Regions behind ${label}`);
}

async function explain(entry, index) {
  document.getElementById('evidence').checked = true;
  entry.selected = index;
  try {
    const answer = await classify(entry.file, index);
    if (entry.selected === index && answer.explained !== null) heat(entry, answer);
  } catch (error) {
    document.getElementById('status').textContent = `${entry.file.name}: ${error.message}`;
  }
}

function place(file) {
  const img = make('img', { src: URL.createObjectURL(file), alt: '' });
  const canvas = make('canvas', { role: 'img', ariaLabel: 'No heat map yet' });
  const shot = make('div', { className: 'shot' }, img, canvas);
  img.addEventListener('error', () => {
    shot.replaceChildren(make('p', { className: 'gone' }, 'The browser cannot show this format'));
  });
  const text = make('div', { className: 'text' }, make('p', { className: 'wait' }, 'Waiting …'));
  const label = file.name || 'pasted picture';
  const item = make('li', { className: 'answer' },
    make('figure', {}, shot, make('figcaption', { title: label }, label)), text);
  answers.prepend(item);
  return { file, img, canvas, text, item };
}

async function work() {
  if (state.running >= AT_ONCE || !state.queue.length) return;
  const entry = state.queue.shift();
  state.running += 1;
  let failed = false;
  try {
    show(entry, await classify(entry.file, 'answer'));
  } catch (error) {
    failed = true;
    entry.item.classList.add('failed');
    entry.text.replaceChildren(make('h2', {}, 'Failed'), make('p', {}, error.message));
  }
  state.running -= 1;
  if (entry.item.isConnected) {
    state.done += 1;
    state.failed += failed;
  }
  updateStatus();
  work();
}

function addFiles(files) {
  for (const file of files) {
    state.queue.push(place(file));
    state.total += 1;
    work();
  }
  updateStatus();
}

for (const id of ['choose', 'camera']) {
  const input = document.getElementById(id);
  input.addEventListener('change', () => { addFiles([...input.files]); input.value = ''; });
}
document.addEventListener('paste', (event) => addFiles([...event.clipboardData.files]));
const drop = document.getElementById('drop');
let depth = 0;
const hasFiles = (event) => [...event.dataTransfer.types].includes('Files');
addEventListener('dragenter', (event) => { if (hasFiles(event)) { depth += 1; drop.classList.add('over'); } });
addEventListener('dragleave', (event) => { if (hasFiles(event)) { depth -= 1; drop.classList.toggle('over', depth > 0); } });
// On the whole page: a picture dropped beside the field must not replace the page.
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  depth = 0;
  drop.classList.remove('over');
  addFiles([...event.dataTransfer.files]);
});
document.getElementById('clear').addEventListener('click', () => {
  answers.querySelectorAll('img').forEach((img) => URL.revokeObjectURL(img.src));
  answers.replaceChildren();
  Object.assign(state, { total: 0, done: 0, failed: 0, queue: [] });
  updateStatus();
  document.getElementById('choose').focus();
});
