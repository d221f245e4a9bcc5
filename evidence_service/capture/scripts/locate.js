// Measures the elements that facts were read from, without changing the page.
// Takes a list of CSS selectors, "@name" at the end for an attribute. Returns selector → {box, text} or null:
// the first element in document order with a value, its box in CSS pixels on the full page, and that value.
(selectors) => {
  const found = {};
  const skipped = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE']);
  const shown = (element) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let text = '';
    while (walker.nextNode() && text.length < 20000) {
      if (!skipped.has(walker.currentNode.parentNode.nodeName)) text += walker.currentNode.data;
    }
    return text.trim();
  };
  for (const selector of selectors.slice(0, 200)) {
    const at = selector.indexOf('@');
    const attribute = at < 0 ? '' : selector.slice(at + 1);
    found[selector] = null;
    for (const element of document.querySelectorAll(at < 0 ? selector : selector.slice(0, at))) {
      const text = attribute ? (element.getAttribute(attribute) || '').trim() : shown(element);
      if (!text) continue;
      const box = element.getBoundingClientRect();
      if (box.width > 0 && box.height > 0) {
        found[selector] = {
          box: [box.left + window.scrollX, box.top + window.scrollY, box.width, box.height],
          text: text.slice(0, 5000),
        };
      }
      break;
    }
  }
  return found;
}
