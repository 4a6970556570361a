// The slider of the threshold; all its words were written with the page.
function thresholdSlider(place) {
  const { thresholds, served, splits } = data.threshold;
  const input = place.querySelector('input');
  const output = place.querySelector('output');
  const cells = place.querySelectorAll('td[data-row]');
  const rings = place.querySelectorAll('.moving');

  function show() {
    const at = Number(input.value);
    output.textContent = thresholds[at];
    place.querySelector('[data-value]').textContent = thresholds[at];
    place.querySelector('[data-served]').hidden = at !== served;
    input.setAttribute('aria-valuetext', at === served ? `${thresholds[at]}, as served` : thresholds[at]);
    for (const cell of cells) cell.textContent = splits[cell.dataset.split].cells[at][cell.dataset.row];
    for (const ring of rings) {
      const point = splits[ring.dataset.split][ring.dataset.curve][at];
      ring.toggleAttribute('hidden', point === null);
      if (point === null) continue;
      ring.setAttribute('cx', point[0]);
      ring.setAttribute('cy', point[1]);
    }
  }

  input.addEventListener('input', show);
  place.querySelector('.slider button').addEventListener('click', () => { input.value = served; show(); });
  show();
}
document.querySelectorAll('[data-threshold]').forEach(thresholdSlider);
