// Describes the element a step met, without changing it: tag, text, a selector that finds it, its box, its link.
(element) => {
  const box = element.getBoundingClientRect();
  const parts = [];
  for (let node = element; node && node !== document.documentElement && node.parentElement; node = node.parentElement) {
    if (node.id) {
      parts.unshift(`#${CSS.escape(node.id)}`);
      break;
    }
    const same = [...node.parentElement.children].filter((other) => other.tagName === node.tagName);
    parts.unshift(`${node.tagName.toLowerCase()}:nth-of-type(${same.indexOf(node) + 1})`);
  }
  const link = element.closest('a[href]');
  return {
    tag: element.tagName.toLowerCase(),
    text: (element.innerText || element.value || '').trim().slice(0, 200),
    selector: parts.join(' > '),
    box: [box.x + scrollX, box.y + scrollY, box.width, box.height].map((value) => Math.round(value * 100) / 100),
    href: link ? link.href : '',
  };
}
