// Looks at what a visitor would see, without changing the page: {title, pictures, dialog, dialog_password}.
// Pictures: shown, loaded, at least 50 by 50 CSS pixels. Dialog: text of what covers the middle of the viewport.
() => {
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width >= 50 && box.height >= 50 && getComputedStyle(element).visibility === 'visible';
  };
  const pictures = [...document.images].filter((image) => image.naturalWidth > 0 && shown(image)).length
    + [...document.querySelectorAll('canvas, video, svg')].filter(shown).length;
  const {innerWidth: width, innerHeight: height} = window;
  const points = [[0.5, 0.5], [0.5, 0.4], [0.5, 0.6], [0.4, 0.5], [0.6, 0.5]];
  const overlay = (element) => {
    for (let node = element; node && node !== document.body; node = node.parentElement) {
      const modal = node.matches('dialog[open], [role=dialog], [role=alertdialog], [aria-modal=true]');
      if (modal || getComputedStyle(node).position === 'fixed') return node;
    }
    return null;
  };
  const covering = points.map(([x, y]) => overlay(document.elementFromPoint(x * width, y * height)));
  const found = covering.find((node) => node && covering.filter((other) => other === node).length >= 3) || null;
  const text = found ? found.innerText.trim() : '';
  // An application that lives whole in one fixed element is no dialog.
  const dialog = text.length <= 2000 ? text : '';
  return {
    title: document.title.slice(0, 2000),
    pictures,
    dialog,
    dialog_password: Boolean(dialog && found.querySelector('input[type=password]')),
  };
}
