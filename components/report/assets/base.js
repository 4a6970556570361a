// Data is set as text or as a property, never parsed as markup.
const data = JSON.parse(document.getElementById('data').textContent);
document.documentElement.classList.add('js');

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const name = (text) => make('bdi', { className: 'name' }, text);
const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
const images = (n) => `${n.toLocaleString('en')} ${n === 1 ? 'image' : 'images'}`;
const fold = (text) => text.normalize('NFKC').toLocaleLowerCase();

// Tabs after the ARIA Authoring Practices: one tab stop, arrow keys, Home and End.
function tabs(place) {
  const panels = [...place.querySelectorAll(':scope > .tab')];
  const list = make('div', { className: 'tablist', role: 'tablist', ariaLabel: place.dataset.tabs });
  const buttons = panels.map((panel, i) => {
    panel.id ||= `${place.dataset.tabs.replace(/\W+/g, '-')}-${i}`;
    panel.setAttribute('role', 'tabpanel');
    panel.tabIndex = 0;
    const count = panel.dataset.count;
    const button = make('button', { type: 'button', role: 'tab', id: `${panel.id}-tab` },
      panel.dataset.tab, count ? make('span', { className: 'count' }, count) : null);
    button.setAttribute('aria-controls', panel.id);
    panel.setAttribute('aria-labelledby', button.id);
    button.addEventListener('click', () => select(i));
    for (const link of document.querySelectorAll(`a[href="#${panel.id}"]`)) link.addEventListener('click', () => select(i));
    return button;
  });
  function select(chosen) {
    buttons.forEach((button, i) => {
      button.setAttribute('aria-selected', i === chosen);
      button.tabIndex = i === chosen ? 0 : -1;
      panels[i].classList.toggle('closed', i !== chosen);
    });
  }
  list.addEventListener('keydown', (event) => {
    const at = buttons.indexOf(document.activeElement);
    const last = buttons.length - 1;
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at ? at - 1 : last, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select(to);
    buttons[to].focus();
  });
  list.append(...buttons);
  place.prepend(list);
  select(0);
}
// On paper nothing can be opened.
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach((details) => { details.open = true; }));

document.querySelectorAll('[data-tabs]').forEach(tabs);
